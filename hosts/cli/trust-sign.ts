import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { TrustDocument } from "../release/trust/document.ts";
import { maySign, publishReady, signDraft } from "../release/trust/signing.ts";
import { commandGroup } from "./command-group.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { writeResult } from "./files.ts";
import { note, print, printJson } from "./output.ts";
import {
  addSignerOptions,
  type OpenKey,
  openMetadataSigners,
  reportingSigners,
  type SignerFlags,
  signersFor,
} from "./signer-options.ts";
import { trustDescription } from "./trust-init.ts";
import {
  addRepositoryOption,
  contentOf,
  openRepository,
  payloadDigest,
  type RepositoryFlags,
  tellSigned,
} from "./trust-options.ts";
import { readPayload } from "./trust-payload.ts";

interface SignFlags extends SignerFlags, RepositoryFlags {
  readonly payload?: string;
  readonly out?: string;
  readonly json?: true;
}

/** `sluice trust sign` */
export function registerTrustSign(program: Command): void {
  const command = commandGroup(program, "trust", trustDescription)
    .command("sign")
    .description("Sign the drafts that a key may sign; complete ones count from then on")
    .argument("[roles...]", "these roles only")
    .option("--payload <file>", "on another machine: sign an exported payload instead")
    .option("--out <file>", "where the signature of a payload goes")
    .option("--json", "tell the drafts as JSON");
  addSignerOptions(addRepositoryOption(command)).action(sign);
}

async function sign(roles: readonly string[], flags: SignFlags, command: Command): Promise<void> {
  const keys = await openMetadataSigners(flags);
  if (keys.length === 0)
    throw new CommandError(
      "give the key to sign with: --signer key:NAME, or --key PEM",
      exitCodes.usage,
    );
  if (flags.payload !== undefined) return signPayload(flags.payload, keys, flags, command);
  const repository = openRepository(flags);
  const drafts = repository.drafts.filter(({ role }) => roles.length === 0 || roles.includes(role));
  if (drafts.length === 0)
    throw new CommandError(
      `nothing waits for a signature${roles.length === 0 ? "" : ` of ${roles.join(", ")}`} in ${flags.repository}`,
    );
  const signed = new Set<OpenKey>();
  for (const { role } of drafts)
    for (const key of keys) {
      const draft = repository.draft(role);
      if (draft === null || !maySign(repository, draft, key.signer.keyId)) continue;
      signed.add(key);
      if (draft.signatures.some(({ keyid }) => keyid === key.signer.keyId)) continue;
      note(command, `signing ${nameOf(draft)}: ${contentOf(draft)}`);
      const [recorded] = signersFor([key], nameOf(draft));
      if (recorded !== undefined)
        await reportingSigners(() => signDraft(repository, draft, recorded));
    }
  const idle = keys.find((key) => !signed.has(key));
  if (idle !== undefined)
    throw new CommandError(
      `${idle.signer.label} may sign none of the drafts (${drafts.map(({ role }) => role).join(", ")})`,
    );
  const told = publishReady(repository);
  if (flags.json === true) printJson(command, { drafts: told });
  else tellSigned(command, repository, told);
}

function nameOf({ role, signed }: TrustDocument): string {
  return `${role} version ${signed.version}`;
}

async function signPayload(
  path: string,
  keys: readonly OpenKey[],
  flags: SignFlags,
  command: Command,
): Promise<void> {
  const [key, ...more] = keys;
  if (key === undefined || more.length > 0)
    throw new CommandError("a payload is signed by one key at a time", exitCodes.usage);
  const document = readPayload(readFile(path), path);
  note(command, `signing ${nameOf(document)}: ${contentOf(document)}`);
  note(command, `its SHA-256 is ${payloadDigest(document)}`);
  const [recorded] = signersFor([key], nameOf(document));
  if (recorded === undefined) throw new TypeError("one key is one signer");
  const digest = Buffer.from(payloadDigest(document), "hex");
  const signature = await reportingSigners(() => recorded.sign(digest));
  const hex = Buffer.from(signature).toString("hex");
  if (flags.out === undefined) print(command, hex);
  else writeResult(flags.out, `${hex}\n`);
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CommandError(`cannot read the payload: ${(error as Error).message}`);
  }
}

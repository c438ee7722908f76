import type { Command } from "commander";
import { type TrustDocument, withSignature } from "../../release/trust/document.ts";
import type { TrustRepository } from "../../release/trust/repository.ts";
import { maySign, publishReady } from "../../release/trust/signing.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readInput, writeResult } from "../command/files.ts";
import { note, print, printJson } from "../command/output.ts";
import {
  addSignerOptions,
  type OpenKey,
  openMetadataSigners,
  reportingSigners,
  type SignerFlags,
  signersFor,
} from "../options/signer-options.ts";
import { readPayload } from "./payload.ts";
import {
  addRepositoryOption,
  changeRepository,
  contentOf,
  openRepository,
  payloadDigest,
  type RepositoryFlags,
  tellSigned,
} from "./trust-options.ts";

interface SignFlags extends SignerFlags, RepositoryFlags {
  readonly payload?: string;
  readonly out?: string;
  readonly json?: true;
}

/** `sluice trust sign` */
export function registerTrustSign(group: Command): void {
  const command = group
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
  const given = await signaturesOf(repository, drafts, keys, command);
  const told = await changeRepository(flags, "sign", (current) => {
    for (const one of given)
      if (!putSignature(current, one)) note(command, `${nameOf(one.draft)} counts already`);
    return { repository: current, drafts: publishReady(current) };
  });
  if (flags.json === true) printJson(command, { drafts: told.drafts });
  else tellSigned(command, told.repository, told.drafts);
}

interface DraftSignature {
  readonly draft: TrustDocument;
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** Signs outside of the lock: a person may have to touch a token, and others sign meanwhile. */
async function signaturesOf(
  repository: TrustRepository,
  drafts: readonly TrustDocument[],
  keys: readonly OpenKey[],
  command: Command,
): Promise<DraftSignature[]> {
  const given: DraftSignature[] = [];
  const used = new Set<OpenKey>();
  for (const draft of drafts)
    for (const key of keys) {
      const { keyId } = key.signer;
      if (!maySign(repository, draft, keyId)) continue;
      used.add(key);
      if (draft.signatures.some(({ keyid }) => keyid === keyId)) continue;
      note(command, `signing ${nameOf(draft)}: ${contentOf(draft)}`);
      const digest = Buffer.from(payloadDigest(draft), "hex");
      for (const recorded of signersFor([key], nameOf(draft))) {
        const signature = await reportingSigners(() => recorded.sign(digest));
        given.push({ draft, keyId, signature });
      }
    }
  const idle = keys.find((key) => !used.has(key));
  if (idle === undefined) return given;
  throw new CommandError(
    `${idle.signer.label} may sign none of the drafts (${drafts.map(({ role }) => role).join(", ")})`,
  );
}

/**
 * Beside the signatures that came meanwhile; never on another content than was looked at. False
 * when others have completed the draft.
 */
function putSignature(current: TrustRepository, given: DraftSignature): boolean {
  const { role, signed } = given.draft;
  const digest = payloadDigest(given.draft);
  const draft = current.draft(role);
  if (draft !== null && payloadDigest(draft) === digest) {
    current.putDraft(withSignature(draft, given.keyId, given.signature));
    return true;
  }
  const published = current.at(role, signed.version);
  if (published !== null && payloadDigest(published) === digest) return false;
  throw new CommandError(
    `the draft of ${nameOf(given.draft)} was changed while it was being signed; look at it with "sluice trust verify" and sign again`,
  );
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
  const document = readPayload(Buffer.from(readInput(path, "the payload")), path);
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

import type { Command } from "commander";
import {
  escapeControls,
  payloadOf,
  readDocument,
  type TrustDocument,
  withSignature,
} from "../../release/trust/document.ts";
import type { TrustRepository } from "../../release/trust/repository.ts";
import { publishReady, signatureOf } from "../../release/trust/signing.ts";
import { CommandError } from "../command/exit.ts";
import { readInput, writeResult } from "../command/files.ts";
import { note } from "../command/output.ts";
import {
  addRepositoryOption,
  changeRepository,
  contentOf,
  openRepository,
  payloadDigest,
  type RepositoryFlags,
  tellSigned,
} from "./trust-options.ts";

/** `sluice trust export-payload` */
export function registerTrustExport(group: Command): void {
  const command = group
    .command("export-payload")
    .description("Write what a signer on another machine has to sign: any ECDSA tool can")
    .argument("<role>", "whose draft")
    .requiredOption("--out <file>", "the payload; its SHA-256 is what gets signed");
  addRepositoryOption(command).action(
    (role: string, flags: RepositoryFlags & { out: string }, self: Command) => {
      const draft = draftOf(role, openRepository(flags));
      writeResult(flags.out, payloadOf(draft));
      note(self, `${role} version ${draft.signed.version}: ${contentOf(draft)}`);
      note(self, `its SHA-256 is ${payloadDigest(draft)}; the signer must see the same`);
      note(self, `sign it with "sluice trust sign --payload", or "openssl dgst -sha256 -sign"`);
    },
  );
}

/** `sluice trust import-signature` */
export function registerTrustImport(group: Command): void {
  const command = group
    .command("import-signature")
    .description("Take in a signature that was made on another machine, whosever it is")
    .argument("<role>", "whose draft it signs")
    .argument("<file>", "the signature: DER or r and s, raw, in base64 or in hex");
  addRepositoryOption(command).action(
    (role: string, file: string, flags: RepositoryFlags, self: Command) => {
      draftOf(role, openRepository(flags)); // a folder without that draft is left as it is
      const signature = readInput(file, "the signature");
      return changeRepository(flags, "import-signature", (repository) => {
        const draft = draftOf(role, repository);
        const found = signatureOf(repository, draft, signature);
        if (found === null)
          throw new CommandError(
            `${file} is no signature of ${role} version ${draft.signed.version} by a key that may sign it; was the draft changed after the export?`,
          );
        repository.putDraft(withSignature(draft, found.keyId, found.signature));
        note(self, `signed by ${found.keyId.slice(0, 16)}`);
        tellSigned(self, repository, publishReady(repository));
      });
    },
  );
}

/** Reads an exported payload; refuses one that is not in the form in which it gets signed. */
export function readPayload(bytes: Buffer, path: string): TrustDocument {
  const refused = new CommandError(`${path} is no payload of "sluice trust export-payload"`);
  let signed: { _type?: unknown };
  try {
    signed = JSON.parse(escapeControls(bytes.toString("utf8")));
  } catch {
    throw refused;
  }
  const role = typeof signed?._type === "string" ? signed._type : "";
  const document = readDocument(role, Buffer.from(JSON.stringify({ signed, signatures: [] })));
  if (document === null || !payloadOf(document).equals(bytes)) throw refused;
  return document;
}

function draftOf(role: string, repository: TrustRepository): TrustDocument {
  const draft = repository.draft(role);
  if (draft !== null) return draft;
  const waiting = repository.drafts.map((one) => one.role).join(", ") || "nothing";
  throw new CommandError(
    `there is no draft of "${role}" in ${repository.folder}; waiting: ${waiting}`,
  );
}

import {
  type Assignment,
  directorPayload,
  directorRoleMember,
  encodeDirectorDocument,
} from "../../../src/trust/director-document.ts";
import { type Signer, sha256 } from "../../release/keys/signer.ts";
import type { RootDocument } from "../../release/trust/document.ts";

export interface DirectorQuestion {
  readonly deviceId: string;
  readonly hardware: string;
  /** The device's, checked to be one. */
  readonly nonce: string;
  readonly assignment: Assignment | null;
}

/** How long an answer may be acted on. */
const lifeMs = 60 * 60_000;

/**
 * The document for one device, and the digest that was signed. Its version is the time in seconds:
 * it grows from answer to answer without anything to remember, on every node of a fleet and after a
 * backup was restored. Null when the root names another key for the director.
 */
export async function directorAnswer(
  question: DirectorQuestion,
  root: RootDocument,
  signer: Signer,
  now: number,
): Promise<{ readonly bytes: Uint8Array; readonly digest: string } | null> {
  const { keyids, threshold } = root.signed[directorRoleMember];
  if (threshold !== 1 || !keyids.includes(signer.keyId)) return null;
  const timeUnixMs = Math.floor(now / 1000) * 1000;
  const document = {
    ...question,
    version: timeUnixMs / 1000,
    timeUnixMs,
    expiresUnixMs: timeUnixMs + lifeMs,
  };
  const digest = sha256(directorPayload(document));
  const sig = Buffer.from(await signer.sign(digest)).toString("hex");
  const bytes = encodeDirectorDocument(document, [{ keyid: signer.keyId, sig }]);
  return { bytes, digest: digest.toString("hex") };
}

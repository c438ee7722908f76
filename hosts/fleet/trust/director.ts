import {
  type Assignment,
  directorPayload,
  directorRoleMember,
  encodeDirectorDocument,
} from "../../../src/trust/director-document.ts";
import { type Signer, sha256 } from "../../release/keys/signer.ts";
import type { RootDocument } from "../../release/trust/document.ts";
import type { DirectorTime } from "./director-times.ts";

export interface DirectorQuestion {
  readonly deviceId: string;
  readonly hardware: string;
  /** The device's, checked to be one. */
  readonly nonce: string;
  readonly assignment: Assignment | null;
}

/** How long an answer may be acted on, by the time that it tells. */
const lifeMs = 60 * 60_000;

/**
 * The document for one device, and the digest that was signed. Null when the root names another key
 * for the director.
 */
export async function directorAnswer(
  question: DirectorQuestion,
  root: RootDocument,
  signer: Signer,
  { version, timeUnixMs }: DirectorTime,
): Promise<{ readonly bytes: Uint8Array; readonly digest: string } | null> {
  const { keyids, threshold } = root.signed[directorRoleMember];
  if (threshold !== 1 || !keyids.includes(signer.keyId)) return null;
  const document = {
    ...question,
    version,
    timeUnixMs,
    expiresUnixMs: timeUnixMs + lifeMs,
  };
  const digest = sha256(directorPayload(document));
  const sig = Buffer.from(await signer.sign(digest)).toString("hex");
  const bytes = encodeDirectorDocument(document, [{ keyid: signer.keyId, sig }]);
  return { bytes, digest: digest.toString("hex") };
}

import type { DirectorDocument } from "./director-document.ts";
import { directorBytesMax, parseDirectorSigned } from "./director-document.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";
import type { Role } from "./role.ts";
import { checkSignatures, parseSignedDocument } from "./signed-document.ts";
import type { TrustRules } from "./trust-rules.ts";

/** A server whose clock is this much behind the trusted time is still believed. */
const clockToleranceMs = 5 * 60_000;

/** What a device knows when a director document comes. */
export interface DirectorQuestion {
  /** The role in the trusted root. */
  readonly director: Role;
  readonly deviceId: string;
  readonly hardware: string;
  /** What this device asked with, just now. */
  readonly nonce: string;
  /** The version and the time of what the same director said before; 0 when it said nothing. */
  readonly versionMin: number;
  readonly trustedUnixMs: number;
}

export interface DirectorAnswer {
  readonly document: DirectorDocument;
  /** Never before `trustedUnixMs` of the question. */
  readonly trustedUnixMs: number;
}

/**
 * Whether a document is the director's answer to this question. The signature comes first, what
 * the document says after it.
 */
export function judgeDirector(
  bytes: Uint8Array,
  question: DirectorQuestion,
  rules: TrustRules,
): Verdict<DirectorAnswer> {
  if (bytes.length > directorBytesMax)
    return refused("too-large", `${bytes.length} bytes, at most ${directorBytesMax}`);
  const signed = parseSignedDocument(bytes, rules.limits);
  if (!signed.ok) return signed;
  const unsigned = checkSignatures(signed.value, question.director, { ...rules, memory: null });
  if (unsigned !== null) return unsigned;
  const parsed = parseDirectorSigned(signed.value.signed);
  if (!parsed.ok) return parsed;
  const document = parsed.value;
  if (document.deviceId !== question.deviceId)
    return refused("director-other-device", `it is for the device ${document.deviceId}`);
  if (document.hardware !== question.hardware)
    return refused("director-other-hardware", `it is for the hardware ${document.hardware}`);
  if (document.nonce !== question.nonce)
    return refused("director-replayed", "it answers another question than the one just asked");
  return judgeTime(document, question);
}

function judgeTime(
  document: DirectorDocument,
  question: DirectorQuestion,
): Verdict<DirectorAnswer> {
  const { version, timeUnixMs, expiresUnixMs } = document;
  const text = (unixMs: number): string => new Date(unixMs).toISOString();
  if (version < question.versionMin)
    return refused("director-rollback", `version ${version} after ${question.versionMin}`);
  if (timeUnixMs < question.trustedUnixMs - clockToleranceMs)
    return refused(
      "time-set-back",
      `it says ${text(timeUnixMs)} after ${text(question.trustedUnixMs)}`,
    );
  const trustedUnixMs = Math.max(timeUnixMs, question.trustedUnixMs);
  if (expiresUnixMs <= trustedUnixMs)
    return refused(
      "director-expired",
      `expired ${text(expiresUnixMs)}, it is ${text(trustedUnixMs)}`,
    );
  return accepted({ document, trustedUnixMs });
}

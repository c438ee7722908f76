import { withOnly } from "../image/text-parts.ts";

/** Why something is not trusted. Each word is one rule; reports and logs carry it. */
export const trustRefusals = [
  // the transport
  "network",
  "server-error",
  // what came is not what the server has: no HTTP/1.1, or in a coding
  "response-malformed",
  "content-encoded",
  "metadata-missing",
  "too-large",
  // the form
  "malformed-json",
  "json-too-deep",
  "json-too-many",
  "duplicate-name",
  "malformed-metadata",
  "wrong-type",
  "spec-version",
  "too-many-entries",
  // the trust
  "no-trusted-root",
  "key-id-mismatch",
  "duplicate-key-id",
  "duplicate-signature",
  "too-few-signatures",
  "hash-mismatch",
  "length-mismatch",
  "version-mismatch",
  "version-rollback",
  "role-removed",
  "role-not-in-snapshot",
  "expired",
  // the target
  "target-name",
  "target-not-found",
  "release-facts",
  // the director
  "director-not-named",
  "director-other-device",
  "director-other-hardware",
  "director-replayed",
  "director-rollback",
  "director-expired",
  "time-set-back",
  "nothing-assigned",
  "assignment-mismatch",
  "offer-mismatch",
  "hardware-mismatch",
  "security-counter",
  // the device
  "storage-error",
] as const;

export type TrustRefusal = (typeof trustRefusals)[number];

export interface Refused {
  readonly ok: false;
  readonly reason: TrustRefusal;
  /** For people: what was found, and what is asked for. */
  readonly detail: string;
}

export type Verdict<T> = { readonly ok: true; readonly value: T } | Refused;

const detailCharactersMax = 200;

/** What a file says of itself may be in the detail: it is cut, and its control characters go. */
export function refused(reason: TrustRefusal, detail: string): Refused {
  const text = withOnly(detail.slice(0, detailCharactersMax), " -~");
  return { ok: false, reason, detail: text };
}

export function accepted<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

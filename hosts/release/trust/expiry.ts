import { expiryOf, issuedAt, type TrustDocument } from "./document.ts";

/** half: less than 50 % of its life is left. soon: less than 20 %. */
export type ExpiryLevel = "good" | "half" | "soon" | "expired";

export interface Expiry {
  readonly role: string;
  readonly version: number;
  readonly expiresUnixMs: number;
  /** What is left of the life that the document was signed for, 0 to 100. */
  readonly lifeLeftPercent: number;
  readonly level: ExpiryLevel;
}

const halfPercent = 50;
const soonPercent = 20;
/** A document of another tool does not say when it was signed: this much of a life is assumed. */
const lifeAssumedMs = 365 * 24 * 60 * 60 * 1000;

/** How much of a document's life is left. */
export function expiryLevel(document: TrustDocument, now: number): Expiry {
  const expires = expiryOf(document);
  const life = expires - (issuedAt(document) ?? expires - lifeAssumedMs);
  const left = expires - now;
  const percent = life <= 0 ? 0 : Math.min(100, Math.max(0, (100 * left) / life));
  return {
    role: document.role,
    version: document.signed.version,
    expiresUnixMs: expires,
    lifeLeftPercent: Math.floor(percent),
    level: levelOf(left, percent),
  };
}

/** One line for logs and people; empty while all is good. */
export function describeExpiry({ role, version, expiresUnixMs, ...more }: Expiry): string {
  const when = new Date(expiresUnixMs).toISOString().slice(0, 16).replace("T", " ");
  if (more.level === "good") return "";
  if (more.level === "expired")
    return `${role} version ${version} expired at ${when} UTC: devices install nothing until it is signed again`;
  return `${role} version ${version} expires at ${when} UTC: ${more.lifeLeftPercent} % of its life is left, sign it again`;
}

function levelOf(leftMs: number, percent: number): ExpiryLevel {
  if (leftMs <= 0) return "expired";
  if (percent < soonPercent) return "soon";
  return percent < halfPercent ? "half" : "good";
}

import { type Crypto, digestOf } from "../ports/crypto.ts";
import { type Certificate, keyUsage, parseCertificate, subjectOf } from "./certificate.ts";
import { isSameName } from "./distinguished-name.ts";

/** Why no authority stands behind a certificate, from the mildest. */
export type PathRefusal =
  | "certificate-not-yet-valid"
  | "certificate-expired"
  | "certificate-purpose"
  | "certificate-malformed"
  | "certificate-untrusted"
  | "handshake-too-large";

/**
 * What is between the server's certificate and an enrolled authority, and which authorities are.
 */
export interface PathCandidates {
  /** In DER, in any order, with certificates among them that have nothing to do with it. */
  readonly sent: readonly Uint8Array[];
  readonly authorities: readonly Uint8Array[];
  /** The server's certificate is among the authorities, and needs nobody to vouch for it. */
  readonly isOwnEnrolled: boolean;
  readonly unixMs: number;
  readonly crypto: Crypto;
}

/**
 * A verification takes a chip's processor for some tenths of a second, and a stranger may ask for
 * them.
 */
export const pathSignaturesMax = 16;

/**
 * What keeps a certificate from a path that would do otherwise; the paths without are tried first.
 */
const faults = [
  null,
  "certificate-not-yet-valid",
  "certificate-expired",
  "certificate-purpose",
] as const;

/**
 * Looks for a path from a server's certificate to an enrolled authority (RFC 5280, 6.1) among all
 * that there are (RFC 4158): a certificate may have several issuers of one name, of which one has
 * expired, or has the name alone. Null when one is good. Otherwise the answer is the mildest fault
 * of a path: what would have to change for it to be good, whatever the order of certificates.
 */
export function refusalOfPath(own: Certificate, candidates: PathCandidates): PathRefusal | null {
  const search = new PathSearch(own, candidates);
  for (const [tolerated, fault] of faults.entries())
    if (search.reachesAuthority(tolerated)) return fault;
  if (search.isExhausted) return "handshake-too-large";
  return search.metUnreadable ? "certificate-malformed" : "certificate-untrusted";
}

interface Candidate {
  readonly der: Uint8Array;
  readonly isEnrolled: boolean;
  /** Undefined until it was read; null when it cannot be. */
  certificate?: Certificate | null;
}

class PathSearch {
  readonly #own: Certificate;
  readonly #isOwnEnrolled: boolean;
  readonly #unixMs: number;
  readonly #crypto: Crypto;
  /** The enrolled first: a path is the shorter the earlier it ends. */
  readonly #candidates: readonly Candidate[];
  /** By issuer and certificate: whether the one signed the other. */
  readonly #signed = new Map<number, boolean>();
  #signatures = 0;
  /** A certificate of the right name could not be read, and may have been the one. */
  metUnreadable = false;

  constructor(own: Certificate, candidates: PathCandidates) {
    this.#own = own;
    this.#isOwnEnrolled = candidates.isOwnEnrolled;
    this.#unixMs = candidates.unixMs;
    this.#crypto = candidates.crypto;
    this.#candidates = [
      ...candidates.authorities.map((der) => ({ der, isEnrolled: true })),
      ...candidates.sent.map((der) => ({ der, isEnrolled: false })),
    ];
  }

  /** Signatures were left to be verified. */
  get isExhausted(): boolean {
    return this.#signatures > pathSignaturesMax;
  }

  /**
   * Whether a path leads to an authority with faults up to `tolerated`. What counts of the way to a
   * candidate is how many authorities it has below it: the fewest are kept, and a candidate is left
   * only for such a way. Bounded: that number can only fall, and starts at the number of
   * candidates.
   */
  reachesAuthority(tolerated: number): boolean {
    if (this.#faultOf(this.#own, true) > tolerated) return false;
    if (this.#isOwnEnrolled) return true;
    const fewestBelow = new Map<number, number>();
    const reached: { index: number; certificate: Certificate; below: number }[] = [
      { index: -1, certificate: this.#own, below: 0 },
    ];
    for (const from of reached)
      for (const [index, candidate] of this.#candidates.entries()) {
        const known = fewestBelow.get(index) ?? Number.POSITIVE_INFINITY;
        const issuer = from.below < known ? this.#named(candidate, from.certificate.issuer) : null;
        if (issuer === null || !mayIssue(issuer, from.below)) continue;
        if (this.#faultOf(issuer, false) > tolerated) continue;
        if (!this.#hasSigned(index, issuer, from.index, from.certificate)) continue;
        if (candidate.isEnrolled) return true;
        const isSelfIssued = isSameName(issuer.issuer, issuer.subject);
        const below = from.below + (isSelfIssued ? 0 : 1);
        if (below >= known) continue;
        fewestBelow.set(index, below);
        reached.push({ index, certificate: issuer, below });
      }
    return false;
  }

  /** The index of the certificate's fault among the faults; 0 is none. */
  #faultOf({ notBeforeUnixMs, notAfterUnixMs, extensions }: Certificate, isOwn: boolean): number {
    if (!isOwn && extensions.forServers === false) return 3;
    if (this.#unixMs > notAfterUnixMs) return 2;
    return this.#unixMs < notBeforeUnixMs ? 1 : 0;
  }

  /** The certificate of a candidate that has this name and can be read. */
  #named(candidate: Candidate, name: Uint8Array): Certificate | null {
    const subject = subjectOf(candidate.der);
    if (subject === null || !isSameName(subject, name)) return null;
    if (candidate.certificate === undefined)
      candidate.certificate = parseCertificate(candidate.der);
    this.metUnreadable ||= candidate.certificate === null;
    return candidate.certificate;
  }

  #hasSigned(index: number, issuer: Certificate, ofIndex: number, of: Certificate): boolean {
    const key = index * (this.#candidates.length + 1) + ofIndex + 1;
    const known = this.#signed.get(key);
    if (known !== undefined) return known;
    this.#signatures += 1;
    if (this.isExhausted) return false;
    const digest = digestOf(this.#crypto, of.signedBytes);
    const isValid = this.#crypto.verifyP256(issuer.publicKey, digest, of.signature);
    this.#signed.set(key, isValid);
    return isValid;
  }
}

/** Whether a certificate may issue others, with so many authorities between it and the server's. */
function mayIssue({ extensions }: Certificate, authoritiesBelow: number): boolean {
  const { isAuthority, authoritiesBelowMax, keyUsage: usage } = extensions;
  if (!isAuthority || authoritiesBelow > authoritiesBelowMax) return false;
  return usage === null || (usage & keyUsage.keyCertSign) !== 0;
}

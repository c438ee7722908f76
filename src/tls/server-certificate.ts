import { digits, isOf } from "../image/text-parts.ts";
import { type Crypto, digestOf } from "../ports/crypto.ts";
import { type Certificate, isEqual, keyUsage, parseCertificate } from "./certificate.ts";

/** Why a server is not the one that was asked for. */
export type CertificateRefusal =
  /** No certificate, or not one of a P-256 key that this device can read. */
  | "certificate-malformed"
  /** No enrolled authority stands behind it. */
  | "certificate-untrusted"
  | "certificate-expired"
  | "certificate-not-yet-valid"
  /** It is another server's. */
  | "certificate-name"
  /** It is not meant for a server. */
  | "certificate-purpose"
  /** Without the time nobody can say whether a certificate is still good. */
  | "clock-unknown";

export interface ServerTrust {
  /** Certificates in DER of which one must have issued the server's, or be it. */
  readonly authorities: readonly Uint8Array[];
  /** The host of the address: a name, or an IPv4 address. */
  readonly serverName: string;
  /** Null while the device does not know the time. */
  readonly unixMs: number | null;
  readonly crypto: Crypto;
}

export type ServerJudgement =
  | { readonly ok: true; readonly publicKey: Uint8Array }
  | { readonly ok: false; readonly reason: CertificateRefusal };

/** Certificates in a server's chain: its own, two authorities, and the enrolled one, if it sends it. */
export const chainCertificatesMax = 4;

/**
 * Judges the chain that a server sent, its own certificate first (RFC 5280, 6): each is issued by
 * the next, the last by an enrolled authority, all are valid now, and the first names the server. The
 * order of the checks is that of what an operator would look at first.
 */
export function judgeServer(chain: readonly Uint8Array[], trust: ServerTrust): ServerJudgement {
  if (trust.unixMs === null) return refused("clock-unknown");
  const certificates: Certificate[] = [];
  for (const der of chain.slice(0, chainCertificatesMax)) {
    const certificate = parseCertificate(der);
    if (certificate === null) break; // what is behind it can only be reached through it
    certificates.push(certificate);
  }
  const [own] = certificates;
  const ownDer = chain[0];
  if (own === undefined || ownDer === undefined) return refused("certificate-malformed");
  const path = pinned(ownDer, trust) ? [own] : pathFrom(certificates, trust);
  if (path === null) return refused("certificate-untrusted");
  for (const { notBeforeUnixMs, notAfterUnixMs } of path) {
    if (trust.unixMs > notAfterUnixMs) return refused("certificate-expired");
    if (trust.unixMs < notBeforeUnixMs) return refused("certificate-not-yet-valid");
  }
  if (!isFor(own, trust.serverName)) return refused("certificate-name");
  if (!isServers(own)) return refused("certificate-purpose");
  return { ok: true, publicKey: own.publicKey };
}

/** A server whose certificate was itself enrolled needs nobody to vouch for it. */
function pinned(der: Uint8Array, { authorities }: ServerTrust): boolean {
  return authorities.some((authority) => isEqual(authority, der));
}

/** From the server's certificate to the enrolled authority, both included; null for no such way. */
function pathFrom(chain: readonly Certificate[], trust: ServerTrust): Certificate[] | null {
  const path: Certificate[] = [];
  for (const [index, certificate] of chain.entries()) {
    path.push(certificate);
    for (const der of trust.authorities) {
      const authority = parseCertificate(der);
      if (authority !== null && hasIssued(authority, certificate, index, trust.crypto))
        return [...path, authority];
    }
    const next = chain[index + 1];
    if (next === undefined || !hasIssued(next, certificate, index, trust.crypto)) return null;
  }
  return null;
}

/** `authoritiesBelow` of the issuer's path length are used up by the authorities under it. */
function hasIssued(
  issuer: Certificate,
  certificate: Certificate,
  authoritiesBelow: number,
  crypto: Crypto,
): boolean {
  const { isAuthority, authoritiesBelowMax, keyUsage: usage } = issuer.extensions;
  if (!isAuthority || authoritiesBelow > authoritiesBelowMax) return false;
  if (usage !== null && (usage & keyUsage.keyCertSign) === 0) return false;
  if (!isEqual(issuer.subject, certificate.issuer)) return false;
  const digest = digestOf(crypto, certificate.signedBytes);
  return crypto.verifyP256(issuer.publicKey, digest, certificate.signature);
}

/** Four numbers with dots between them. */
function isAddress(serverName: string): boolean {
  const numbers = serverName.split(".");
  return (
    numbers.length === 4 && numbers.every((number) => isOf(number, digits, 1, serverName.length))
  );
}

/** An address is compared with addresses, a name with names (RFC 9525, 6.3 and 6.5). */
function isFor({ extensions }: Certificate, serverName: string): boolean {
  if (isAddress(serverName)) return extensions.ipAddresses.includes(serverName);
  const wanted = serverName.toLowerCase();
  const parent = wanted.slice(wanted.indexOf(".") + 1);
  // `*.` stands for exactly one label, and not right below a top-level domain.
  const wildcard = parent.includes(".") ? `*.${parent}` : null;
  return extensions.dnsNames.some((name) => name === wanted || name === wildcard);
}

function isServers({ extensions }: Certificate): boolean {
  const { forServers, keyUsage: usage } = extensions;
  return forServers !== false && (usage === null || (usage & keyUsage.digitalSignature) !== 0);
}

function refused(reason: CertificateRefusal): ServerJudgement {
  return { ok: false, reason };
}

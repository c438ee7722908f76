import type { Crypto } from "../ports/crypto.ts";
import { type Certificate, isEqual, keyUsage, parseCertificate } from "./certificate.ts";
import { type PathRefusal, refusalOfPath } from "./certificate-path.ts";
import { isNamed } from "./server-name.ts";

/** Why a server is not the one that was asked for. */
export type CertificateRefusal =
  /** No enrolled authority stands behind it, or not today. */
  | PathRefusal
  /** The certificate is another server's. */
  | "certificate-name"
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

/**
 * Certificates that a server may send: a path of five, and as many that have nothing to do with it.
 * What a device holds of them is bounded by `messageBytesMax` besides.
 */
export const chainCertificatesMax = 10;

/**
 * Judges the chain that a server sent. Its own certificate stands first, the others in any order,
 * with others among them: a path leads from it to an enrolled authority, everything on that path is
 * valid now, and the first names the server. The order of the checks is that of what an operator
 * would look at first.
 */
export function judgeServer(chain: readonly Uint8Array[], trust: ServerTrust): ServerJudgement {
  const { unixMs, authorities, serverName, crypto } = trust;
  if (unixMs === null) return refused("clock-unknown");
  if (chain.length > chainCertificatesMax) return refused("handshake-too-large");
  const [ownDer = new Uint8Array(0), ...sent] = chain;
  const own = parseCertificate(ownDer);
  if (own === null) return refused("certificate-malformed");
  // A server whose certificate was itself enrolled needs nobody to vouch for it.
  const isOwnEnrolled = authorities.some((authority) => isEqual(authority, ownDer));
  const refusal = refusalOfPath(own, { sent, authorities, isOwnEnrolled, unixMs, crypto });
  if (refusal !== null) return refused(refusal);
  if (!isNamed(own, serverName)) return refused("certificate-name");
  if (!isServers(own)) return refused("certificate-purpose");
  return { ok: true, publicKey: own.publicKey };
}

function isServers({ extensions }: Certificate): boolean {
  const { forServers, keyUsage: usage } = extensions;
  return forServers !== false && (usage === null || (usage & keyUsage.digitalSignature) !== 0);
}

function refused(reason: CertificateRefusal): ServerJudgement {
  return { ok: false, reason };
}

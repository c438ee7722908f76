import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

/** With what the server proves itself, in PEM. */
export interface FleetTls {
  /**
   * The server's certificate and those of the authorities between it and the one that devices
   * enrol.
   */
  readonly certificate: string;
  readonly key: string;
  /**
   * Devices must show a certificate of one of these, which names them; tokens alone do when absent.
   */
  readonly clientAuthorities?: string;
  /** A device's certificate is enough: it needs no token beside it. False when absent. */
  readonly certificateIsEnough?: boolean;
  /**
   * Common names of certificates that may speak for any device, with a gateway's token beside them.
   */
  readonly gatewayNames?: readonly string[];
}

/** What is wrong with it, or null. */
export function tlsProblem({ certificate, key, clientAuthorities }: FleetTls): string | null {
  try {
    createSecureContext({ cert: certificate, key, ca: clientAuthorities });
    if (clientAuthorities !== undefined) new X509Certificate(clientAuthorities);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The SDK's TLS reads certificates of P-256 keys alone; others serve browsers and commands. */
export function isReadByDevices({ certificate }: FleetTls): boolean {
  const { asymmetricKeyDetails } = new X509Certificate(certificate).publicKey;
  return asymmetricKeyDetails?.namedCurve === "prime256v1";
}

/**
 * For node's server. Client certificates are asked for and not insisted on: commands and browsers,
 * which have none, use the same port; the device API insists.
 */
export function serverTls({ certificate, key, clientAuthorities }: FleetTls) {
  return {
    cert: certificate,
    key,
    minVersion: "TLSv1.2",
    ...(clientAuthorities === undefined
      ? {}
      : { ca: clientAuthorities, requestCert: true, rejectUnauthorized: false }),
  } as const;
}

import type { PeerCertificate, TLSSocket } from "node:tls";
import type { FastifyRequest } from "fastify";
import type { FleetTls } from "../../access/tls-options.ts";
import { limits } from "../../terms/limits.ts";
import { cutText, oneLine } from "../../terms/texts.ts";
import type { Problem } from "./answers.ts";

/** What the server asks of the certificates of its clients; null when it asks for none. */
export interface CertificateRules {
  readonly isEnough: boolean;
  readonly gatewayNames: ReadonlySet<string>;
}

export function certificateRules(tls: FleetTls | null): CertificateRules | null {
  if (tls?.clientAuthorities === undefined) return null;
  const { certificateIsEnough: isEnough = false, gatewayNames = [] } = tls;
  return { isEnough, gatewayNames: new Set(gatewayNames) };
}

/** Whom a certificate lets a request speak for. */
export type Shown =
  | { readonly ok: true; readonly by: "device" | "gateway" }
  | { readonly ok: false; readonly problem: Problem };

/**
 * A certificate is the identity of the one device whose id is its common name (RFC 5280, 4.1.2.6);
 * that of a gateway is named to the server. Node judged in the handshake whether one of the
 * authorities issued it; a session that is taken up again has that judgement and that certificate,
 * whatever is shown with it. The certificate's end is looked at here, since connections and
 * sessions outlive it.
 */
export function judgeCertificate(
  rules: CertificateRules,
  request: FastifyRequest,
  nowUnixMs: number,
): Shown {
  const { socket } = request.raw;
  if (!("authorized" in socket) || socket.authorized !== true) return refused(noCertificate);
  // Null once the connection is gone.
  const certificate: PeerCertificate | null = (socket as TLSSocket).getPeerCertificate();
  // Two names in one certificate are a list, which is nobody's id.
  const name: unknown = certificate?.subject?.CN;
  const validTo = certificate?.valid_to ?? "";
  if (nowUnixMs > Date.parse(validTo)) return refused(expired(validTo));
  const { deviceId = "" } = request.params as Record<string, string>;
  if (typeof name === "string" && name === deviceId) return { ok: true, by: "device" };
  if (typeof name === "string" && rules.gatewayNames.has(name)) return { ok: true, by: "gateway" };
  const whose = typeof name === "string" ? shown(name) : "nobody's";
  return refused({
    status: 403,
    exceptionClass: "RequestRefused",
    errorCode: "sluice.error.certificateOfAnother",
    message: `The certificate is of ${whose} and the request speaks for ${shown(deviceId)}: use the certificate whose common name is the device's id`,
  });
}

const noCertificate: Problem = {
  status: 403,
  exceptionClass: "RequestRefused",
  errorCode: "sluice.error.certificateMissing",
  message: "Show a client certificate that one of the server's client authorities issued",
};

function expired(validTo: string): Problem {
  return {
    status: 403,
    exceptionClass: "RequestRefused",
    errorCode: "sluice.error.certificateExpired",
    message: `The certificate was valid until ${validTo}: connect anew, with one that is valid`,
  };
}

function refused(problem: Problem): Shown {
  return { ok: false, problem };
}

function shown(name: string): string {
  return JSON.stringify(cutText(oneLine(name), limits.deviceIdCharactersMax));
}

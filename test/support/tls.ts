import {
  type CertificateOptions,
  certificatePem,
  type Identity,
  issueCertificate,
  privateKeyNumber,
  privateKeyPem,
} from "../../hosts/release/certificates.ts";
import type { TlsCredentials } from "../../src/tls/credentials.ts";

const dayMs = 86_400_000;

/** Around the real time and that of simulated devices, which live a little later. */
const valid = {
  notBeforeUnixMs: Date.now() - dayMs,
  notAfterUnixMs: Date.now() + 3650 * dayMs,
};

export const expired = {
  notBeforeUnixMs: Date.now() - 2 * dayMs,
  notAfterUnixMs: Date.now() - dayMs,
};

export const authority = issueCertificate({
  commonName: "Fleet authority",
  purpose: "authority",
  ...valid,
});
export const otherAuthority = issueCertificate({
  commonName: "Fleet authority", // the same name, another key
  purpose: "authority",
  ...valid,
});

export function certificate(options: Partial<CertificateOptions> = {}): Identity {
  return issueCertificate({
    commonName: "a server",
    purpose: "server",
    hosts: ["127.0.0.1", "fleet.test"],
    issuer: authority,
    ...valid,
    ...options,
  });
}

/** What node's servers take: the certificate, and the others of the chain behind it. */
export function served(own: Identity, ...chain: readonly Identity[]) {
  const pems = [own, ...chain].map((identity) => certificatePem(identity.certificate));
  return { cert: pems.join(""), key: privateKeyPem(own) };
}

/** A server that speaks only to devices with a certificate of the authority. */
export function servedToDevices(own: Identity) {
  const ca = certificatePem(authority.certificate);
  return { ...served(own, authority), ca, requestCert: true, rejectUnauthorized: true };
}

export const withoutClient: TlsCredentials = {
  authorities: [authority.certificate],
  client: null,
};

export function withClient(issuer: Identity = authority, commonName = "a device"): TlsCredentials {
  const own = certificate({ commonName, purpose: "client", hosts: [], issuer });
  return {
    ...withoutClient,
    client: { certificates: [own.certificate], privateKey: privateKeyNumber(own) },
  };
}

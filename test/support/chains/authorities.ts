import {
  type CertificateOptions,
  type ExtensionOptions,
  element,
  type Identity,
  issueCertificate,
  objectId,
  objectIds,
} from "../../../hosts/release/certificates.ts";
import { certificate } from "../tls.ts";

const dayMs = 86_400_000;
export const valid = {
  notBeforeUnixMs: Date.now() - dayMs,
  notAfterUnixMs: Date.now() + 30 * dayMs,
};
export const tomorrow = {
  notBeforeUnixMs: Date.now() + dayMs,
  notAfterUnixMs: Date.now() + 30 * dayMs,
};

/** An authority below the root, or below another. */
export function between(commonName: string, options: Partial<CertificateOptions> = {}): Identity {
  return certificate({ commonName, purpose: "authority", hosts: [], ...options });
}

export function rootOf(commonName: string, options: Partial<CertificateOptions> = {}): Identity {
  const { notBeforeUnixMs, notAfterUnixMs } = { ...valid, ...options };
  return issueCertificate({
    commonName,
    purpose: "authority",
    ...options,
    notBeforeUnixMs,
    notAfterUnixMs,
  });
}

/** Another certificate of the same key: renewed, cross-signed, or of another name. */
export const again = (identity: Identity, options: Partial<CertificateOptions> = {}): Identity =>
  between("", { subject: identity.subject, privateKey: identity.privateKey, ...options });

export const rootAgain = (
  identity: Identity,
  options: Partial<CertificateOptions> = {},
): Identity =>
  rootOf("", { subject: identity.subject, privateKey: identity.privateKey, ...options });

export const by = (issuer: Identity, options: Partial<CertificateOptions> = {}): Identity =>
  certificate({ issuer, ...options });

export const usage = (bits: number): ExtensionOptions => ({
  id: objectIds.keyUsage,
  critical: true,
  value: element(0x03, Uint8Array.of(0, bits)),
});
export const noUsage: ExtensionOptions = { id: objectIds.keyUsage, value: null };
export const anyPurpose = [0x55, 0x1d, 0x25, 0x00];
export const purposes = (...ids: readonly (readonly number[])[]): ExtensionOptions => ({
  id: objectIds.extendedKeyUsage,
  value: element(0x30, ...ids.map((id) => objectId(id))),
});
export const noPurposes: ExtensionOptions = { id: objectIds.extendedKeyUsage, value: null };
export const unknown = (critical: boolean): ExtensionOptions => ({
  id: [0x55, 0x1d, 0x63],
  critical,
  value: element(0x05),
});
export const policies: ExtensionOptions = {
  id: [0x55, 0x1d, 0x20],
  critical: true,
  value: element(0x30, element(0x30, objectId([0x2a, 3, 4]))),
};
/** Of names below `.test`. */
export const nameConstraints: ExtensionOptions = {
  id: [0x55, 0x1d, 0x1e],
  critical: true,
  value: element(0x30, element(0xa0, element(0x30, element(0x82, Buffer.from("test"))))),
};
export const notAuthority: ExtensionOptions = {
  id: objectIds.basicConstraints,
  critical: true,
  value: element(0x30),
};

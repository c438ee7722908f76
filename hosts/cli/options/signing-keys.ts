import type { TrustedImageKey } from "../../../src/image/keys.ts";
import { type KeyRefusal, trustedKeyFromPem } from "../../release/pem-keys.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readText } from "../command/files.ts";

/** The public keys of an option to verify with, all of one algorithm. */
export function readTrustedKeys(option: string, paths: readonly string[]): TrustedImageKey[] {
  const keys = paths.map((path) => readPublicKey(option, path).key);
  if (new Set(keys.map((key) => key.algorithm)).size > 1)
    throw new CommandError("the keys are of two algorithms; a bootloader knows only one of them");
  return keys;
}

/**
 * The public key in the file of an option. A private one is refused, though its public half is in
 * it: whoever checks needs no means to sign, and a key that signs is seen where it has no business.
 */
export function readPublicKey(
  option: string,
  path: string,
): { readonly pem: string; readonly key: TrustedImageKey } {
  const pem = readText(path, `the key of ${option}`);
  if (holdsPrivateKey(pem))
    throw new CommandError(
      `${option} ${path} holds a private key, which signs: give its public half, which "sluice keys public ${path} --out FILE" writes`,
      exitCodes.usage,
    );
  if (holdsCertificate(pem))
    throw new CommandError(
      `${option} ${path} holds a certificate, not a public key: "openssl x509 -in ${path} -noout -pubkey" tells the key in it`,
      exitCodes.usage,
    );
  const found = trustedKeyFromPem(pem);
  if (found.ok) return { pem, key: found.key };
  if (found.reason !== "not-a-key") throw unusableKey(path, found.reason);
  throw new CommandError(
    `${option} ${path} holds no key in PEM: give a public key, which "sluice keys public PEM --out FILE" writes`,
    exitCodes.usage,
  );
}

/** The same for what only a P-256 key is good for: its uncompressed point. */
export function readPublicPoint(option: string, path: string): Uint8Array {
  const { key } = readPublicKey(option, path);
  if (key.algorithm === "ecdsa-p256") return key.publicKey;
  throw unusableKey(path, "not-p256");
}

/** Refuses the text of an option's file that holds no private key, and says what it holds. */
export function refuseWithoutPrivateKey(option: string, path: string, pem: string): void {
  if (holdsPrivateKey(pem)) return;
  const isPublic = /-----BEGIN [A-Z ]*PUBLIC KEY-----/.test(pem);
  const what = isPublic
    ? "a public key"
    : holdsCertificate(pem)
      ? "a certificate"
      : "no key in PEM";
  throw new CommandError(
    `${option} ${path} holds ${what}: give the file of the private key`,
    exitCodes.usage,
  );
}

export function unusableKey(path: string, reason: KeyRefusal): CommandError {
  const explanations: Readonly<Record<KeyRefusal, string>> = {
    "not-a-key": 'it is no PEM of such a key; make one with "sluice keys create --out FILE"',
    encrypted: 'it is encrypted; give its public half, which "sluice keys public" writes',
    "not-p256": "it is no ECDSA P-256 key, the only kind that the bootloader verifies",
  };
  return new CommandError(`cannot use the key ${path}: ${explanations[reason]}`);
}

function holdsPrivateKey(pem: string): boolean {
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem);
}

function holdsCertificate(pem: string): boolean {
  return /-----BEGIN [A-Z ]*CERTIFICATE-----/.test(pem);
}

import type { KeyObject } from "node:crypto";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { signerFromKey, trustedKeyFromPem } from "../pem-keys.ts";
import type { SignerAddress } from "./address.ts";
import { decryptPrivateKey, isEncryptedPem } from "./encrypted-key.ts";
import { commandSigner, pkcs11PublicKey, pkcs11Signer } from "./external-signer.ts";
import { publicPemOf, type Signer, tufKeyId } from "./signer.ts";

/** What opening a signer may need besides its address. */
export interface SignerMeans {
  /** The public half, where it is known already; a command cannot tell it. */
  readonly publicKey: Uint8Array | null;
  /** Asked only when a key or token needs one; `what` is for the prompt. */
  passphrase(what: string): Promise<string>;
}

/**
 * `not-a-key`, `not-p256`: see pem-keys. `wrong-passphrase`: or a
 * damaged file, which cannot be told apart. `public-key-needed`: of a command. `other-key`: the
 * file holds another key than the known public half.
 */
export type OpenRefusal =
  | "not-a-key"
  | "not-p256"
  | "wrong-passphrase"
  | "public-key-needed"
  | "other-key";

export type OpenedSigner =
  | { readonly ok: true; readonly signer: Signer }
  | { readonly ok: false; readonly reason: OpenRefusal; readonly message: string };

/**
 * Opens what an address names. Throws `SignerError` when a token cannot be asked, and errors of the
 * file system as they are.
 */
export async function openSigner(
  address: Exclude<SignerAddress, { kind: "keyring" }>,
  means: SignerMeans,
): Promise<OpenedSigner> {
  switch (address.kind) {
    case "file":
      return openFile(address.path, means);
    case "command":
      if (means.publicKey === null)
        return refuse(
          "public-key-needed",
          `the public key of the command "${address.command}" is not known; give it with --signer-public PEM`,
        );
      return { ok: true, signer: commandSigner(address.command, means.publicKey) };
    case "pkcs11": {
      const publicKey = means.publicKey ?? (await pkcs11PublicKey(address));
      const pin =
        address.pinFile === null
          ? await means.passphrase(`the PIN of the token "${address.token}"`)
          : readFileSync(address.pinFile, "utf8").replace(/\r?\n$/, "");
      return { ok: true, signer: pkcs11Signer(address, publicKey, pin) };
    }
    default:
      return address satisfies never;
  }
}

async function openFile(path: string, means: SignerMeans): Promise<OpenedSigner> {
  const pem = readFileSync(path, "utf8");
  const read = await readPrivateKey(pem, path, means);
  if (!read.ok) return read;
  const found = signerFromKey(read.key);
  if (!found.ok)
    return refuse("not-p256", `${path} is no ECDSA P-256 key, the only kind that devices verify`);
  const { publicKey } = found.signer;
  if (means.publicKey !== null && publicPemOf(publicKey) !== publicPemOf(means.publicKey))
    return refuse("other-key", `${path} holds another key than its entry in the keyring says`);
  const facts = { keyId: tufKeyId(publicKey), label: `the key in ${path}` };
  return { ok: true, signer: { ...found.signer, ...facts } };
}

async function readPrivateKey(
  pem: string,
  path: string,
  means: SignerMeans,
): Promise<{ ok: true; key: KeyObject } | Extract<OpenedSigner, { ok: false }>> {
  if (isEncryptedPem(pem)) {
    const key = decryptPrivateKey(pem, await means.passphrase(`the passphrase of ${path}`));
    if (key !== null) return { ok: true, key };
    return refuse("wrong-passphrase", `the passphrase does not open ${path}, or it is damaged`);
  }
  try {
    return { ok: true, key: createPrivateKey(pem) };
  } catch {
    if (trustedKeyFromPem(pem).ok)
      return refuse(
        "not-a-key",
        `cannot sign with ${path}: it holds ${/-----BEGIN [A-Z ]*CERTIFICATE-----/.test(pem) ? "a certificate" : "a public key"}; give the file of its private half`,
      );
    // OpenSSL tells only which of its parsers gave up last.
    return refuse(
      "not-a-key",
      `cannot use the key ${path}: it is no PEM of such a key; make one with "sluice keys create --out FILE"`,
    );
  }
}

function refuse(reason: OpenRefusal, message: string): Extract<OpenedSigner, { ok: false }> {
  return { ok: false, reason, message };
}

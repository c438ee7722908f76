import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { encodePublicKey, type TrustedImageKey } from "../../src/image/keys.ts";
import { signatureToDer } from "../../src/image/signature.ts";
import type { ImageSigner } from "../../src/image/writer.ts";

/**
 * `not-a-key`: no PEM of a private (or public) key. `encrypted`: a PEM with a passphrase, which
 * keys/open-signer.ts opens. `not-p256`: a key of another algorithm or curve; MCUboot here verifies
 * ECDSA on P-256.
 */
export type KeyRefusal = "not-a-key" | "encrypted" | "not-p256";

export interface KeyPairPem {
  /** PKCS#8. */
  readonly privatePem: string;
  /** SubjectPublicKeyInfo. */
  readonly publicPem: string;
}

/** A new P-256 key pair. */
export function createKeyPair(): KeyPairPem {
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return { privatePem: privatePem(pair.privateKey), publicPem: publicPem(pair.publicKey) };
}

/**
 * A signer that holds its key in this process. Signatures are deterministic (RFC 6979), so that the
 * same release signed twice has the same bytes.
 */
export function signerFromPem(
  pem: string,
): { ok: true; signer: ImageSigner } | { ok: false; reason: KeyRefusal } {
  const parsed = parse(() => createPrivateKey(pem), pem);
  return parsed.ok ? signerFromKey(parsed.key) : parsed;
}

/** The same from a private key that was read, and perhaps decrypted, already. */
export function signerFromKey(
  privateKey: KeyObject,
): { ok: true; signer: ImageSigner } | { ok: false; reason: "not-p256" } {
  const key = publicHalf(privateKey);
  if (key?.algorithm !== "ecdsa-p256") return { ok: false, reason: "not-p256" };
  const { d } = privateKey.export({ format: "jwk" });
  if (d === undefined) return { ok: false, reason: "not-p256" };
  const secret = Buffer.from(d, "base64url");
  const sign = async (digest: Uint8Array): Promise<Uint8Array> =>
    signatureToDer(p256.sign(digest, secret, { prehash: false, lowS: false }));
  return { ok: true, signer: { publicKey: key.publicKey, sign } };
}

/**
 * The key that verifies: from a public PEM, or from the public half of a private one. P-256 or
 * Ed25519.
 */
export function trustedKeyFromPem(
  pem: string,
): { ok: true; key: TrustedImageKey } | { ok: false; reason: KeyRefusal } {
  const parsed = parse(() => createPublicKey(pem), pem);
  if (!parsed.ok) return parsed;
  const key = publicHalf(parsed.key);
  return key === null ? { ok: false, reason: "not-p256" } : { ok: true, key };
}

/** The public half of a private or public PEM, as SubjectPublicKeyInfo. */
export function publicPemFromPem(
  pem: string,
): { ok: true; publicPem: string } | { ok: false; reason: KeyRefusal } {
  const trusted = trustedKeyFromPem(pem);
  return trusted.ok ? { ok: true, publicPem: publicPemOfKey(trusted.key) } : trusted;
}

/**
 * What verifies, of a public or private key: null unless it is on P-256 or Ed25519. However the
 * file holds the point (compressed, hybrid or not at all, with the curve's name or its numbers),
 * the key has one form.
 */
export function publicHalf(key: KeyObject): TrustedImageKey | null {
  if (key.asymmetricKeyType !== "ec" && key.asymmetricKeyType !== "ed25519") return null;
  try {
    const { crv, x = "", y = "" } = key.export({ format: "jwk" });
    const numbers = [Buffer.from(x, "base64url"), Buffer.from(y, "base64url")];
    if (crv === "Ed25519") return { algorithm: "ed25519", publicKey: new Uint8Array(numbers[0]!) };
    if (crv !== "P-256" || numbers.some(({ length }) => length !== 32)) return null;
    return {
      algorithm: "ecdsa-p256",
      publicKey: new Uint8Array(Buffer.concat([Buffer.of(4), ...numbers])),
    };
  } catch {
    return null; // a curve that has no such form
  }
}

/** SubjectPublicKeyInfo in PEM, with the whole point. */
export function publicPemOfKey(key: TrustedImageKey): string {
  const der = Buffer.from(encodePublicKey(key));
  return publicPem(createPublicKey({ key: der, format: "der", type: "spki" }));
}

function parse(
  read: () => KeyObject,
  pem: string,
): { ok: true; key: KeyObject } | { ok: false; reason: KeyRefusal } {
  if (/ENCRYPTED/.test(pem)) return { ok: false, reason: "encrypted" };
  try {
    return { ok: true, key: read() };
  } catch {
    return { ok: false, reason: "not-a-key" }; // OpenSSL tells only which of its parsers gave up last
  }
}

function privatePem(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

function publicPem(key: KeyObject): string {
  return key.export({ format: "pem", type: "spki" }).toString();
}

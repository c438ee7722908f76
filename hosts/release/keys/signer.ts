import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { canonicalize } from "@tufjs/canonical-json";
import {
  derSequenceBytes,
  signatureFromDer,
  signatureToDer,
} from "../../../src/image/signature.ts";
import type { ImageSigner } from "../../../src/image/writer.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { publicHalf, publicPemOfKey } from "../pem-keys.ts";

/**
 * Whoever can sign a digest: a file, a token, another machine. The same signers sign images
 * (MCUboot TLV) and metadata (TUF): ECDSA on P-256 over a SHA-256 digest, answered as the DER of r
 * and s.
 */
export interface Signer extends ImageSigner {
  /** The id of the key, as TUF names it. */
  readonly keyId: string;
  /** For messages: "the key in keys/root-1.pem". */
  readonly label: string;
  /** Ends what it has asked of others and still waits for. */
  end?(): void;
}

/**
 * `refused`: the token or command answered with an error. `not-a-signature`: its answer is none.
 * `wrong-key`: it is one by another key. `unavailable`: the program is missing or hangs.
 */
export type SignerFailure = "refused" | "not-a-signature" | "wrong-key" | "unavailable";

/** An expected failure of something outside this process; the message says what to do next. */
export class SignerError extends Error {
  override readonly name = "SignerError";
  readonly reason: SignerFailure;

  constructor(reason: SignerFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** TUF 1.0.34 4.2: keys as metadata has them. */
export interface TufKey {
  readonly keytype: "ecdsa";
  readonly scheme: "ecdsa-sha2-nistp256";
  readonly keyval: { readonly public: string };
}

/** `publicKey` is the uncompressed point. */
export function tufKey(publicKey: Uint8Array): TufKey {
  return {
    keytype: "ecdsa",
    scheme: "ecdsa-sha2-nistp256",
    keyval: { public: publicPemOf(publicKey) },
  };
}

/** TUF 1.0.34 4.2: the SHA-256 of the canonical form of the key, in hex. */
export function tufKeyId(publicKey: Uint8Array): string {
  return createHash("sha256")
    .update(canonicalize(tufKey(publicKey)))
    .digest("hex");
}

/** SubjectPublicKeyInfo PEM of an uncompressed point. */
export function publicPemOf(publicKey: Uint8Array): string {
  return publicPemOfKey({ algorithm: "ecdsa-p256", publicKey });
}

/** The uncompressed point in the DER of a SubjectPublicKeyInfo, or null for another kind of key. */
export function pointOfSpki(der: Uint8Array): Uint8Array | null {
  return pointOf(() => createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" }));
}

/** The uncompressed point of a public key in PEM, or null. */
export function pointOfPem(pem: string): Uint8Array | null {
  return pointOf(() => createPublicKey(pem));
}

function pointOf(read: () => KeyObject): Uint8Array | null {
  try {
    const key = publicHalf(read());
    return key?.algorithm === "ecdsa-p256" ? key.publicKey : null;
  } catch {
    return null; // whatever is wrong with it: no public key
  }
}

/**
 * The signature in what a command or token printed: DER or r and s in 64 bytes, as they are, in
 * base64 or in hex. Null when it is none of these.
 */
export function signatureFromAnswer(answer: Uint8Array): Uint8Array | null {
  const plain = derOf(answer);
  if (plain !== null) return plain;
  const text = Buffer.from(answer).toString("latin1").replaceAll(/\s+/g, "");
  if (/^[0-9a-fA-F]+$/.test(text) && text.length % 2 === 0) {
    const fromHex = derOf(Buffer.from(text, "hex"));
    if (fromHex !== null) return fromHex;
  }
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? derOf(Buffer.from(text, "base64")) : null;
}

/** Refuses what is no signature of the digest by the key; answers it as DER. */
export function checkedSignature(
  answer: Uint8Array,
  digest: Uint8Array,
  signer: { readonly publicKey: Uint8Array; readonly label: string },
): Uint8Array {
  const der = signatureFromAnswer(answer);
  if (der === null)
    throw new SignerError(
      "not-a-signature",
      `${signer.label} answered ${answer.length} bytes that are no ECDSA signature; it must be DER or r and s, raw, in base64 or in hex`,
    );
  if (isSignatureBy(signer.publicKey, digest, der)) return der;
  throw new SignerError(
    "wrong-key",
    `${signer.label} answered a signature that its public key does not verify; check that both belong together`,
  );
}

/** Does this DER sign the digest? Malformed input answers false. */
export function isSignatureBy(
  publicKey: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const decoded = signatureFromDer(signature);
  return decoded.ok && nobleCrypto.verifyP256(publicKey, digest, decoded.raw);
}

export function sha256(bytes: Uint8Array | string): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function derOf(bytes: Uint8Array): Uint8Array | null {
  if (derSequenceBytes(bytes) === bytes.length && signatureFromDer(bytes).ok) return bytes;
  if (bytes.length !== 64) return null;
  try {
    return signatureToDer(bytes);
  } catch {
    return null; // r or s is 0: no signature
  }
}

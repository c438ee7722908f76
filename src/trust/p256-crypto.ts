import { decodePublicKey } from "../image/keys.ts";
import { signatureFromDer } from "../image/signature.ts";
import { isOf } from "../image/text-parts.ts";
import type { Crypto } from "../ports/crypto.ts";
import type { TrustCrypto } from "./trust-crypto.ts";

/**
 * What a device verifies metadata with: ECDSA on P-256 over SHA-256, the key in PEM (clause 4.2.2,
 * `ecdsa-sha2-nistp256`), the signature in DER.
 */
export function p256TrustCrypto(crypto: Crypto): TrustCrypto {
  const own: TrustCrypto = {
    hasher: (algorithm) => (algorithm === "sha256" ? crypto.sha256() : null),
    verify(key, payload, signature) {
      if (!keyTypes.includes(key.keyType) || key.scheme !== scheme) return false;
      const der = decodePem(key.public);
      const point = der === null ? null : decodePublicKey(der);
      const raw = signatureFromDer(signature);
      if (point?.algorithm !== "ecdsa-p256" || !raw.ok) return false;
      return crypto.verifyP256(point.publicKey, payload.sha256(own), raw.raw);
    },
  };
  return own;
}

/** The second is what older metadata calls it. */
const keyTypes: readonly string[] = ["ecdsa", "ecdsa-sha2-nistp256"];
const scheme = "ecdsa-sha2-nistp256";
/** The PEM of a P-256 key has 178. */
const pemCharactersMax = 512;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const pemHead = "-----BEGIN PUBLIC KEY-----";
const pemEnd = "-----END PUBLIC KEY-----";

/** Base64 without white space and padding; null for anything else. */
function contentOfPem(pem: string): string | null {
  if (!pem.startsWith(pemHead) || !pem.endsWith(pemEnd)) return null;
  let text = "";
  for (const character of pem.slice(pemHead.length, -pemEnd.length))
    if (character.trim() !== "") text += character;
  for (let padding = 0; padding < 2 && text.endsWith("="); padding += 1) text = text.slice(0, -1);
  return isOf(text, "A-Za-z0-9+/", 1, pemCharactersMax) ? text : null;
}

/** The bytes of a "PUBLIC KEY" PEM (RFC 7468); null for any other text. */
function decodePem(pem: string): Uint8Array | null {
  if (pem.length > pemCharactersMax) return null;
  const text = contentOfPem(pem.trim());
  if (text === null || text.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let bitCount = 0;
  let index = 0;
  for (const character of text) {
    bits = ((bits << 6) | alphabet.indexOf(character)) & 0xffff;
    bitCount += 6;
    if (bitCount < 8) continue;
    bitCount -= 8;
    bytes[index] = (bits >> bitCount) & 0xff;
    index += 1;
  }
  return bytes;
}

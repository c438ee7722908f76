import {
  createCipheriv,
  createPrivateKey,
  type KeyObject,
  randomBytes,
  scryptSync,
} from "node:crypto";

/**
 * scrypt at OWASP's strength for 16 MiB: what OpenSSL derives without asking for more memory
 * (its limit is 32 MiB), so that `openssl pkey` reads the file too.
 */
const scrypt = { cost: 16_384, blockSize: 8, parallelization: 5 } as const;
const saltBytes = 16;
const ivBytes = 16;
const keyBytes = 32;

/** What a passphrase must have: short ones are guessed however slow the derivation is. */
export const passphraseCharactersMin = 12;

/**
 * A private key as PKCS#8 "ENCRYPTED PRIVATE KEY" PEM: PBES2 (RFC 8018 6.2) with scrypt (RFC 7914
 * 7) and AES-256-CBC. Node's own export derives with 2,048 rounds of PBKDF2 only, which is too
 * fast.
 */
export function encryptPrivateKey(key: KeyObject, passphrase: string): string {
  const salt = randomBytes(saltBytes);
  const iv = randomBytes(ivBytes);
  const derived = scryptSync(passphrase.normalize("NFC"), salt, keyBytes, scrypt);
  const cipher = createCipheriv("aes-256-cbc", derived, iv);
  const plain = key.export({ format: "der", type: "pkcs8" });
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  const der = sequence(
    sequence(
      pbes2,
      sequence(
        sequence(
          scryptIdentifier,
          sequence(
            octets(salt),
            integer(scrypt.cost),
            integer(scrypt.blockSize),
            integer(scrypt.parallelization),
          ),
        ),
        sequence(aes256Cbc, octets(iv)),
      ),
    ),
    octets(encrypted),
  );
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The key, or null when the passphrase is not the one that it was encrypted with. */
export function decryptPrivateKey(pem: string, passphrase: string): KeyObject | null {
  try {
    return createPrivateKey({ key: pem, passphrase: passphrase.normalize("NFC") });
  } catch {
    return null; // OpenSSL cannot tell a wrong passphrase from a damaged file either
  }
}

export function isEncryptedPem(pem: string): boolean {
  return pem.includes("ENCRYPTED");
}

const label = "ENCRYPTED PRIVATE KEY";
/** 1.2.840.113549.1.5.13, 1.3.6.1.4.1.11591.4.11 and 2.16.840.1.101.3.4.1.42. */
const pbes2 = Buffer.from("06092a864886f70d01050d", "hex");
const scryptIdentifier = Buffer.from("06092b06010401da47040b", "hex");
const aes256Cbc = Buffer.from("060960864801650304012a", "hex");

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function octets(value: Buffer): Buffer {
  return tagged(0x04, value);
}

/** A small positive INTEGER (X.690 8.3). */
function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return tagged(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** Content below 64 KiB, with its length in the shortest form (X.690 8.1.3). */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

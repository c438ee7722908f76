import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { fromHex } from "../../../src/image/hex.ts";
import { encodePublicKey } from "../../../src/image/keys.ts";
import type { PublicKey, TrustCrypto } from "../../../src/trust/trust-crypto.ts";

/** The key types and schemes of TUF 1.0.34 (clause 4.2.2), with SHA-256 and SHA-512. */
export const nodeTrustCrypto: TrustCrypto = {
  hasher(algorithm) {
    if (algorithm !== "sha256" && algorithm !== "sha512") return null;
    const hash = createHash(algorithm);
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
      close() {}, // nothing but memory that is collected
    };
  },
  verify(key, payload, signature) {
    const read = readKey(key);
    if (read === null) return false;
    try {
      return verify(read.digest, payload.bytes(), { ...read.options, key: read.key }, signature);
    } catch {
      return false; // OpenSSL throws for signatures that are none, which is "not valid" here
    }
  },
};

interface ReadKey {
  readonly key: KeyObject;
  readonly digest: "sha256" | null;
  readonly options: { readonly padding?: number; readonly saltLength?: number };
}

/** 4.2.2: "All RSA keys MUST be at least 2048 bits." */
const rsaBitsMin = 2048;

function readKey(key: PublicKey): ReadKey | null {
  switch (`${key.keyType}/${key.scheme}`) {
    case "rsa/rsassa-pss-sha256": {
      const read = pemKey(key.public, "rsa");
      if ((read?.asymmetricKeyDetails?.modulusLength ?? 0) < rsaBitsMin) return null;
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO: saltLength } = constants;
      return read && { key: read, digest: "sha256", options: { padding, saltLength } };
    }
    case "ecdsa/ecdsa-sha2-nistp256":
    // What older metadata calls the same.
    case "ecdsa-sha2-nistp256/ecdsa-sha2-nistp256": {
      const read = pemKey(key.public, "ec");
      if (read?.asymmetricKeyDetails?.namedCurve !== "prime256v1") return null;
      return { key: read, digest: "sha256", options: {} };
    }
    case "ed25519/ed25519": {
      const publicKey = fromHex(key.public);
      if (publicKey?.length !== 32) return null;
      const der = Buffer.from(encodePublicKey({ algorithm: "ed25519", publicKey }));
      const read = createPublicKey({ key: der, format: "der", type: "spki" });
      return { key: read, digest: null, options: {} };
    }
    default:
      return null;
  }
}

function pemKey(pem: string, type: "rsa" | "ec"): KeyObject | null {
  try {
    const key = createPublicKey({ key: pem, format: "pem" });
    return key.asymmetricKeyType === type ? key : null;
  } catch {
    return null; // no PEM of a public key
  }
}

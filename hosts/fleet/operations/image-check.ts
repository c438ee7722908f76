import { createHash } from "node:crypto";
import { readImageInfo } from "../../../src/image/info.ts";
import type { TrustedImageKey } from "../../../src/image/keys.ts";
import type { SignedReleaseFacts } from "../../../src/image/release-facts.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { tlvTypes } from "../../../src/image/tlv.ts";
import { type ImageVerdict, verifyImage } from "../../../src/image/verify.ts";
import type { Crypto } from "../../../src/ports/crypto.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { trustedKeyFromPem } from "../../release/pem-keys.ts";
import { limits } from "../terms/limits.ts";

/** What images must be to become part of a release. */
export interface PublishRules {
  /** Public keys of the bootloaders in the fleet; without any, every image is refused. */
  readonly imageKeys: readonly TrustedImageKey[];
  /**
   * The largest image that the slots of some hardware take; others are bounded by the server's
   * limit.
   */
  readonly imageBytesMax: ReadonlyMap<string, number>;
}

/** Why an image is no part of any release, whatever the fleet has already. */
export type ImageCheckRefusal =
  | "no-image-keys"
  | "not-an-image"
  | "malformed-image"
  | "truncated"
  | "trailing-bytes"
  | "too-large"
  | "hash-mismatch"
  | "unsigned"
  | "untrusted-key"
  | "invalid-signature"
  | "unsupported-image"
  | "no-hardware-id";

/** What the fleet needs to know of a good image. */
export interface CheckedImage {
  readonly version: string;
  readonly hardware: string;
  readonly imageHash: string;
  readonly securityCounter: number | null;
  readonly buildId: string | null;
  readonly release: SignedReleaseFacts;
}

export type ImageCheck =
  | { readonly ok: true; readonly facts: CheckedImage }
  | { readonly ok: false; readonly reason: ImageCheckRefusal; readonly message: string };

/** Verifies an image as the bootloader will, and finds what a fleet needs besides. */
export function checkImage(bytes: Uint8Array, rules: PublishRules): ImageCheck {
  if (rules.imageKeys.length === 0)
    return refuse("no-image-keys", "the server has no image key; start it with --image-key PEM");
  const source = bytesSource(bytes);
  const read = readImageInfo(source);
  const hardware = read.ok ? read.info.hardware : null;
  const imageBytesMax = rules.imageBytesMax.get(hardware ?? "") ?? limits.imageBytesMax;
  const verdict = verifyImage(source, { keys: rules.imageKeys, crypto: nodeCrypto, imageBytesMax });
  if (!verdict.ok)
    return explain(verdict, bytes, read.ok && isSigned(read.info.tlvs), imageBytesMax);
  const { info } = verdict;
  if (info.hardware === null)
    return refuse("no-hardware-id", "the image has no hardware id (protected TLV 0x00A0)");
  if (info.problem !== null)
    return refuse(
      "malformed-image",
      `the release facts of the image (TLV 0x00A3) cannot be read (${info.problem}); sign it again`,
    );
  if (info.totalBytes !== bytes.length)
    return refuse(
      "trailing-bytes",
      `the image ends at ${info.totalBytes} bytes and the file at ${bytes.length}; publish it without padding`,
    );
  const { version, imageHash, securityCounter, buildId, release } = info;
  if (imageHash === null) return refuse("hash-mismatch", "the image names no SHA-256 hash");
  return {
    ok: true,
    facts: { version, hardware: info.hardware, imageHash, securityCounter, buildId, release },
  };
}

function isSigned(tlvs: ReadonlyArray<{ readonly type: number }>): boolean {
  return tlvs.some(({ type }) => type === tlvTypes.ecdsa || type === tlvTypes.ed25519);
}

function explain(
  verdict: Extract<ImageVerdict, { ok: false }>,
  bytes: Uint8Array,
  signed: boolean,
  imageBytesMax: number,
): ImageCheck {
  const why = verdict.reason;
  switch (why) {
    case "image-too-large":
      return refuse(
        "too-large",
        `the image has ${bytes.length} bytes, the slots of its hardware take at most ${imageBytesMax}`,
      );
    case "image-beyond-source":
      return refuse("truncated", `the image goes on after the ${bytes.length} bytes of the file`);
    case "hash-mismatch":
    case "hash-missing":
    case "hash-length":
      return refuse("hash-mismatch", `the image is damaged (${why}); build it again`);
    case "signature-untrusted":
      return signed
        ? refuse(
            "untrusted-key",
            "the image is signed with a key that this server does not accept: sign it with one of " +
              "its image keys, or start the server with the public half of this one, too (--image-key)",
          )
        : refuse("unsigned", "the image has no signature; sign it with `sluice release sign`");
    case "signature-invalid":
    case "signature-length":
    case "key-hash-length":
      return refuse("invalid-signature", `the signature does not fit the image (${why})`);
    case "encrypted":
    case "compressed":
    case "non-bootable":
    case "tlv-not-allowed":
      return refuse("unsupported-image", `the bootloader would refuse the image (${why})`);
    case "header-truncated":
    case "tlv-area-truncated":
      return refuse("truncated", `the file of ${bytes.length} bytes ends before its image does`);
    case "header-erased":
    case "header-magic":
    case "header-size":
      return refuse("not-an-image", `the file does not begin as an MCUboot image does (${why})`);
    case "tlv-magic":
    case "tlv-protected-size":
    case "tlv-overrun":
      return refuse("malformed-image", `the TLVs of the image are damaged (${why})`);
    default:
      return why satisfies never;
  }
}

/**
 * Reads the public key of a bootloader from PEM; null for anything but an ECDSA P-256 public key.
 */
export function parseImageKey(pem: string): TrustedImageKey | null {
  if (!pem.includes("-----BEGIN PUBLIC KEY-----")) return null; // a private key has no place here
  const found = trustedKeyFromPem(pem);
  return found.ok && found.key.algorithm === "ecdsa-p256" ? found.key : null;
}

function refuse(
  reason: ImageCheckRefusal,
  message: string,
): { readonly ok: false; readonly reason: ImageCheckRefusal; readonly message: string } {
  return { ok: false, reason, message };
}

/** The portable verification with Node's hash. */
const nodeCrypto: Crypto = {
  sha256() {
    const hash = createHash("sha256");
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
      close() {},
    };
  },
  verifyP256: nobleCrypto.verifyP256,
};

import type { Crypto, Hasher } from "../ports/crypto.ts";
import { type HeaderRefusal, type ImageHeader, imageFlags } from "./header.ts";
import { type ImageInfo, readHeader, readImageInfo } from "./info.ts";
import { imageKeyHash, type TrustedImageKey } from "./keys.ts";
import { derSequenceBytes, signatureFromDer } from "./signature.ts";
import type { ImageSource } from "./source.ts";
import {
  readTlvArea,
  readTlvValue,
  type TlvArea,
  type TlvEntry,
  type TlvRefusal,
  tlvTypes,
  walkTlvs,
} from "./tlv.ts";

/** Verifies an Ed25519 signature; injected by hosts, so that none of it reaches a device. */
export type Ed25519Verify = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean;

export interface ImageTrust {
  /** All of one algorithm, as in one build of MCUboot. */
  readonly keys: readonly TrustedImageKey[];
  readonly crypto: Crypto;
  /** Needed for ed25519 keys. */
  readonly verifyEd25519?: Ed25519Verify;
  /** Header to end of TLVs: `bootutil_max_image_size`, see layout.ts. */
  readonly imageBytesMax: number;
}

/**
 * Why an image is refused, in the order in which MCUboot looks (`boot_validate_slot`,
 * `boot_check_header_valid`, `bootutil_img_validate`). `non-bootable` and `header-erased` are its
 * "no image"; all others are "invalid".
 */
export type ImageRefusal =
  | HeaderRefusal
  /** `IMAGE_F_NON_BOOTABLE`. */
  | "non-bootable"
  /** Header, payload and protected TLVs overflow 32 bits, or do not end before the source does. */
  | "image-beyond-source"
  | "encrypted"
  | "compressed"
  | TlvRefusal
  /** The TLVs end after `imageBytesMax`. */
  | "image-too-large"
  /** An unprotected TLV outside the allow list `allowed_unprot_tlvs`. */
  | "tlv-not-allowed"
  | "hash-length"
  | "hash-mismatch"
  | "hash-missing"
  | "key-hash-length"
  | "signature-length"
  /** No signature follows the hash of a trusted key. */
  | "signature-untrusted"
  /** The last signature by a trusted key does not sign the hash. */
  | "signature-invalid";

export type ImageVerdict =
  | { readonly ok: true; readonly info: ImageInfo }
  | { readonly ok: false; readonly reason: ImageRefusal };

/** The size of the one buffer: a device speaks TLS while it verifies, and has no room for more. */
export const verifyBlockBytes = 512;
/** Blocks of `verifyBlockBytes` that one step hashes. */
const verifyStepBlocks = 8;

/** Verifies a whole image in one call; see `ImageVerification`. */
export function verifyImage(source: ImageSource, trust: ImageTrust): ImageVerdict {
  const verification = new ImageVerification(source, trust);
  try {
    for (;;) {
      // Bounded by the image: every step hashes a block or ends.
      const verdict = verification.step();
      if (verdict !== null) return verdict;
    }
  } finally {
    verification.close();
  }
}

/**
 * The verification of an image that MCUboot does before it boots or swaps it, in steps of one
 * block, so that a device can verify a slot between other work. It refuses what MCUboot refuses,
 * and in two points more: a header size below 32 bytes and a signature that is not strict DER. It
 * writes nothing; a power cut only loses the progress.
 */
export class ImageVerification {
  private readonly source: ImageSource;
  private readonly trust: ImageTrust;
  private state: VerificationState;

  constructor(source: ImageSource, trust: ImageTrust) {
    this.source = source;
    this.trust = trust;
    this.state = { kind: "start" };
  }

  /** Bytes hashed so far and in all, once the first step has read the header. */
  get progress(): { readonly hashedBytes: number; readonly totalBytes: number } {
    if (this.state.kind !== "hashing") return { hashedBytes: 0, totalBytes: 0 };
    return {
      hashedBytes: this.state.hashedBytes,
      totalBytes: this.state.frame.area.protectedEndBytes,
    };
  }

  /** Does one step of work; answers null until the verdict stands, and then always the verdict. */
  step(): ImageVerdict | null {
    switch (this.state.kind) {
      case "start": {
        const framed = readFrame(this.source, this.trust.imageBytesMax);
        this.state = framed.ok
          ? {
              kind: "hashing",
              frame: framed.frame,
              hasher: this.trust.crypto.sha256(),
              block: new Uint8Array(verifyBlockBytes),
              hashedBytes: 0,
            }
          : { kind: "done", verdict: framed };
        break;
      }
      case "hashing":
        if (this.state.hashedBytes < this.state.frame.area.protectedEndBytes)
          hashBlocks(this.source, this.state);
        else this.state = { kind: "done", verdict: this.conclude(this.state) };
        break;
      case "done":
        break;
      default:
        return this.state satisfies never;
    }
    return this.state.kind === "done" ? this.state.verdict : null;
  }

  /** Gives up one that has not ended; whoever makes one closes it. */
  close(): void {
    if (this.state.kind === "hashing") this.state.hasher.close();
  }

  private conclude(hashing: Hashing): ImageVerdict {
    const digest = hashing.hasher.digest();
    const refusal = checkTlvs(this.source, hashing.frame.area, digest, this.trust);
    return refusal === null ? readImageInfo(this.source) : { ok: false, reason: refusal };
  }
}

interface ImageFrame {
  readonly header: ImageHeader;
  readonly area: TlvArea;
}

interface Hashing {
  readonly kind: "hashing";
  readonly frame: ImageFrame;
  readonly hasher: Hasher;
  readonly block: Uint8Array;
  hashedBytes: number;
}

type VerificationState =
  | { readonly kind: "start" }
  | Hashing
  | { readonly kind: "done"; readonly verdict: ImageVerdict };

/** The checks that need no hash: header, flags, sizes and the frame of the TLV areas. */
export function readFrame(
  source: ImageSource,
  imageBytesMax: number,
): { ok: true; frame: ImageFrame } | { ok: false; reason: ImageRefusal } {
  const parsed = readHeader(source);
  if (!parsed.ok) return parsed;
  const { header } = parsed;
  if (has(header, imageFlags.nonBootable)) return { ok: false, reason: "non-bootable" };
  const hashedBytes = header.headerBytes + header.payloadBytes + header.protectedTlvBytes;
  // boot_check_header_valid: no 32-bit overflow (a source is smaller than 4 GiB), and room for at
  // least one byte of TLVs.
  if (hashedBytes >= source.sizeBytes) return { ok: false, reason: "image-beyond-source" };
  if (has(header, imageFlags.encryptedAes128 | imageFlags.encryptedAes256))
    return { ok: false, reason: "encrypted" };
  if (has(header, compressionFlags)) return { ok: false, reason: "compressed" };
  const found = readTlvArea(source, header);
  if (!found.ok) return found;
  if (found.area.endBytes > imageBytesMax) return { ok: false, reason: "image-too-large" };
  return { ok: true, frame: { header, area: found.area } };
}

/**
 * The walk of `bootutil_img_validate` over the TLVs: the hash must be there and equal `digest`,
 * each signature consumes the key hash before it, pairs of unknown keys are skipped, and the last
 * signature that was checked decides.
 */
export function checkTlvs(
  source: ImageSource,
  area: TlvArea,
  digest: Uint8Array,
  trust: ImageTrust,
): ImageRefusal | null {
  const walk = new TlvCheck(source, digest, trust);
  const refusal = walkTlvs(source, area, (entry) => walk.visit(entry));
  return refusal ?? walk.conclude();
}

const compressionFlags =
  imageFlags.compressedLzma1 | imageFlags.compressedLzma2 | imageFlags.compressedArmThumb;

/** `allowed_unprot_tlvs` of image_validate.c. */
const allowedUnprotected: readonly number[] = [
  tlvTypes.keyHash,
  tlvTypes.publicKey,
  tlvTypes.sha256,
  tlvTypes.sha384,
  tlvTypes.sha512,
  tlvTypes.rsa2048,
  tlvTypes.ecdsa224,
  tlvTypes.ecdsa,
  tlvTypes.rsa3072,
  tlvTypes.ed25519,
  tlvTypes.encryptedKeyRsa2048,
  tlvTypes.encryptedKeyAesWrap,
  tlvTypes.encryptedKeyEc256,
  tlvTypes.encryptedKeyX25519,
];

const hashBytes = 32; // IMAGE_HASH_SIZE with SHA-256
const ecdsaSignatureBytesMax = 128; // SIG_BUF_SIZE
const ed25519SignatureBytes = 64;

class TlvCheck {
  private readonly source: ImageSource;
  private readonly digest: Uint8Array;
  private readonly trust: ImageTrust;
  private readonly keyHashes: readonly Uint8Array[];
  private readonly signatureType: number;
  private selectedKey: TrustedImageKey | null = null;
  private hashSeen = false;
  private lastSignature: boolean | null = null;

  constructor(source: ImageSource, digest: Uint8Array, trust: ImageTrust) {
    this.source = source;
    this.digest = digest;
    this.trust = trust;
    this.signatureType = signatureTlvType(trust);
    this.keyHashes = trust.keys.map((key) => imageKeyHash(key, trust.crypto));
  }

  visit(entry: TlvEntry): ImageRefusal | null {
    if (!entry.isProtected && !allowedUnprotected.includes(entry.type)) return "tlv-not-allowed";
    if (entry.type === tlvTypes.sha256) return this.visitHash(entry);
    if (entry.type === tlvTypes.keyHash) return this.visitKeyHash(entry);
    if (entry.type === this.signatureType) return this.visitSignature(entry);
    return null;
  }

  conclude(): ImageRefusal | null {
    if (!this.hashSeen) return "hash-missing";
    if (this.lastSignature === null) return "signature-untrusted";
    return this.lastSignature ? null : "signature-invalid";
  }

  private visitHash(entry: TlvEntry): ImageRefusal | null {
    if (entry.valueBytes !== hashBytes) return "hash-length";
    if (!startsWith(this.digest, readTlvValue(this.source, entry))) return "hash-mismatch";
    this.hashSeen = true;
    return null;
  }

  /**
   * `bootutil_find_key` compares as many bytes as the TLV has: a shorter value selects by prefix.
   */
  private visitKeyHash(entry: TlvEntry): ImageRefusal | null {
    if (entry.valueBytes > hashBytes) return "key-hash-length";
    const value = readTlvValue(this.source, entry);
    const index = this.keyHashes.findIndex((keyHash) => startsWith(keyHash, value));
    this.selectedKey = this.trust.keys[index] ?? null;
    return null;
  }

  private visitSignature(entry: TlvEntry): ImageRefusal | null {
    const key = this.selectedKey;
    this.selectedKey = null;
    if (key === null) return null;
    const isLength =
      key.algorithm === "ed25519"
        ? entry.valueBytes === ed25519SignatureBytes
        : entry.valueBytes <= ecdsaSignatureBytesMax;
    if (!isLength) return "signature-length";
    this.lastSignature = this.isSignedBy(key, readTlvValue(this.source, entry));
    return null;
  }

  private isSignedBy(key: TrustedImageKey, signature: Uint8Array): boolean {
    if (key.algorithm === "ed25519")
      return this.trust.verifyEd25519?.(key.publicKey, this.digest, signature) ?? false;
    const decoded = signatureFromDer(signature.subarray(0, derSequenceBytes(signature) ?? 0));
    return decoded.ok && this.trust.crypto.verifyP256(key.publicKey, this.digest, decoded.raw);
  }
}

/** `EXPECTED_SIG_TLV`: one build of MCUboot looks at one type of signature. */
function signatureTlvType(trust: ImageTrust): number {
  const algorithm = trust.keys[0]?.algorithm ?? "ecdsa-p256";
  if (trust.keys.some((key) => key.algorithm !== algorithm))
    throw new TypeError("the trusted keys of an image must be of one algorithm");
  if (algorithm === "ed25519" && trust.verifyEd25519 === undefined)
    throw new TypeError("ed25519 keys need verifyEd25519");
  return algorithm === "ed25519" ? tlvTypes.ed25519 : tlvTypes.ecdsa;
}

function hashBlocks(source: ImageSource, state: Hashing): void {
  for (let blocks = 0; blocks < verifyStepBlocks; blocks += 1) {
    const leftBytes = state.frame.area.protectedEndBytes - state.hashedBytes;
    if (leftBytes === 0) return;
    const block = leftBytes < state.block.length ? state.block.subarray(0, leftBytes) : state.block;
    source.read(state.hashedBytes, block);
    state.hasher.update(block);
    state.hashedBytes += block.length;
  }
}

function has(header: ImageHeader, flags: number): boolean {
  return (header.flags & flags) !== 0;
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, index) => bytes[index] === byte);
}

import { type Crypto, digestOf } from "../ports/crypto.ts";
import { blockHashesValueBytes, encodeBlockHashes } from "./block-hashes.ts";
import { encodeHardwareId } from "./hardware.ts";
import { encodeImageHeader, imageHeaderBytes } from "./header.ts";
import { buildIdBytesMax, type ImageDependency, imageBytesLargest } from "./info.ts";
import { imageKeyHash } from "./keys.ts";
import {
  encodeReleaseFacts,
  type SignedReleaseFacts,
  unsignedReleaseFacts,
} from "./release-facts.ts";
import { signatureFromDer } from "./signature.ts";
import {
  protectedTlvInfoMagic,
  tlvEntryBytes,
  tlvInfoBytes,
  tlvInfoMagic,
  tlvTypes,
} from "./tlv.ts";
import { magicWrite, type TrailerPlace, trailerBytes, trailerOffsets } from "./trailer.ts";
import { type ImageVersion, isImageVersion } from "./version.ts";

/** Holds or reaches a private P-256 key: a file, a token, another machine. */
export interface ImageSigner {
  /** The uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
  /** Signs a 32-byte digest; answers the DER of r and s. */
  sign(digest: Uint8Array): Promise<Uint8Array>;
}

export interface TlvValue {
  readonly type: number;
  readonly value: Uint8Array;
}

/** What stands in an image beside its payload. */
export interface ImageOptions {
  readonly version: ImageVersion;
  /** At least 32; the header area beyond the header is filled with `headerFill`. */
  readonly headerBytes: number;
  readonly headerFill: 0x00 | 0xff;
  /** `IMAGE_F_*`. */
  readonly flags: number;
  readonly loadAddress: number;
  readonly securityCounter: number | null;
  readonly dependencies: readonly ImageDependency[];
  readonly hardware: string | null;
  readonly buildId: Uint8Array | null;
  /** What the release says of itself besides; `unsignedReleaseFacts` adds nothing. */
  readonly release: SignedReleaseFacts;
  /** More protected TLVs, written last and in this order. */
  readonly customTlvs: readonly TlvValue[];
  /** Adds the hashes of blocks of so many bytes (block-hashes.ts), or null for none. */
  readonly blockBytes: number | null;
}

/** The options of a plain image, to be spread and overridden. */
export const plainImage: Omit<ImageOptions, "version"> = {
  headerBytes: imageHeaderBytes,
  headerFill: 0xff,
  flags: 0,
  loadAddress: 0,
  securityCounter: null,
  dependencies: [],
  hardware: null,
  buildId: null,
  release: unsignedReleaseFacts,
  customTlvs: [],
  blockBytes: null,
};

/**
 * `payload-too-large`: beyond 16 MiB. `tlvs-too-large`: the protected TLVs leave the 16 bits of
 * their size. `signature-invalid`: a signer answered something else than a signature of the digest
 * by its key.
 */
export type WriteRefusal = "payload-too-large" | "tlvs-too-large" | "signature-invalid";

export type WrittenImage =
  | { readonly ok: true; readonly image: Uint8Array; readonly imageHash: Uint8Array }
  | { readonly ok: false; readonly reason: WriteRefusal };

/**
 * Builds an image in the order of imgtool: header, payload, protected TLVs (security counter,
 * dependencies, hardware, build id, release facts, block hashes, custom), hash, then key hash and
 * signature of each signer. Without signers the image is unsigned. The same inputs and signatures
 * give the same bytes. Throws RangeError on an option that its field cannot hold.
 */
export async function writeImage(
  payload: Uint8Array,
  options: ImageOptions,
  crypto: Crypto,
  signers: readonly ImageSigner[],
): Promise<WrittenImage> {
  if (options.headerBytes + payload.length > imageBytesLargest)
    return { ok: false, reason: "payload-too-large" };
  const signed = encodeSigned(payload, options, crypto);
  if (signed === null) return { ok: false, reason: "tlvs-too-large" };
  const imageHash = digestOf(crypto, signed);
  const values: TlvValue[] = [{ type: tlvTypes.sha256, value: imageHash }];
  for (const signer of signers) {
    const signature = await signer.sign(imageHash);
    if (!isSignature(crypto, signer, imageHash, signature))
      return { ok: false, reason: "signature-invalid" };
    const key = { algorithm: "ecdsa-p256", publicKey: signer.publicKey } as const;
    values.push({ type: tlvTypes.keyHash, value: imageKeyHash(key, crypto) });
    values.push({ type: tlvTypes.ecdsa, value: signature });
  }
  const image = concatenate([signed, encodeTlvArea(tlvInfoMagic, values)]);
  return { ok: true, image, imageHash };
}

/**
 * A whole slot to be programmed from outside, imgtool's `--pad`: the image, erased bytes, and the
 * trailer's magic, which requests a test upgrade. With `confirm`, image_ok is set too: permanent.
 * Null when image and trailer do not fit the slot.
 */
export function padImage(
  image: Uint8Array,
  place: TrailerPlace,
  confirm: boolean,
): Uint8Array | null {
  if (image.length + trailerBytes(place.shape) > place.slotBytes) return null;
  const slot = new Uint8Array(place.slotBytes).fill(0xff);
  slot.set(image);
  const magic = magicWrite(place);
  slot.set(magic.bytes, magic.offsetBytes);
  if (confirm) slot[trailerOffsets(place).imageOk] = 0x01;
  return slot;
}

/** What the hash covers: header, payload and protected TLVs; null when the TLVs leave 16 bits. */
function encodeSigned(
  payload: Uint8Array,
  options: ImageOptions,
  crypto: Crypto,
): Uint8Array | null {
  const { blockBytes, headerBytes } = options;
  const encodeProtected = (hashes: Uint8Array | null): Uint8Array =>
    encodeTlvArea(protectedTlvInfoMagic, protectedValues(options, hashes));
  // The header has the size of the TLVs and the block hashes cover the header: the size comes
  // first.
  const hashesBytes =
    blockBytes === null ? null : blockHashesValueBytes(headerBytes + payload.length, blockBytes);
  const sized = encodeProtected(hashesBytes === null ? null : new Uint8Array(hashesBytes));
  if (sized.length > 0xffff) return null;
  const covered = concatenate([encodeHeaderArea(options, payload.length, sized.length), payload]);
  if (blockBytes === null) return concatenate([covered, sized]);
  return concatenate([covered, encodeProtected(encodeBlockHashes(covered, crypto, blockBytes))]);
}

function encodeHeaderArea(
  options: ImageOptions,
  payloadBytes: number,
  protectedTlvBytes: number,
): Uint8Array {
  const { loadAddress, headerBytes, flags, version } = options;
  const header = encodeImageHeader({
    loadAddress,
    headerBytes,
    protectedTlvBytes,
    payloadBytes,
    flags,
    version,
  });
  const area = new Uint8Array(headerBytes).fill(options.headerFill);
  area.set(header);
  return area;
}

function protectedValues(options: ImageOptions, blockHashes: Uint8Array | null): TlvValue[] {
  const values: TlvValue[] = [];
  if (options.securityCounter !== null)
    values.push({ type: tlvTypes.securityCounter, value: uint32(options.securityCounter) });
  for (const dependency of options.dependencies)
    values.push({ type: tlvTypes.dependency, value: encodeDependency(dependency) });
  if (options.hardware !== null)
    values.push({ type: tlvTypes.hardware, value: encodeHardwareId(options.hardware) });
  if (options.buildId !== null) {
    if (options.buildId.length > buildIdBytesMax)
      throw new RangeError(
        `a build id of ${options.buildId.length} bytes, at most ${buildIdBytesMax}`,
      );
    values.push({ type: tlvTypes.buildId, value: options.buildId });
  }
  const facts = encodeReleaseFacts(options.release);
  if (facts !== null) values.push({ type: tlvTypes.releaseFacts, value: facts });
  if (blockHashes !== null) values.push({ type: tlvTypes.blockHashes, value: blockHashes });
  return [...values, ...options.customTlvs];
}

/** One TLV area with its `struct image_tlv_info`; no bytes at all without TLVs. */
function encodeTlvArea(magic: number, values: readonly TlvValue[]): Uint8Array {
  if (values.length === 0) return new Uint8Array(0);
  const entries = values.flatMap(({ type, value }) => [uint16Pair(type, value.length), value]);
  const totalBytes = entries.reduce((sum, part) => sum + part.length, tlvInfoBytes);
  const info = uint16Pair(magic, Math.min(totalBytes, 0xffff));
  return concatenate([info, ...entries]);
}

/** `struct image_dependency`. */
function encodeDependency({ imageIndex, versionMin }: ImageDependency): Uint8Array {
  if (!(imageIndex >= 0 && imageIndex <= 0xff) || !isImageVersion(versionMin))
    throw new RangeError(`dependency on image ${imageIndex} leaves its fields`);
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, imageIndex);
  view.setUint8(4, versionMin.major);
  view.setUint8(5, versionMin.minor);
  view.setUint16(6, versionMin.revision, true);
  view.setUint32(8, versionMin.build, true);
  return bytes;
}

function isSignature(
  crypto: Crypto,
  signer: ImageSigner,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const decoded = signatureFromDer(signature);
  return decoded.ok && crypto.verifyP256(signer.publicKey, digest, decoded.raw);
}

/** Two 16-bit fields: `struct image_tlv`, or `struct image_tlv_info`. */
function uint16Pair(first: number, second: number): Uint8Array {
  if (!(first >= 0 && first <= 0xffff && second <= 0xffff))
    throw new RangeError(`TLV type ${first} or length ${second} leaves its 16 bits`);
  const bytes = new Uint8Array(tlvEntryBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, first, true);
  view.setUint16(2, second, true);
  return bytes;
}

function uint32(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw new RangeError(`security counter ${value} leaves its 32 bits`);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offsetBytes = 0;
  for (const part of parts) {
    bytes.set(part, offsetBytes);
    offsetBytes += part.length;
  }
  return bytes;
}

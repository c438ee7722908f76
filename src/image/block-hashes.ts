import { type Crypto, digestOf } from "../ports/crypto.ts";
import type { ImageHeader } from "./header.ts";
import type { ImageSource } from "./source.ts";
import { readTlvArea, readTlvValue, tlvTypes, walkTlvs } from "./tlv.ts";

/**
 * Hashes of the blocks of an image, in protected TLV 0x00A2: `u32` bytes per block, then one
 * SHA-256 per block of header and payload; the last block may be shorter. With them a device finds
 * a spoilt block as it lands and fetches it alone. They are for finding damage early: what may run
 * is decided by the hash and the signature of the whole image.
 */
export interface BlockHashes {
  readonly blockBytes: number;
  /** Header and payload: what the blocks cover. */
  readonly coveredBytes: number;
  /** 32 bytes per block. */
  readonly hashes: Uint8Array;
}

export const blockBytesDefault = 65_536;
const hashBytes = 32;
const prefixBytes = 4;
/** Whole sectors of every flash, and no more than a device wants to fetch again. */
const blockBytesMin = 4096;
const blockBytesMax = 1024 * 1024;
/** Blocks of 64 KiB of the largest slot of a 16 MiB flash, and a little more. */
const valueBytesMax = 4096;

function blockCount(coveredBytes: number, blockBytes: number): number {
  return Math.ceil(coveredBytes / blockBytes);
}

/** The bytes of the TLV's value. */
export function blockHashesValueBytes(coveredBytes: number, blockBytes: number): number {
  return prefixBytes + hashBytes * blockCount(coveredBytes, blockBytes);
}

/** The TLV's value for these covered bytes. */
export function encodeBlockHashes(
  covered: Uint8Array,
  crypto: Crypto,
  blockBytes: number = blockBytesDefault,
): Uint8Array {
  const value = new Uint8Array(blockHashesValueBytes(covered.length, blockBytes));
  new DataView(value.buffer).setUint32(0, blockBytes, true);
  for (let index = 0; index < blockCount(covered.length, blockBytes); index += 1) {
    const block = covered.subarray(index * blockBytes, (index + 1) * blockBytes);
    value.set(digestOf(crypto, block), prefixBytes + index * hashBytes);
  }
  return value;
}

/** The TLV's value again, for keeping it elsewhere. */
export function encodeStoredBlockHashes(blocks: BlockHashes): Uint8Array {
  const value = new Uint8Array(prefixBytes + blocks.hashes.length);
  new DataView(value.buffer).setUint32(0, blocks.blockBytes, true);
  value.set(blocks.hashes, prefixBytes);
  return value;
}

/** Null for a value that does not fit an image whose header and payload have `coveredBytes`. */
export function decodeBlockHashes(value: Uint8Array, coveredBytes: number): BlockHashes | null {
  if (value.length < prefixBytes) return null;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const blockBytes = view.getUint32(0, true);
  if (blockBytes < blockBytesMin || blockBytes > blockBytesMax) return null;
  if (blockBytes % blockBytesMin !== 0) return null;
  if (value.length !== blockHashesValueBytes(coveredBytes, blockBytes)) return null;
  return { blockBytes, coveredBytes, hashes: value.slice(prefixBytes) };
}

/** The block hashes that an image brings, or null when it brings none that fit it. */
export function readBlockHashes(source: ImageSource, header: ImageHeader): BlockHashes | null {
  const coveredBytes = header.headerBytes + header.payloadBytes;
  const found = readTlvArea(source, header);
  if (!found.ok) return null;
  let blocks: BlockHashes | null = null;
  walkTlvs<never>(source, found.area, (entry) => {
    const fits = entry.isProtected && entry.valueBytes <= valueBytesMax;
    if (blocks === null && fits && entry.type === tlvTypes.blockHashes)
      blocks = decodeBlockHashes(readTlvValue(source, entry), coveredBytes);
    return null;
  });
  return blocks;
}

/** Whether `digest` is the hash of that block; false beyond the last. */
export function isBlockHash(blocks: BlockHashes, index: number, digest: Uint8Array): boolean {
  const start = index * hashBytes;
  if (digest.length !== hashBytes || start + hashBytes > blocks.hashes.length) return false;
  return digest.every((byte, at) => byte === blocks.hashes[start + at]);
}

import {
  type BlockHashes,
  decodeBlockHashes,
  encodeStoredBlockHashes,
} from "../../image/block-hashes.ts";
import { type KeyValue, StorageError } from "../../ports/board.ts";
import { type DigestHex, digestHex } from "../../protocol/digest.ts";

/**
 * What is known of the blocks of one file; `blocks` is null for an image that brings no block
 * hashes.
 */
export interface KnownBlocks {
  readonly fileHash: DigestHex;
  readonly blocks: BlockHashes | null;
}

const key = "blocks";
const digestBytes = 32;
/** The file's hash and the covered bytes. */
const prefixBytes = digestBytes + 4;
/** A value of the key-value storage holds no more: the block hashes of 1.9 MB. */
const valueBytesMax = 1024;

/**
 * The block hashes of the image under way, kept over a reset so that a resumed download asks for
 * nothing twice. Stored once per image as `file hash, covered bytes u32, TLV value`. Losing them
 * costs a kilobyte: they are fetched again. So does an image with more blocks than one value holds.
 */
export class BlockMemory {
  readonly #keyValue: KeyValue;
  #known: KnownBlocks | null = null;

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  /** Null when nothing is known of that file. */
  recall(fileHash: DigestHex): KnownBlocks | null {
    if (this.#known?.fileHash !== fileHash) this.#known = this.#read();
    return this.#known?.fileHash === fileHash ? this.#known : null;
  }

  store(fileHash: DigestHex, blocks: BlockHashes | null): void {
    const known = this.recall(fileHash);
    this.#known = { fileHash, blocks };
    if (known !== null) return;
    const value = encode(fileHash, blocks);
    if (value.length > valueBytesMax) return;
    try {
      this.#keyValue.write(key, value);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error; // a full storage costs the kilobyte, not the update
    }
  }

  #read(): KnownBlocks | null {
    const value = this.#keyValue.read(key);
    if (value === null || value.length < prefixBytes) return null;
    const fileHash = digestHex(value.subarray(0, digestBytes));
    if (value.length === prefixBytes) return { fileHash, blocks: null };
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    const coveredBytes = view.getUint32(digestBytes, true);
    const blocks = decodeBlockHashes(value.subarray(prefixBytes), coveredBytes);
    return blocks === null ? null : { fileHash, blocks };
  }
}

function encode(fileHash: DigestHex, blocks: BlockHashes | null): Uint8Array {
  const stored = blocks === null ? new Uint8Array(0) : encodeStoredBlockHashes(blocks);
  const value = new Uint8Array(prefixBytes + stored.length);
  for (let index = 0; index < digestBytes; index += 1)
    value[index] = Number.parseInt(fileHash.slice(2 * index, 2 * index + 2), 16);
  new DataView(value.buffer).setUint32(digestBytes, blocks?.coveredBytes ?? 0, true);
  value.set(stored, prefixBytes);
  return value;
}

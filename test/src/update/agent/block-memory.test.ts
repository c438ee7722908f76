import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBlockHashes, encodeBlockHashes } from "../../../../src/image/block-hashes.ts";
import { type KeyValue, StorageError } from "../../../../src/ports/board.ts";
import { nobleCrypto } from "../../../../src/ports/noble-crypto.ts";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import { BlockMemory } from "../../../../src/update/agent/block-memory.ts";

class Storage implements KeyValue {
  readonly values = new Map<string, Uint8Array>();
  writes = 0;
  isFull = false;

  read(key: string): Uint8Array | null {
    return this.values.get(key) ?? null;
  }

  write(key: string, value: Uint8Array): void {
    if (this.isFull) throw new StorageError("full");
    assert.ok(value.length <= 1024);
    this.writes += 1;
    this.values.set(key, value);
  }

  delete(key: string): void {
    this.values.delete(key);
  }
}

const one = "11".repeat(32) as DigestHex;
const other = "22".repeat(32) as DigestHex;

function blocksOf(coveredBytes: number) {
  return decodeBlockHashes(
    encodeBlockHashes(new Uint8Array(coveredBytes), nobleCrypto),
    coveredBytes,
  );
}

test("a reset leaves the block hashes of the image under way", () => {
  const storage = new Storage();
  const blocks = blocksOf(1_800_000);
  new BlockMemory(storage).store(one, blocks);
  assert.deepEqual(new BlockMemory(storage).recall(one), { fileHash: one, blocks });
  assert.equal(new BlockMemory(storage).recall(other), null);
});

test("an image without block hashes is remembered as one", () => {
  const storage = new Storage();
  new BlockMemory(storage).store(one, null);
  assert.deepEqual(new BlockMemory(storage).recall(one), { fileHash: one, blocks: null });
});

test("the same image is stored once, however often it is checked", () => {
  const storage = new Storage();
  for (let boot = 0; boot < 3; boot += 1) new BlockMemory(storage).store(one, blocksOf(100_000));
  assert.equal(storage.writes, 1);
});

test("what does not fit, or cannot be stored, is known until the reset", () => {
  for (const [coveredBytes, isFull] of [
    [4_000_000, false],
    [100_000, true],
  ] as const) {
    const storage = new Storage();
    storage.isFull = isFull;
    const memory = new BlockMemory(storage);
    memory.store(one, blocksOf(coveredBytes));
    assert.ok(memory.recall(one)?.blocks != null);
    assert.equal(new BlockMemory(storage).recall(one), null);
  }
});

test("any stored bytes are block hashes that fit, or nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1024 }), (value) => {
      const storage = new Storage();
      storage.values.set("blocks", value);
      const known = new BlockMemory(storage).recall(one);
      assert.ok(known === null || known.fileHash === one);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { DocumentStore, storedValueBytesMax } from "../../../src/config/document-store.ts";
import { type KeyValue, StorageError } from "../../../src/ports/board.ts";
import {
  afterAct,
  CuttableKeyValue,
  forEachCut,
  forEachFlashCut,
  mountStorage,
  storageFlash,
} from "../../support/storage-cuts.ts";

const bytesMax = 8192;
const filled = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 13 + seed * 101) & 0xff);
const open = (keyValue: KeyValue): DocumentStore =>
  new DocumentStore(keyValue, "doc", { bytesMax });
const digestOf = (document: Uint8Array | null): string =>
  document === null ? "none" : Buffer.from(document).toString("base64");
/** Passes a power cut on, unlike `assert.throws`. */
const refused = (run: () => void): void => {
  try {
    run();
  } catch (error) {
    if (error instanceof StorageError) return;
    throw error;
  }
  assert.fail("the storage took it");
};
const partsOf = (document: Uint8Array | null): number =>
  document === null ? 0 : 1 + Math.ceil(Math.max(0, document.length - 872) / 884);

interface Change {
  readonly name: string;
  readonly old: Uint8Array | null;
  /** null deletes. */
  readonly next: Uint8Array | null;
}

const changes: readonly Change[] = [
  { name: "the first write", old: null, next: filled(3000, 2) },
  { name: "a write of as many bytes", old: filled(3000, 1), next: filled(3000, 2) },
  { name: "a longer document", old: filled(500, 1), next: filled(4000, 2) },
  { name: "a shorter document", old: filled(4000, 1), next: filled(500, 2) },
  { name: "a document of one value", old: filled(800, 1), next: filled(872, 2) },
  { name: "a delete", old: filled(3000, 1), next: null },
];

const change =
  (next: Uint8Array | null) =>
  (keyValue: KeyValue): void =>
    next === null ? open(keyValue).delete() : open(keyValue).write(next);

for (const { name, old, next } of changes)
  test(`${name}: a cut at any change of a key leaves the old or the new document, and a second cut does not matter`, () => {
    const before = new CuttableKeyValue();
    if (old !== null) open(before).write(old);
    const cuts = forEachCut(before, change(next), (storage, where) => {
      const found = open(storage.clone()).read();
      assert.ok([digestOf(old), digestOf(next)].includes(digestOf(found)), where);
      const opened = afterAct(storage, open);
      assert.equal(opened.values.size, partsOf(found), `${where}: leftovers are gone`);
      forEachCut(storage, open, (again, second) => {
        assert.equal(digestOf(open(again).read()), digestOf(found), `${where}, then ${second}`);
        assert.deepEqual(again.values, opened.values, `${where}, then ${second}`);
      });
      open(opened).write(filled(2500, 3));
      assert.deepEqual(open(opened).read(), filled(2500, 3), where);
      assert.equal(opened.values.size, partsOf(filled(2500, 3)), where);
    });
    assert.ok(cuts >= 2, `${cuts} cuts`);
  });

test("a cut while a full storage is refused leaves the old document", () => {
  const before = new CuttableKeyValue();
  open(before).write(filled(3000, 1));
  before.capacityBytes = before.bytes + 2000;
  const act = (keyValue: KeyValue): void => refused(() => open(keyValue).write(filled(4000, 2)));
  const cuts = forEachCut(before, act, (storage, where) => {
    assert.deepEqual(open(storage).read(), filled(3000, 1), where);
    assert.deepEqual(storage.values, before.values, where);
  });
  assert.ok(cuts >= 8, `${cuts} cuts`);
});

/** A storage in which other keys leave so little that a change makes the sectors go round. */
function usedFlash(writeBlockBytes: 4 | 32, old: Uint8Array | null): NorFlash {
  const flash = storageFlash(4, writeBlockBytes);
  const keyValue = mountStorage(flash);
  for (let index = 0; index < 3; index += 1) keyValue.write(`other-${index}`, filled(600, index));
  for (let round = 0; round < 16; round += 1) keyValue.write("journal", filled(500, round));
  if (old !== null) open(keyValue).write(old);
  return flash;
}

for (const writeBlockBytes of [4, 32] as const)
  for (const { name, old, next } of changes)
    test(`${name}, ${writeBlockBytes}-byte write blocks: a cut at any flash operation leaves the old or the new document`, () => {
      const before = usedFlash(writeBlockBytes, old);
      const cuts = forEachFlashCut(before, change(next), (flash, where) => {
        const keyValue = mountStorage(flash);
        const found = open(keyValue).read();
        assert.ok([digestOf(old), digestOf(next)].includes(digestOf(found)), where);
        const own = keyValue.keys().filter((key) => key.startsWith("doc"));
        assert.equal(own.length, partsOf(found), `${where}: leftovers are gone`);
        assert.deepEqual(keyValue.read("journal"), filled(500, 15), where);
        open(keyValue).write(filled(1500, 3));
        assert.deepEqual(open(mountStorage(flash)).read(), filled(1500, 3), where);
      });
      assert.ok(cuts >= 3, `${cuts} cuts`);
    });

test("a write that does not fit the flash leaves the old document, through cuts too", () => {
  const flash = storageFlash(3);
  open(mountStorage(flash)).write(filled(3000, 1));
  const act = (keyValue: KeyValue): void => refused(() => open(keyValue).write(filled(6000, 2)));
  const cuts = forEachFlashCut(flash, act, (cut, where) => {
    assert.deepEqual(open(mountStorage(cut)).read(), filled(3000, 1), where);
  });
  assert.ok(cuts > 30, `${cuts} cuts`);
});

/** How many values fit beside a journal and an identity until the storage is full. */
function capacity(valueBytes: number, writeBlockBytes: 4 | 32): number {
  const keyValue = mountStorage(storageFlash(8, writeBlockBytes));
  keyValue.write("update", filled(400, 1));
  keyValue.write("config", filled(700, 1));
  for (let count = 0; count < 100; count += 1)
    try {
      keyValue.write(`configuration.a.0.${count}`, filled(valueBytes, count));
    } catch (error) {
      assert.ok(error instanceof StorageError);
      return count;
    }
  throw new Error("the storage was never full");
}

test("values of this size waste less of the board's storage than the largest ones", () => {
  for (const [writeBlockBytes, ours, largest] of [
    [4, 27, 20],
    [32, 25, 20],
  ] as const) {
    assert.equal(capacity(storedValueBytesMax, writeBlockBytes), ours);
    assert.equal(capacity(1024, writeBlockBytes), largest);
    assert.ok(ours * storedValueBytesMax > largest * 1024);
  }
});

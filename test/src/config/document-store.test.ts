import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DocumentStore,
  documentBytesMax,
  partsMax,
  storedValueBytesMax,
} from "../../../src/config/document-store.ts";
import { StorageError } from "../../../src/ports/board.ts";
import { CuttableKeyValue } from "../../support/storage-cuts.ts";

const filled = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 0xff);
const open = (keyValue: CuttableKeyValue, bytesMax = documentBytesMax): DocumentStore =>
  new DocumentStore(keyValue, "doc", { bytesMax });
const keysOf = (keyValue: CuttableKeyValue): string[] => [...keyValue.values.keys()].sort();

/** Lengths at which a part begins, is full, or is one byte too long. */
const lengths = [0, 1, 871, 872, 873, 1756, 1757, 2640, 2641, documentBytesMax];

for (const length of lengths)
  test(`reads back ${length} bytes, after another open too`, () => {
    const keyValue = new CuttableKeyValue();
    open(keyValue).write(filled(length, 1));
    assert.deepEqual(open(keyValue).read(), filled(length, 1));
    assert.equal(keyValue.values.size, 1 + Math.ceil(Math.max(0, length - 872) / 884));
  });

test("has nothing to read before the first write and after a delete", () => {
  const keyValue = new CuttableKeyValue();
  const store = open(keyValue);
  assert.deepEqual([store.exists, store.read()], [false, null]);
  store.write(filled(2000, 1));
  store.delete();
  assert.deepEqual([store.exists, store.read(), keysOf(keyValue)], [false, null, []]);
});

test("lays a document out as the docstring draws it", () => {
  const keyValue = new CuttableKeyValue();
  const store = open(keyValue);
  store.write(filled(10, 1));
  store.write(filled(2000, 2));
  assert.deepEqual(keysOf(keyValue), ["doc", "doc.0.0", "doc.0.1"]);
  const head = keyValue.values.get("doc") ?? new Uint8Array();
  assert.equal(head.length, storedValueBytesMax);
  assert.deepEqual([...head.subarray(0, 12)], [1, 0, 0, 0, 2, 0, 0, 0, 0xd0, 7, 0, 0]);
  assert.deepEqual(head.subarray(16), filled(2000, 2).subarray(0, 872));
  const part = keyValue.values.get("doc.0.1") ?? new Uint8Array();
  assert.deepEqual([...part.subarray(0, 4)], [2, 0, 0, 0]);
  assert.deepEqual(part.subarray(4), filled(2000, 2).subarray(1756));
});

test("a small document is replaced by one write, and the same one by none", () => {
  const keyValue = new CuttableKeyValue();
  const store = open(keyValue);
  store.write(filled(800, 1));
  store.write(filled(800, 2));
  assert.equal(keyValue.changes, 2);
  store.write(filled(800, 2));
  assert.equal(keyValue.changes, 2);
});

test("opening a clean document changes nothing", () => {
  const keyValue = new CuttableKeyValue();
  open(keyValue).write(filled(5000, 1));
  const { changes } = keyValue;
  open(keyValue);
  assert.equal(keyValue.changes, changes);
});

test("keeps the parts of one document only, whether the next is longer or shorter", () => {
  const keyValue = new CuttableKeyValue();
  const store = open(keyValue);
  for (const length of [5000, 100, 9000, 3000, 0]) {
    store.write(filled(length, length));
    assert.equal(keyValue.values.size, 1 + Math.ceil(Math.max(0, length - 872) / 884));
    assert.deepEqual(open(keyValue).read(), filled(length, length));
  }
});

test("a full storage refuses the new document, keeps the old one and leaves no part behind", () => {
  const keyValue = new CuttableKeyValue();
  const store = open(keyValue);
  store.write(filled(2000, 1));
  const before = new Map(keyValue.values);
  for (let room = 0; room < 3000; room += 300) {
    keyValue.capacityBytes = keyValue.bytes + room;
    assert.throws(() => store.write(filled(4000, 2)), StorageError);
    assert.deepEqual(keyValue.values, before);
  }
  assert.deepEqual(store.read(), filled(2000, 1));
  keyValue.capacityBytes = Number.POSITIVE_INFINITY;
  store.write(filled(4000, 2));
  assert.deepEqual(open(keyValue).read(), filled(4000, 2));
});

test("refuses a document beyond its bound with the numbers", () => {
  const store = open(new CuttableKeyValue(), 1000);
  assert.throws(
    () => store.write(filled(1001, 1)),
    (error) =>
      error instanceof StorageError && /doc has 1001 bytes, may have 1000/.test(error.message),
  );
});

test("two documents under different names do not meet", () => {
  const keyValue = new CuttableKeyValue();
  const one = new DocumentStore(keyValue, "one", { bytesMax: 4000 });
  const two = new DocumentStore(keyValue, "two", { bytesMax: 4000 });
  one.write(filled(3000, 1));
  two.write(filled(3000, 2));
  one.delete();
  assert.deepEqual(two.read(), filled(3000, 2));
});

test("a lost, shortened, swapped or changed value gives null and never wrong bytes", () => {
  const pristine = new CuttableKeyValue();
  const store = open(pristine);
  store.write(filled(3000, 1));
  store.write(filled(3000, 2));
  const stale = new CuttableKeyValue();
  open(stale).write(filled(3000, 1));
  for (const key of keysOf(pristine)) {
    const value = pristine.values.get(key) ?? new Uint8Array();
    const damages: (Uint8Array | null)[] = [
      null,
      value.subarray(0, value.length - 1),
      new Uint8Array(0),
    ];
    for (let at = 0; at < value.length; at += 97)
      damages.push(value.map((byte, i) => byte ^ (i === at ? 16 : 0)));
    const other = stale.values.get(key.replace(".0.", ".1."));
    if (other !== undefined && key !== "doc") damages.push(other);
    for (const damage of damages) {
      const keyValue = pristine.clone();
      if (damage === null) keyValue.values.delete(key);
      else keyValue.values.set(key, damage);
      assert.equal(open(keyValue).read(), null, key);
      const mended = open(keyValue);
      mended.write(filled(1000, 3));
      assert.deepEqual(open(keyValue).read(), filled(1000, 3));
      assert.equal(keyValue.values.size, 2);
    }
  }
});

test("a document of a later format or a larger bound is left alone until it is replaced", () => {
  const keyValue = new CuttableKeyValue();
  open(keyValue).write(filled(3000, 1));
  assert.equal(open(keyValue, 2000).read(), null);
  assert.deepEqual(open(keyValue).read(), filled(3000, 1));
  const head = keyValue.values.get("doc") ?? new Uint8Array();
  head[0] = 2;
  const store = open(keyValue);
  assert.deepEqual([store.exists, store.read(), keyValue.values.size], [true, null, 4]);
  store.write(filled(900, 2));
  assert.deepEqual(keysOf(keyValue), ["doc", "doc.1.0"]);
});

test("goes on after the last generation number", () => {
  const keyValue = new CuttableKeyValue();
  open(keyValue).write(filled(2000, 1));
  const rename = (from: string, to: string): void => {
    keyValue.values.set(to, keyValue.values.get(from) ?? new Uint8Array());
    if (from !== to) keyValue.values.delete(from);
  };
  // the same document as generation 0xffffffff, which has the parity of generation 1
  const last = new CuttableKeyValue();
  for (const key of keysOf(keyValue)) rename(key, key);
  for (const [key, value] of keyValue.values) last.values.set(key, value.slice());
  for (const [key, value] of last.values)
    new DataView(value.buffer, value.byteOffset).setUint32(key === "doc" ? 4 : 0, 0xffffffff, true);
  const store = open(last);
  store.write(filled(2000, 2));
  assert.deepEqual(keysOf(last), ["doc", "doc.0.0", "doc.0.1"]);
  assert.deepEqual(open(last).read(), filled(2000, 2));
});

test("names and bounds that cannot be kept are errors of the program", () => {
  const keyValue = new CuttableKeyValue();
  const make = (name: string, bytesMax: number) => () =>
    new DocumentStore(keyValue, name, { bytesMax });
  assert.throws(make("", 100), RangeError);
  assert.throws(make("x".repeat(28), 100), RangeError);
  assert.throws(make("doc", 0), RangeError);
  assert.throws(make("doc", documentBytesMax + 1), RangeError);
  const store = new DocumentStore(keyValue, "x".repeat(27), { bytesMax: documentBytesMax });
  store.write(filled(documentBytesMax, 1));
  assert.equal(keyValue.values.size, 1 + partsMax);
});

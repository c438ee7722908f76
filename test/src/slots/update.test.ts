import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceLayout } from "../../../hosts/flash/board-layout.ts";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { cutAt, cutKinds, PowerCut } from "../../../hosts/flash/operation.ts";
import { bootDevice } from "../../../hosts/mcuboot-model/sluice-config.ts";
import { nodeCrypto } from "../../../hosts/release/node-crypto.ts";
import { plainImage, writeImage } from "../../../src/image/writer.ts";
import type { UpdatePartition } from "../../../src/slots/partition-area.ts";
import { createUpdate, mcubootTarget, type UpdateTarget } from "../../../src/slots/update.ts";
import { testSigner } from "../../support/image-signer.ts";

const layout = deviceLayout("esp32-4m");
const signer = testSigner(21);
const stranger = testSigner(22);
const sectorBytes = 4096;

/** ECMA-419 flash on one partition of a chip. */
function openPartition(
  chip: NorFlash,
  { offsetBytes: offset, sizeBytes: size } = layout.secondary,
  isReadOnly = false,
): UpdatePartition & { close(): void } {
  const area = chip.area(offset, size);
  let isOpen = true;
  const assertOpen = (): void => {
    if (!isOpen) throw new SyntaxError("closed");
  };
  return {
    close() {
      isOpen = false;
    },
    status() {
      assertOpen();
      return { size, blockLength: sectorBytes, writeAlign: chip.writeBlockBytes };
    },
    read(buffer, byteOffset) {
      assertOpen();
      area.read(byteOffset, buffer);
      return buffer.length;
    },
    write(buffer, byteOffset) {
      assertOpen();
      if (isReadOnly) throw new Error("read only");
      area.write(byteOffset, buffer.slice());
    },
    eraseBlock(start, end = start + 1) {
      assertOpen();
      area.erase(start * sectorBytes, (end - start) * sectorBytes);
    },
  };
}

const newChip = (writeBlockBytes: 4 | 32 = 4): NorFlash =>
  new NorFlash({ sizeBytes: layout.flashBytes, writeBlockBytes });

/** Takes whatever was written; remembers that it was asked. */
function lenientTarget(): UpdateTarget & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    trailerBytes: () => sectorBytes,
    validate() {
      asked.push("validate");
      return null;
    },
    request() {
      asked.push("request");
      return null;
    },
  };
}

const update = createUpdate(mcubootTarget(() => ({ keys: [signer.key], crypto: nodeCrypto })));

/** Bytes that tell their offset. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
}

async function image(payloadBytes: number, by = signer): Promise<Uint8Array> {
  const version = { major: 1, minor: 1, revision: 0, build: 0 };
  const options = { ...plainImage, version, securityCounter: 1 };
  const written = await writeImage(pattern(payloadBytes), options, nodeCrypto, [by]);
  if (!written.ok) throw new Error(written.reason);
  return written.image;
}

/** Throws exactly this class: ECMA-419 tells its errors by constructor. */
function throwsExactly(expected: ErrorConstructor, run: () => unknown): void {
  assert.throws(run, (error) => (error as Error).constructor === expected);
}

// Values that a caller in JavaScript can give and TypeScript would not let it.
const anything = (value: unknown): never => value as never;

test("open wants options, an open and writable partition, and a mode that it knows", () => {
  const chip = newChip();
  const partition = openPartition(chip);
  throwsExactly(TypeError, () => update.open(anything(undefined)));
  throwsExactly(Error, () => update.open(anything({})));
  throwsExactly(Error, () => update.open(anything({ mode: "a" })));
  throwsExactly(SyntaxError, () => update.open(anything({ partition: "image-1" })));
  throwsExactly(SyntaxError, () => update.open(anything({ partition: null })));
  for (const mode of ["r", "w+", "", 12, {}])
    throwsExactly(RangeError, () => update.open({ partition, mode: anything(mode) }));
  throwsExactly(TypeError, () => update.open({ partition, mode: anything(Symbol()) }));
  for (const mode of ["a", "w", undefined])
    update.open({ partition, mode: anything(mode) }).close();
  const readOnly = openPartition(chip, layout.secondary, true);
  throwsExactly(Error, () => update.open({ partition: readOnly }));
  partition.close();
  throwsExactly(SyntaxError, () => update.open({ partition }));
  assert.deepEqual({ ...chip.counts }, { erases: 0, writes: 0, bytesProgrammed: 0 });
});

test("open takes a length from 0 to the size of the partition", () => {
  const partition = openPartition(newChip());
  const { sizeBytes: size } = layout.secondary;
  for (const byteLength of [Number.NaN, "abcd", -1, 0.5, 2 ** 32, size + 1])
    throwsExactly(RangeError, () => update.open({ partition, byteLength: anything(byteLength) }));
  throwsExactly(TypeError, () => update.open({ partition, byteLength: anything(Symbol()) }));
  for (const byteLength of [0, 1, size]) update.open({ partition, byteLength }).close();
});

test("is over after close, which may be called again", () => {
  const opened = update.open({ partition: openPartition(newChip()) });
  opened.close();
  opened.close();
  throwsExactly(SyntaxError, () => opened.write(new Uint8Array(4)));
  throwsExactly(SyntaxError, () => opened.complete());
});

test("has the format buffer and no other", () => {
  const opened = update.open({ partition: openPartition(newChip()) });
  throwsExactly(RangeError, () => {
    opened.format = "number" as "buffer";
  });
  opened.format = "buffer";
  assert.equal(opened.format, "buffer");
});

test("writes buffers and views of bytes and nothing else", () => {
  const chip = newChip();
  const opened = update.open({ partition: openPartition(chip) });
  throwsExactly(SyntaxError, () => opened.write(anything(undefined)));
  for (const value of [1, "text", {}, null, [1, 2], new Uint32Array(1), new Uint16Array(1)])
    throwsExactly(TypeError, () => opened.write(anything(value)));
  const bytes = pattern(12);
  opened.write(bytes.slice(0, 4).buffer);
  opened.write(bytes.subarray(4, 8));
  opened.write(new DataView(bytes.buffer, 8, 4));
  assert.deepEqual(chip.peek(layout.secondary.offsetBytes, 12), bytes);
});

test("takes an offset in the mode w only, and there wants one", () => {
  const partition = openPartition(newChip());
  throwsExactly(Error, () => update.open({ partition }).write(new Uint8Array(4), 0));
  const scattered = update.open({ partition, mode: "w" });
  throwsExactly(SyntaxError, () => scattered.write(new Uint8Array(4)));
  for (const offset of [-4, 0.5, Number.NaN])
    throwsExactly(RangeError, () => scattered.write(new Uint8Array(4), offset));
});

test("takes no byte beyond the length, or else beyond the partition", () => {
  const partition = openPartition(newChip());
  const known = update.open({ partition, byteLength: 6 });
  known.write(new Uint8Array(5));
  throwsExactly(RangeError, () => known.write(new Uint8Array(2)));
  const scattered = update.open({ partition, mode: "w", byteLength: 6 });
  throwsExactly(RangeError, () => scattered.write(new Uint8Array(2), 5));
  const open = update.open({ partition, mode: "w" });
  throwsExactly(RangeError, () => open.write(new Uint8Array(4), layout.secondary.sizeBytes));
});

for (const pieceBytes of [1, 3, 4096 * 3 - 1, 100_000])
  test(`appends pieces of ${pieceBytes} bytes over flash that held something else`, () => {
    const chip = newChip();
    const { offsetBytes: offset, sizeBytes: size } = layout.secondary;
    chip.poke(offset, new Uint8Array(size)); // every bit programmed
    const target = lenientTarget();
    const bytes = pattern(30_001);
    const partition = openPartition(chip);
    const opened = createUpdate(target).open({ partition, byteLength: bytes.length });
    for (let at = 0; at < bytes.length; at += pieceBytes)
      opened.write(bytes.subarray(at, at + pieceBytes));
    opened.complete();
    assert.deepEqual(chip.peek(offset, bytes.length), bytes);
    assert.deepEqual(chip.peek(offset + bytes.length, 3), Uint8Array.of(255, 255, 255));
    assert.deepEqual(target.asked, ["validate", "request"]);
    assert.equal(chip.counts.erases, Math.ceil(bytes.length / sectorBytes) + 1); // one for the trailer
  });

for (const [name, order] of [
  ["interleaved", (index: number) => (index % 2 === 0 ? index / 2 : 100 + index)],
  ["backwards", (index: number) => -index],
] as const)
  test(`takes pieces of odd size ${name} in the mode w`, () => {
    const chip = newChip();
    const { offsetBytes: offset, sizeBytes: size } = layout.secondary;
    chip.poke(offset, new Uint8Array(size));
    const bytes = pattern(50_003);
    const pieceBytes = 4096 * 3 - 1;
    const starts = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) => index)
      .toSorted((left, right) => order(left) - order(right))
      .map((index) => index * pieceBytes);
    const target = lenientTarget();
    const partition = openPartition(chip);
    const opened = createUpdate(target).open({ partition, mode: "w", byteLength: bytes.length });
    for (const start of starts) opened.write(bytes.subarray(start, start + pieceBytes), start);
    opened.complete();
    assert.deepEqual(chip.peek(offset, bytes.length), bytes);
  });

test("takes in the mode w only whole blocks of flash that can be programmed once", () => {
  const opened = createUpdate(lenientTarget()).open({
    partition: openPartition(newChip(32)),
    mode: "w",
  });
  opened.write(new Uint8Array(64), 32);
  throwsExactly(Error, () => opened.write(new Uint8Array(31), 128));
});

test("completes only with all the bytes, and only once", () => {
  const target = lenientTarget();
  const partition = openPartition(newChip());
  const { open } = createUpdate(target);
  throwsExactly(Error, () => open({ partition }).complete());
  const short = open({ partition, byteLength: 8 });
  short.write(new Uint8Array(7));
  throwsExactly(Error, () => short.complete());
  throwsExactly(Error, () => short.write(new Uint8Array(1)));
  assert.deepEqual(target.asked, []);
  const whole = open({ partition, byteLength: 8 });
  whole.write(new Uint8Array(8));
  whole.complete();
  throwsExactly(Error, () => whole.complete());
  throwsExactly(Error, () => whole.write(new Uint8Array(0)));
  whole.close();
});

test("has the bootloader try an image that a trusted key signed", async () => {
  const chip = newChip();
  const first = await image(20_000);
  chip.area(layout.primary.offsetBytes, layout.primary.sizeBytes).write(0, padded(first));
  const second = await image(61_000);
  const opened = update.open({ partition: openPartition(chip), byteLength: second.length });
  for (let at = 0; at < second.length; at += 1000) opened.write(second.subarray(at, at + 1000));
  opened.complete();
  const outcome = bootDevice(chip, layout, [signer.key]);
  assert.equal(outcome.outcome, "booted");
  assert.equal(outcome.swapRan, true);
  assert.deepEqual(chip.peek(layout.primary.offsetBytes, second.length), second);
});

test("asks the bootloader for nothing when the image is refused, and names why", async () => {
  const strange = await image(5000, stranger);
  const torn = (await image(5000)).map((byte, index) => (index === 300 ? byte ^ 1 : byte));
  for (const [bytes, reason] of [
    [strange, /signature-untrusted/],
    [torn, /hash-mismatch/],
    [pattern(5000), /refused/],
  ] as const) {
    const chip = newChip();
    const opened = update.open({ partition: openPartition(chip) });
    opened.write(bytes);
    assert.throws(() => opened.complete(), reason);
    assert.deepEqual(trailerOf(chip), new Uint8Array(64).fill(0xff));
  }
});

test("asks for nothing when it was closed before it was complete", async () => {
  const chip = newChip();
  const opened = update.open({ partition: openPartition(chip) });
  opened.write(await image(5000));
  opened.close();
  assert.deepEqual(trailerOf(chip), new Uint8Array(64).fill(0xff));
});

test("erases an earlier request before anything else, so that no cut can leave it over half an image", async () => {
  const before = newChip();
  const first = await image(9000);
  before.area(layout.primary.offsetBytes, layout.primary.sizeBytes).write(0, padded(first));
  const offered = update.open({ partition: openPartition(before) });
  offered.write(await image(30_000));
  offered.complete();
  const clean = before.clone();
  const run = (chip: NorFlash): void => {
    const again = update.open({ partition: openPartition(chip) });
    again.write(pattern(30_000));
  };
  run(clean);
  const operations = clean.counts.erases + clean.counts.writes;
  for (let index = 0; index < operations; index += 1)
    for (const kind of cutKinds) {
      const chip = before.clone();
      chip.faultHook = cutAt(index, kind);
      try {
        run(chip);
      } catch (error) {
        if (!(error instanceof Error) || !/power is off/.test(error.message)) throw error;
      }
      chip.faultHook = null;
      const outcome = bootDevice(chip, layout, [signer.key]);
      assert.equal(outcome.outcome, "booted", `cut ${index} ${kind}`);
      // At the first erase the old request may still stand, and then over its whole image.
      const runs = chip.peek(layout.primary.offsetBytes, first.length);
      if (index > 0) assert.deepEqual(runs, first, `cut ${index} ${kind}`);
    }
});

test("reports a flash that fails as an Error", () => {
  const chip = newChip();
  const opened = createUpdate(lenientTarget()).open({ partition: openPartition(chip) });
  chip.faultHook = cutAt(0, "clean");
  throwsExactly(Error, () => opened.write(new Uint8Array(8)));
  assert.throws(() => chip.area(0, 4096).read(0, new Uint8Array(1)), PowerCut);
});

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4).fill(0xff);
  whole.set(bytes);
  return whole;
}

function trailerOf(chip: NorFlash): Uint8Array {
  return chip.peek(layout.secondary.offsetBytes + layout.secondary.sizeBytes - 64, 64);
}

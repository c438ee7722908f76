import assert from "node:assert/strict";
import { test } from "node:test";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { bootloaderProgram } from "../../../hosts/mcuboot-model/bootloader-program.ts";
import {
  type BootloaderRecord,
  encodeBootloaderRecord,
} from "../../../src/image/bootloader-record.ts";
import { FlashError } from "../../../src/ports/flash.ts";
import {
  type BootloaderArea,
  describeBootloader,
  findBootloader,
  refusalOf,
} from "../../../src/slots/bootloader.ts";

const partitionBytes = 65_536;
const slotBytes = 0x1c0000;
const record: BootloaderRecord = {
  mode: "swap-using-move",
  signature: "ecdsa-p256",
  maxAlignBytes: 8,
  writeBlockBytes: 4,
  sectorBytes: 4096,
  imageSectorsMax: 448,
  primary: { offsetBytes: 0x20000, sizeBytes: slotBytes },
  secondary: { offsetBytes: 0x1e0000, sizeBytes: slotBytes },
  trialBoots: 3,
  watchdogMs: 60_000,
  validatesPrimary: true,
  downgradePrevention: "security-counter",
};

/** A partition that holds these bytes and is erased behind them; counts what is read of it. */
function partition(bytes: Uint8Array): BootloaderArea & { readBytes: number } {
  const whole = new Uint8Array(partitionBytes).fill(0xff);
  whole.set(bytes);
  const area = {
    sizeBytes: partitionBytes,
    readBytes: 0,
    read(offset: number, into: Uint8Array): void {
      assert.ok(
        offset >= 0 && offset + into.length <= partitionBytes,
        `${into.length} at ${offset}`,
      );
      into.set(whole.subarray(offset, offset + into.length));
      area.readBytes += into.length;
    },
  };
  return area;
}

/** A program whose one segment has `segmentBytes`, with the record so far into it. */
function program(recordAt: number, segmentBytes: number): Uint8Array {
  const bytes = new Uint8Array(32 + segmentBytes).fill(0x53); // the first byte of the magic, everywhere
  bytes.set(bootloaderProgram(record).subarray(0, 32));
  new DataView(bytes.buffer).setUint32(28, segmentBytes, true);
  bytes.set(encodeBootloaderRecord(record), 32 + recordAt);
  return bytes;
}

test("finds the record at any place, also across the pieces that it reads", () => {
  for (const at of [0, 1, 900, 928, 929, 930, 959, 960, 1023, 1024, 5000, 60_000])
    assert.deepEqual(
      findBootloader(partition(program(at, 60_064))),
      { kind: "stated", record },
      `at ${at}`,
    );
});

test("reads no more than about the program, once", () => {
  const area = partition(program(59_000, 60_000));
  findBootloader(area);
  assert.ok(area.readBytes < 1.1 * 60_000, `${area.readBytes} bytes`);
});

test("takes no record that an older and longer bootloader left behind the program", () => {
  const bytes = new Uint8Array(4096).fill(0xff);
  bytes.set(program(0, 56).fill(0, 32, 88));
  bytes.set(encodeBootloaderRecord(record), 200);
  assert.deepEqual(findBootloader(partition(bytes)), { kind: "no-record" });
});

test("takes no record whose end lies behind the program", () => {
  const bytes = program(10, 200);
  new DataView(bytes.buffer).setUint32(28, 65, true);
  assert.deepEqual(findBootloader(partition(bytes)), { kind: "no-record" });
});

test("finds nothing where no program lies, or one with absurd segments", () => {
  const tooMany = program(0, 60);
  tooMany[1] = 200;
  const tooLong = program(0, 60);
  tooLong[1] = 2;
  new DataView(tooLong.buffer).setUint32(28, 0xffff_fff0, true);
  for (const bytes of [new Uint8Array(0), new Uint8Array(100), tooMany, tooLong])
    assert.deepEqual(findBootloader(partition(bytes)), { kind: "no-record" });
});

test("tells a broken record from none, and neither from a flash that cannot be read", () => {
  const broken = program(40, 200);
  broken[32 + 40 + 16] = 9;
  assert.deepEqual(findBootloader(partition(broken)), { kind: "malformed" });
  const failing = {
    sizeBytes: partitionBytes,
    read: () => {
      throw new FlashError("read on mcuboot: timeout");
    },
  };
  assert.deepEqual(findBootloader(failing), { kind: "flash-error" });
  assert.deepEqual(findBootloader(undefined), { kind: "not-told" });
});

const chip = new NorFlash({ sizeBytes: 4 * 1024 * 1024, writeBlockBytes: 4 });
const built = {
  maxAlignBytes: 8,
  flash: {
    primary: chip.area(0x20000, slotBytes),
    secondary: chip.area(0x1e0000, slotBytes),
    bootctl: null,
    slotOffsets: { primary: 0x20000, secondary: 0x1e0000 },
  },
};

test("installs under a bootloader that works as the firmware does", () => {
  assert.equal(refusalOf({ kind: "stated", record }, "refuse", built), null);
});

const differences: ReadonlyArray<readonly [Partial<BootloaderRecord>, string]> = [
  [{ mode: "overwrite-only" }, "works by overwrite-only, this firmware by swap-using-move"],
  [{ mode: "swap-using-offset" }, "works by swap-using-offset, this firmware by swap-using-move"],
  [{ signature: "ed25519" }, "takes images signed with ed25519, this firmware with ecdsa-p256"],
  [{ maxAlignBytes: 32 }, "aligns trailers to 32, this firmware 8"],
  [{ writeBlockBytes: 16 }, "writes blocks of 16, this firmware 4"],
  [{ sectorBytes: 8192 }, "erases sectors of 8192, this firmware 4096"],
  [{ imageSectorsMax: 128 }, "counts the sectors of a slot as 128, this firmware 448"],
  [
    { primary: { offsetBytes: 0x20000, sizeBytes: slotBytes + 4096 } },
    "has a primary slot of 1839104, this firmware 1835008",
  ],
  [
    { secondary: { offsetBytes: 0x1e0000, sizeBytes: slotBytes - 4096 } },
    "has a secondary slot of 1830912, this firmware 1835008",
  ],
  [
    { primary: { offsetBytes: 0x10000, sizeBytes: slotBytes } },
    "has its primary slot at 65536, this firmware 131072",
  ],
  [
    { secondary: { offsetBytes: 0x200000, sizeBytes: slotBytes } },
    "has its secondary slot at 2097152, this firmware 1966080",
  ],
];

for (const [change, says] of differences)
  test(`refuses a bootloader that ${says}, whatever is done about unknown ones`, () => {
    const finding = { kind: "stated", record: { ...record, ...change } } as const;
    for (const unknown of ["refuse", "accept"] as const)
      assert.deepEqual(refusalOf(finding, unknown, built), {
        reason: "bootloader-mode",
        message: `the bootloader ${says}`,
      });
  });

test("holds no offsets against a bootloader on a board that does not tell them", () => {
  const { slotOffsets: _, ...flash } = built.flash;
  const elsewhere = { ...record, primary: { ...record.primary, offsetBytes: 0 } };
  const finding = { kind: "stated", record: elsewhere } as const;
  assert.equal(refusalOf(finding, "refuse", { ...built, flash }), null);
});

test("refuses a bootloader that says nothing, unless the build accepts those", () => {
  for (const kind of ["no-record", "malformed"] as const) {
    const refusal = refusalOf({ kind }, "refuse", built);
    assert.equal(refusal?.reason, "bootloader-mode");
    assert.match(refusal?.message ?? "", /unknownBootloader=accept/);
    assert.equal(refusalOf({ kind }, "accept", built), null);
  }
});

test("refuses while the bootloader cannot be read, and asks nothing of a board that tells nothing", () => {
  assert.equal(refusalOf({ kind: "flash-error" }, "accept", built)?.reason, "flash-error");
  assert.equal(refusalOf({ kind: "not-told" }, "refuse", built), null);
});

test("is described in a line that fits an attribute of hawkBit", () => {
  const longest = { ...record, mode: "swap-using-scratch", watchdogMs: 60_500 } as const;
  const text = describeBootloader({ kind: "stated", record: longest });
  assert.equal(
    text,
    "swap-using-scratch;ecdsa-p256;align=8/4;slot=1835008/448;boots=3;watchdog=60.5;validates;downgrade=security-counter",
  );
  assert.ok(text.length <= 128);
  assert.equal(describeBootloader({ kind: "no-record" }), "unknown (no-record)");
});

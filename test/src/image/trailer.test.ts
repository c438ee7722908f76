import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../../src/image/hex.ts";
import { bytesSource } from "../../../src/image/source.ts";
import {
  confirmWrites,
  readTrailer,
  type SlotTrailer,
  statusEntries,
  swapRequestWrites,
  type TrailerPlace,
  type TrailerShape,
  type TrailerWrite,
  trailerBytes,
  trailerOffsets,
} from "../../../src/image/trailer.ts";
import {
  loadMcubootVectors,
  type VectorConfig,
  VectorFlash,
  type VectorSlot,
  type VectorTrailer,
} from "../../support/mcuboot-vectors.ts";
import { skipWithoutVectors } from "../../support/vectors.ts";

const slotBytes = 65536;
const move: TrailerShape = {
  upgradeMode: "swap-using-move",
  maxAlignBytes: 8,
  writeBlockBytes: 4,
  imageSectorsMax: 16,
};
const plain: TrailerPlace = { shape: move, slotBytes };
const encrypted: TrailerPlace = {
  shape: { ...move, maxAlignBytes: 32, writeBlockBytes: 32 },
  slotBytes,
};
const blank: SlotTrailer = {
  magic: "unset",
  imageOk: "unset",
  copyDone: "unset",
  swapType: "none",
  imageIndex: 0,
  swapBytes: null,
};

test("places the fields from the end of the slot for both alignments", () => {
  assert.deepEqual(trailerOffsets(plain), {
    magic: 65536 - 16,
    imageOk: 65536 - 24,
    copyDone: 65536 - 32,
    swapInfo: 65536 - 40,
    tlvSizes: null,
    swapSize: 65536 - 48,
    status: 65536 - 240,
  });
  assert.deepEqual(trailerOffsets(encrypted), {
    magic: 65536 - 16,
    imageOk: 65536 - 64,
    copyDone: 65536 - 96,
    swapInfo: 65536 - 128,
    tlvSizes: null,
    swapSize: 65536 - 160,
    status: 65536 - 1696,
  });
});

test("throws when the slot cannot hold the trailer", () => {
  assert.throws(() => trailerOffsets({ shape: move, slotBytes: 239 }), /240 bytes .* 239 bytes/);
});

const requests: ReadonlyArray<{
  name: string;
  place: TrailerPlace;
  kind: "test" | "permanent";
  writes: ReadonlyArray<readonly [number, string]>;
}> = [
  {
    name: "a test upgrade with plain flash",
    place: plain,
    kind: "test",
    writes: [
      [65520, "77c295f360d2ef7f3552500f2cb67980"],
      [65496, "02ffffff"],
    ],
  },
  {
    name: "a permanent upgrade with plain flash",
    place: plain,
    kind: "permanent",
    writes: [
      [65520, "77c295f360d2ef7f3552500f2cb67980"],
      [65512, "01ffffff"],
      [65496, "03ffffff"],
    ],
  },
  {
    name: "a test upgrade with flash encryption",
    place: encrypted,
    kind: "test",
    writes: [
      [65504, `${"ff".repeat(16)}20002de15d29410b8d77679c110f1f8a`],
      [65408, `02${"ff".repeat(31)}`],
    ],
  },
  {
    name: "a permanent upgrade with flash encryption",
    place: encrypted,
    kind: "permanent",
    writes: [
      [65504, `${"ff".repeat(16)}20002de15d29410b8d77679c110f1f8a`],
      [65472, `01${"ff".repeat(31)}`],
      [65408, `03${"ff".repeat(31)}`],
    ],
  },
];

for (const { name, place, kind, writes } of requests) {
  test(`requests ${name} with these writes, and reads them back`, () => {
    const plan = swapRequestWrites(blank, place, kind);
    assert.ok(plan.ok);
    assert.deepEqual(hexWrites(plan.writes), writes);
    const expected = { ...blank, magic: "good", swapType: kind };
    assert.deepEqual(readTrailer(bytesSource(slotAfter(place, plan.writes)), place.shape), {
      ...expected,
      imageOk: kind === "permanent" ? "set" : "unset",
    });
  });
}

test("a cut after the first write of a permanent request leaves a test request", () => {
  const plan = swapRequestWrites(blank, plain, "permanent");
  assert.ok(plan.ok);
  const trailer = readTrailer(bytesSource(slotAfter(plain, plan.writes.slice(0, 1))), move);
  assert.deepEqual([trailer.magic, trailer.imageOk], ["good", "unset"]);
});

test("a second request writes nothing, and a bad magic is refused", () => {
  const good: SlotTrailer = { ...blank, magic: "good", swapType: "test" };
  assert.deepEqual(swapRequestWrites(good, plain, "permanent"), { ok: true, writes: [] });
  assert.deepEqual(swapRequestWrites({ ...blank, magic: "bad" }, plain, "test"), {
    ok: false,
    reason: "trailer-magic-bad",
  });
});

test("confirming sets image_ok once, and only where a trailer asks for it", () => {
  const trial: SlotTrailer = { ...blank, magic: "good", copyDone: "set", swapType: "test" };
  const writes = (trailer: SlotTrailer, place = plain) => {
    const plan = confirmWrites(trailer, place);
    return plan.ok ? hexWrites(plan.writes) : plan.reason;
  };
  assert.deepEqual(writes(trial), [[65512, "01ffffff"]]);
  assert.deepEqual(writes(trial, encrypted), [[65472, `01${"ff".repeat(31)}`]]);
  assert.deepEqual(writes({ ...trial, imageOk: "set" }), []);
  assert.deepEqual(writes({ ...trial, imageOk: "bad" }), []);
  assert.deepEqual(writes(blank), []);
  assert.deepEqual(writes({ ...trial, magic: "bad" }), "trailer-magic-bad");
});

test("reads torn flags and a torn magic as bad, and other swap types as none", () => {
  const offsets = trailerOffsets(plain);
  const slot = new Uint8Array(slotBytes).fill(0xff);
  slot[offsets.magic] = 0x77;
  slot[offsets.imageOk] = 0x0f;
  slot[offsets.copyDone] = 0x00;
  slot[offsets.swapInfo] = 0x25;
  slot.set([0x10, 0x20, 0x00, 0x00], offsets.swapSize);
  assert.deepEqual(readTrailer(bytesSource(slot), move), {
    magic: "bad",
    imageOk: "bad",
    copyDone: "bad",
    swapType: "none",
    imageIndex: 0,
    swapBytes: 0x2010,
  });
  slot[offsets.swapInfo] = 0x14;
  const trailer = readTrailer(bytesSource(slot), move);
  assert.deepEqual([trailer.swapType, trailer.imageIndex], ["revert", 1]);
});

test("the magic of one alignment is bad under another", () => {
  const plan = swapRequestWrites(blank, encrypted, "test");
  assert.ok(plan.ok);
  const slot = slotAfter(encrypted, plan.writes);
  assert.equal(readTrailer(bytesSource(slot), move).magic, "bad");
});

test("reads any bytes as a trailer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 240, maxLength: 240 }), (bytes) => {
      const trailer = readTrailer(bytesSource(bytes), move);
      assert.ok(["good", "bad", "unset"].includes(trailer.magic));
    }),
  );
});

describe("recorded trailers", { skip: skipWithoutVectors }, () => {
  test("size and offsets agree with every recorded configuration", () => {
    for (const [name, config] of Object.entries(loadMcubootVectors().configs)) {
      const shape = shapeOf(config);
      assert.equal(trailerBytes(shape), config.trailer_size, name);
      for (const slot of ["primary", "secondary"] as const) {
        const recorded = config.trailer_field_offsets[slot];
        const offsets = trailerOffsets({ shape, slotBytes: recorded.size });
        assert.equal(offsets.magic, recorded.magic, name);
        assert.equal(offsets.imageOk, recorded.image_ok, name);
        assert.equal(offsets.copyDone, recorded.copy_done, name);
        assert.equal(offsets.swapInfo, recorded.swap_info, name);
        assert.equal(offsets.swapSize, recorded.swap_size, name);
        assert.equal(offsets.status, recorded.status, name);
        assert.equal(statusEntries(shape), recorded.status_entries, name);
      }
    }
  });

  test("every recorded call of an application is planned byte for byte", () => {
    const vectors = loadMcubootVectors();
    const flash = new VectorFlash();
    let calls = 0;
    for (const scenario of vectors.scenarios) {
      const config = vectors.configs[scenario.config] as VectorConfig;
      const layout = vectors.layouts[config.layout];
      assert.ok(layout);
      let before = scenario.initial_flash;
      for (const step of scenario.steps) {
        if (step.op === "app" && step.cut === undefined) {
          const isConfirm = step.call.startsWith("boot_set_confirmed");
          const slot: VectorSlot = isConfirm ? layout.primary : layout.secondary;
          const place = { shape: shapeOf(config), slotBytes: slot.size };
          const trailer = readTrailer(bytesSource(flash.read(before, slot)), place.shape);
          const kind = step.call.endsWith("1)") ? "permanent" : "test";
          const plan = isConfirm
            ? confirmWrites(trailer, place)
            : swapRequestWrites(trailer, place, kind);
          assert.equal(plan.ok, step.rc === 0, scenario.id);
          const recorded = step.writes.map(([at, hex]) => [Number(at) - slot.offset, hex]);
          assert.deepEqual(plan.ok ? hexWrites(plan.writes) : [], recorded, scenario.id);
          calls += 1;
        }
        before = step.flash_after;
      }
    }
    assert.ok(calls > 200, `${calls} calls`);
  });

  test("every recorded trailer reads as MCUboot read it", () => {
    const vectors = loadMcubootVectors();
    const flash = new VectorFlash();
    for (const scenario of vectors.scenarios) {
      const config = vectors.configs[scenario.config] as VectorConfig;
      const layout = vectors.layouts[config.layout];
      assert.ok(layout);
      for (const [index, step] of scenario.steps.entries()) {
        if (step.op !== "app" && step.op !== "boot") continue;
        const recorded = step.op === "app" ? step.trailers_after : step.expect.trailers_after;
        for (const slot of ["primary", "secondary"] as const) {
          const bytes = flash.read(step.flash_after, layout[slot]);
          const trailer = readTrailer(bytesSource(bytes), shapeOf(config));
          assert.deepEqual(trailer, asRecorded(recorded[slot]), `${scenario.id} step ${index}`);
        }
      }
    }
  });
});

function shapeOf(config: VectorConfig): TrailerShape {
  return {
    upgradeMode: config.flags.upgrade_mode,
    maxAlignBytes: config.flags.max_align === 32 ? 32 : 8,
    writeBlockBytes: config.flags.write_size,
    imageSectorsMax: config.flags.max_img_sectors,
  };
}

function asRecorded(recorded: VectorTrailer): SlotTrailer {
  const { magic, swap_type, copy_done, image_ok, image_num, swap_size } = recorded;
  return {
    magic,
    imageOk: image_ok,
    copyDone: copy_done,
    swapType: swap_type === "perm" ? "permanent" : (swap_type as SlotTrailer["swapType"]),
    imageIndex: image_num,
    swapBytes: swap_size,
  };
}

function hexWrites(writes: readonly TrailerWrite[]): Array<[number, string]> {
  return writes.map(({ offsetBytes, bytes }) => [offsetBytes, toHex(bytes)]);
}

function slotAfter(place: TrailerPlace, writes: readonly TrailerWrite[]): Uint8Array {
  const slot = new Uint8Array(place.slotBytes).fill(0xff);
  for (const { offsetBytes, bytes } of writes) slot.set(bytes, offsetBytes);
  return slot;
}

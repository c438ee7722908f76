import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type EnergyConstants,
  estimatedEnergyConstants,
  estimateEnergy,
  type WorkLeft,
} from "../../../src/policy/energy.ts";

/** Round numbers: 1 mWh is 3,600 mJ. */
const constants: EnergyConstants = {
  capacityMilliwattHours: 1000,
  radioMillijoulesPerKibibyte: 36,
  eraseMillijoulesPerSector: 60,
  writeMillijoulesPerSector: 12,
  bootMillijoules: 360,
  trialMillijoulesPerSecond: 180,
};

const nothing: WorkLeft = {
  downloadBytes: 0,
  swapBytes: 0,
  trialBoots: 0,
  trialSecondsPerBoot: 0,
};

test("each step costs what its constants say", () => {
  const rows: ReadonlyArray<
    readonly [Partial<WorkLeft>, readonly [number, number, number, number]]
  > = [
    [{}, [0, 0, 0, 0]],
    // 100 KiB by radio, 25 sectors erased and programmed
    [{ downloadBytes: 102_400 }, [(100 * 36 + 25 * 72) / 3600, 0, 0, 0]],
    [{ downloadBytes: 1 }, [(36 / 1024 + 72) / 3600, 0, 0, 0]],
    // three moves of each sector and four trailer sectors; the way back boots once more
    [{ swapBytes: 40_960 }, [0, (30 * 72 + 240) / 3600, 0, (30 * 72 + 240 + 360) / 3600]],
    [{ trialBoots: 3, trialSecondsPerBoot: 60 }, [0, 0, (3 * (360 + 60 * 180)) / 3600, 0]],
    [{ trialSecondsPerBoot: 60 }, [0, 0, 0, 0]],
    [{ downloadBytes: -1, swapBytes: Number.NaN, trialBoots: -3 }, [0, 0, 0, 0]],
  ];
  for (const [work, [download, swap, trial, revert]] of rows) {
    const estimate = estimateEnergy({ ...nothing, ...work }, constants);
    assert.deepEqual(
      [
        estimate.downloadMilliwattHours,
        estimate.swapMilliwattHours,
        estimate.trialMilliwattHours,
        estimate.revertMilliwattHours,
      ],
      [download, swap, trial, revert],
    );
    const total = download + swap + trial + revert;
    assert.ok(Math.abs(estimate.totalMilliwattHours - total) < 1e-9);
    assert.ok(Math.abs(estimate.totalPercent - total / 10) < 1e-9);
  }
});

test("an unknown capacity leaves the share at 0 and the energy as it is", () => {
  const work = { ...nothing, swapBytes: 40_960 };
  for (const capacityMilliwattHours of [null, 0]) {
    const estimate = estimateEnergy(work, { ...constants, capacityMilliwattHours });
    assert.equal(estimate.totalPercent, 0);
    assert.ok(estimate.totalMilliwattHours > 0);
  }
});

test("the estimate falls as the update goes on", () => {
  const anyWork = fc.record(
    {
      downloadBytes: fc.nat(16 << 20),
      swapBytes: fc.nat(16 << 20),
      trialBoots: fc.nat(3),
      trialSecondsPerBoot: fc.nat(600),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(anyWork, fc.nat(1 << 20), (work, done) => {
      const before = estimateEnergy(work, estimatedEnergyConstants);
      const after = estimateEnergy(
        { ...work, downloadBytes: Math.max(0, work.downloadBytes - done) },
        estimatedEnergyConstants,
      );
      assert.ok(after.totalMilliwattHours <= before.totalMilliwattHours);
      assert.ok(after.totalPercent >= 0 && Number.isFinite(after.totalPercent));
    }),
  );
});

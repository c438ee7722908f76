import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultPowerThresholds, powerAllows } from "../../../src/policy/power.ts";

const thresholds = { downloadPercentMin: 20, activatePercentMin: 30 };

for (const [batteryPercent, charging, download, activate] of [
  [null, false, true, true],
  [null, true, true, true],
  [0, true, true, true],
  [0, false, false, false],
  [19, false, false, false],
  [20, false, true, false],
  [29, false, true, false],
  [30, false, true, true],
  [100, false, true, true],
] as const)
  test(`at ${batteryPercent} %, ${charging ? "charging" : "not charging"}: download ${download}, activate ${activate}`, () => {
    const reading = { batteryPercent, charging };
    assert.equal(powerAllows("download", reading, thresholds), download);
    assert.equal(powerAllows("activate", reading, thresholds), activate);
  });

test("asks more for the swap than for the download, which can stop anywhere", () => {
  const { downloadPercentMin, activatePercentMin } = defaultPowerThresholds;
  assert.ok(activatePercentMin >= downloadPercentMin);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { estimateEnergy, type WorkLeft } from "../../../src/policy/energy.ts";
import {
  decidePower,
  defaultPowerPolicy,
  defaultPowerThresholds,
  describeDeferral,
  type PowerFacts,
  type PowerPolicy,
  powerFacts,
} from "../../../src/policy/power.ts";

const thresholds = { downloadPercentMin: 20, activatePercentMin: 30 };

test("asks more for the swap than for the download, which can stop anywhere", () => {
  const { downloadPercentMin, activatePercentMin } = defaultPowerThresholds;
  assert.ok(activatePercentMin >= downloadPercentMin);
});

const noWork: WorkLeft = {
  downloadBytes: 0,
  swapBytes: 0,
  trialBoots: 0,
  trialSecondsPerBoot: 0,
};
/** 30 % of the battery below: 3 boots of 60 s at 1,000 mW are 150 mWh of 500. */
const costly: WorkLeft = { ...noWork, trialBoots: 3, trialSecondsPerBoot: 60 };
const policy: PowerPolicy = {
  thresholds,
  reservePercent: 10,
  hysteresisPercent: 5,
  energy: {
    capacityMilliwattHours: 500,
    radioMillijoulesPerKibibyte: 1,
    eraseMillijoulesPerSector: 1,
    writeMillijoulesPerSector: 1,
    bootMillijoules: 0,
    trialMillijoulesPerSecond: 3000,
  },
};
const onBattery = (batteryPercent: number): PowerFacts => ({
  batteryPercent,
  charging: false,
  supply: "battery",
});
const charging = (batteryPercent: number): PowerFacts => ({
  ...onBattery(batteryPercent),
  charging: true,
});
const onMains = (batteryPercent: number): PowerFacts => ({
  ...onBattery(batteryPercent),
  supply: "mains",
});

for (const [name, step, power, work, wasDeferred, expected] of [
  [
    "no battery",
    "activate",
    powerFacts({ batteryPercent: null, charging: false }),
    costly,
    false,
    null,
  ],
  ["mains with an empty reserve", "activate", onMains(0), costly, false, null],
  ["the download's threshold", "download", onBattery(20), noWork, false, null],
  ["just below it", "download", onBattery(19.9), noWork, false, ["low-battery", 20]],
  ["the activation threshold", "activate", onBattery(30), noWork, false, null],
  ["just below it", "activate", onBattery(29), noWork, false, ["low-battery", 30]],
  ["what the estimate and the reserve ask for", "activate", onBattery(40), costly, false, null],
  ["just below that", "activate", onBattery(39), costly, false, ["energy", 40]],
  ["below both", "activate", onBattery(10), costly, false, ["low-battery", 40]],
  [
    "a download whose swap could not follow",
    "download",
    onBattery(39),
    costly,
    false,
    ["energy", 40],
  ],
  ["a deferred update at what it needed", "activate", onBattery(40), costly, true, ["energy", 45]],
  ["a deferred update with hysteresis", "activate", onBattery(45), costly, true, null],
  [
    "a deferred download at its threshold",
    "download",
    onBattery(20),
    noWork,
    true,
    ["low-battery", 25],
  ],
  ["a charging download at any charge", "download", charging(1), costly, true, null],
  ["a charging swap, whatever the estimate", "activate", charging(30), costly, false, null],
  [
    "a charging swap below its threshold",
    "activate",
    charging(29),
    noWork,
    false,
    ["low-battery", 30],
  ],
  ["a charging swap with hysteresis", "activate", charging(34), noWork, true, ["low-battery", 35]],
  [
    "a gauge without a number",
    "download",
    onBattery(Number.NaN),
    noWork,
    false,
    ["low-battery", 20],
  ],
] as const)
  test(`${expected === null ? "allows" : `defers for ${expected[0]}`}: ${step} at ${name}`, () => {
    const decision = decidePower({ step, power, work, wasDeferred }, policy);
    const found = decision.allowed ? null : [decision.reason, decision.neededPercent];
    assert.deepEqual(found, expected);
    assert.deepEqual(decision.estimate, estimateEnergy(work, policy.energy));
  });

test("says how much is there, how much is needed and what for", () => {
  const question = {
    step: "activate",
    power: onBattery(22.7),
    work: costly,
    wasDeferred: false,
  } as const;
  const decision = decidePower(question, policy);
  assert.ok(!decision.allowed);
  assert.equal(
    describeDeferral(decision),
    "battery 22 %, needs 40 %, for 150.0 mWh (30.0 %) to go",
  );
});

test("a full battery is not kept waiting by hysteresis alone", () => {
  const high = { ...policy, thresholds: { downloadPercentMin: 98, activatePercentMin: 98 } };
  const question = {
    step: "activate",
    power: onBattery(100),
    work: noWork,
    wasDeferred: true,
  } as const;
  assert.equal(decidePower(question, high).allowed, true);
});

test("an update that needs more than a full battery waits for the charger and says so", () => {
  const question = {
    step: "activate",
    power: onBattery(100),
    work: { ...costly, trialBoots: 30 },
    wasDeferred: false,
  } as const;
  const decision = decidePower(question, policy);
  assert.equal(!decision.allowed && decision.neededPercent, 310);
  assert.equal(decidePower({ ...question, power: charging(100) }, policy).allowed, true);
});

const anyPower: fc.Arbitrary<PowerFacts> = fc.record(
  {
    batteryPercent: fc.option(fc.double()),
    charging: fc.boolean(),
    supply: fc.constantFrom("mains", "battery"),
  },
  { noNullPrototype: true },
);
const anyWork: fc.Arbitrary<WorkLeft> = fc.record(
  {
    downloadBytes: fc.double(),
    swapBytes: fc.double(),
    trialBoots: fc.double(),
    trialSecondsPerBoot: fc.double(),
  },
  { noNullPrototype: true },
);

test("never swaps on a battery below the activation threshold, whatever the estimate and the charger say", () => {
  fc.assert(
    fc.property(anyPower, anyWork, fc.boolean(), (power, work, wasDeferred) => {
      const decision = decidePower(
        { step: "activate", power, work, wasDeferred },
        defaultPowerPolicy,
      );
      if (power.supply === "mains" || power.batteryPercent === null) assert.ok(decision.allowed);
      else if (decision.allowed)
        assert.ok(power.batteryPercent >= defaultPowerThresholds.activatePercentMin);
    }),
  );
});

test("more charge never turns a yes into a no, and a deferral never makes a yes easier", () => {
  fc.assert(
    fc.property(
      anyPower,
      anyWork,
      fc.constantFrom("download", "activate"),
      fc.double({ min: 0, max: 100, noNaN: true }),
      (power, work, step, more) => {
        const question = { step, power, work, wasDeferred: false } as const;
        const allowed = decidePower(question, defaultPowerPolicy).allowed;
        const charged = power.batteryPercent === null ? null : Math.max(power.batteryPercent, more);
        const richer = { ...question, power: { ...power, batteryPercent: charged } };
        if (allowed) assert.ok(decidePower(richer, defaultPowerPolicy).allowed);
        if (!allowed)
          assert.ok(!decidePower({ ...question, wasDeferred: true }, defaultPowerPolicy).allowed);
      },
    ),
  );
});

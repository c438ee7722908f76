import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bucketOf } from "../../../hosts/fleet/rollout/buckets.ts";
import { type Flag, isFlagOn, percentToHundredths } from "../../../src/config/feature-flag.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";

const isOn = (flag: Flag, deviceId: string): boolean => isFlagOn(flag, deviceId, nobleCrypto);
const share = (percent: number, salt = "s"): Flag => ({
  hundredths: percentToHundredths(percent),
  salt,
});
const devices = Array.from({ length: 2000 }, (_, index) => `device-${index}`);

test("a boolean flag is the same on every device", () => {
  assert.equal(isOn(true, "any"), true);
  assert.equal(isOn(false, "any"), false);
});

test("0 percent is no device and 100 percent is every device", () => {
  assert.equal(
    devices.some((id) => isOn(share(0), id)),
    false,
  );
  assert.equal(
    devices.every((id) => isOn(share(100), id)),
    true,
  );
});

test("a share holds about that many devices", () => {
  for (const percent of [1, 10, 50, 90]) {
    const on = devices.filter((id) => isOn(share(percent), id)).length / devices.length;
    assert.ok(Math.abs(on - percent / 100) < 0.035, `${percent} percent is ${on}`);
  }
});

test("a device that is in a share stays in every larger one", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string({ minLength: 1 }),
      fc.nat(10_000),
      fc.nat(10_000),
      (id, salt, one, two) => {
        const [small, large] = [Math.min(one, two), Math.max(one, two)];
        if (isOn({ hundredths: small, salt }, id))
          assert.equal(isOn({ hundredths: large, salt }, id), true);
      },
    ),
  );
});

test("another salt falls on other devices", () => {
  const both = devices.filter((id) => isOn(share(50, "one"), id) && isOn(share(50, "two"), id));
  assert.ok(Math.abs(both.length / devices.length - 0.25) < 0.035);
});

test("places a device as a rollout of the server does", () => {
  for (const id of devices.slice(0, 300)) {
    const place = bucketOf("salt", id) / 2 ** 48;
    for (const percent of [5, 33.33, 66])
      assert.equal(isOn(share(percent, "salt"), id), place < percent / 100, id);
  }
});

test("percents are kept in steps of a hundredth, whatever binary fractions make of them", () => {
  assert.deepEqual(
    [0.57, 1.1, 33.33, 99.99, 0.001].map(percentToHundredths),
    [57, 110, 3333, 9999, 0],
  );
});

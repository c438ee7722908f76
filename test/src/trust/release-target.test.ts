import assert from "node:assert/strict";
import { test } from "node:test";
import type { SignedReleaseFacts } from "../../../src/image/release-facts.ts";
import type { JsonObject } from "../../../src/trust/json.ts";
import {
  encodeReleaseCustom,
  parseReleaseCustom,
  plainRelease,
  type ReleaseTarget,
} from "../../../src/trust/release-target.ts";
import {
  hardwareRole,
  imageTargetName,
  isDeviceTargetName,
} from "../../../src/trust/target-names.ts";

const hash = "0123456789abcdef".repeat(4);

const plain: ReleaseTarget = {
  ...plainRelease,
  imageHash: hash,
  version: { major: 1, minor: 2, revision: 3, build: 0 },
  hardware: ["esp32c3-b"],
  securityCounter: 7,
};

const full: ReleaseTarget = {
  ...plain,
  version: { major: 1, minor: 2, revision: 3, build: 4 },
  hardware: ["esp32c3-b", "esp32c3-c"],
  breaking: true,
  downgradeAllowed: true,
  bootloaderVersionMin: { major: 2, minor: 4, revision: 0, build: 0 },
  configurationSchemas: { min: 1, max: 3 },
  windowOverride: true,
  steppingStone: { major: 1, minor: 0, revision: 0, build: 0 },
  energy: { trialSecondsPerBoot: 45, batteryPercentMin: 35 },
  blockHashes: { name: "esp32c3-b/1.2.3_4.blocks", lengthBytes: 260, sha256: hash },
  deltas: [{ name: "deltas/a.patch", lengthBytes: 99, sha256: hash, baseImageHash: hash }],
};

const plainCustom = {
  sluice: {
    format: 1,
    imageHash: hash,
    version: "1.2.3",
    hardware: ["esp32c3-b"],
    securityCounter: 7,
  },
};

const fullCustom = {
  sluice: {
    ...plainCustom.sluice,
    version: "1.2.3+4",
    hardware: ["esp32c3-b", "esp32c3-c"],
    breaking: true,
    downgrade: true,
    windowOverride: true,
    bootloaderMin: "2.4.0",
    schemas: [1, 3],
    steppingStone: "1.0.0",
    energy: { trialSecondsPerBoot: 45, batteryPercentMin: 35 },
    blockHashes: { name: "esp32c3-b/1.2.3_4.blocks", length: 260, sha256: hash },
    deltas: [{ base: hash, name: "deltas/a.patch", length: 99, sha256: hash }],
  },
};

for (const [name, release, custom] of [
  ["a plain release", plain, plainCustom],
  ["a release that says everything", full, fullCustom],
] as const) {
  test(`${name} is written and read`, () => {
    assert.deepEqual(encodeReleaseCustom(release), custom);
    assert.deepEqual(parseReleaseCustom(custom), { ok: true, value: release });
  });
}

test("a signed release has all that the rules of compatibility ask for", () => {
  const facts: SignedReleaseFacts = full;
  assert.equal(facts.downgradeAllowed, true);
});

test("members of a later version are passed over, unless they are critical", () => {
  const later = { sluice: { ...plainCustom.sluice, moonPhase: 3 } };
  assert.deepEqual(parseReleaseCustom(later), { ok: true, value: plain });
  for (const critical of [["moonPhase"], ["version", "moonPhase"], "moonPhase", [1]])
    assert.equal(reasonOf({ ...later.sluice, critical }), "release-facts");
  assert.equal(reasonOf({ ...later.sluice, critical: ["breaking"] }), "read");
});

test("a release is refused when any of its members is malformed", () => {
  const bad: Readonly<Record<string, readonly unknown[]>> = {
    format: [0, 2, "1", null],
    imageHash: ["", hash.slice(1), hash.toUpperCase(), 1],
    version: ["", "1.2.3.4", "256.0.0", 1],
    hardware: [[], ["ESP32"], ["esp32c3-b", 1], "esp32c3-b", Array(17).fill("esp32c3-b")],
    securityCounter: [-1, 0.5, 2 ** 32, "1"],
    breaking: [1, "true", null],
    windowOverride: [0],
    downgrade: [{}],
    bootloaderMin: ["x", null],
    schemas: [[2, 1], [1], [0, 65536], [1, 2, 3], { min: 1, max: 2 }],
    steppingStone: [7],
    energy: [{ trialSecondsPerBoot: 0, batteryPercentMin: 1 }, { batteryPercentMin: 1 }, 5],
    blockHashes: [
      { name: "../x", length: 1, sha256: hash },
      { name: "/x", length: 1, sha256: hash },
      { name: "a//b", length: 1, sha256: hash },
      { name: "x", length: -1, sha256: hash },
      { name: "x", length: 1, sha256: "00" },
    ],
    deltas: [{}, [{ name: "x", length: 1, sha256: hash }], Array(9).fill(full.deltas[0])],
  };
  for (const [name, values] of Object.entries(bad))
    for (const value of values)
      assert.equal(reasonOf({ ...fullCustom.sluice, [name]: value }), "release-facts", name);
});

test("a release is refused without each of the members that it needs", () => {
  for (const name of Object.keys(plainCustom.sluice)) {
    const { [name]: _, ...rest } = plainCustom.sluice as Record<string, unknown>;
    assert.equal(reasonOf(rest), "release-facts", name);
  }
  for (const custom of [undefined, null, 1, [], {}, { sluice: 1 }])
    assert.equal(parseReleaseCustom(custom).ok, false);
});

test("a release that no device would read is not written", () => {
  assert.throws(() => encodeReleaseCustom({ ...plain, hardware: [] }), RangeError);
  assert.throws(() => encodeReleaseCustom({ ...plain, securityCounter: -1 }), RangeError);
});

test("an image has one name, in the folder of its hardware", () => {
  assert.equal(imageTargetName("esp32c3-b", plain.version), "esp32c3-b/1.2.3.img");
  assert.equal(imageTargetName("esp32c3-b", full.version), "esp32c3-b/1.2.3_4.img");
  assert.deepEqual(hardwareRole("esp32c3-b"), { name: "esp32c3-b", paths: ["esp32c3-b/*"] });
  assert.throws(() => imageTargetName("../x", plain.version), RangeError);
});

test("a device takes names that mean the same on every server and disk, and no other", () => {
  for (const name of ["a", "a/b.img", "esp32c3-b/1.2.3_4.img", "A-Z_0/x..y"])
    assert.ok(isDeviceTargetName(name), name);
  const refused = ["", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/.", ".a", "a\\b", "a b"];
  for (const name of [...refused, "a?b", "a#b", "%2e%2e/a", "é", "a\0", "x".repeat(97)])
    assert.ok(!isDeviceTargetName(name), name);
});

function reasonOf(release: object): string {
  const read = parseReleaseCustom({ sluice: release } as unknown as JsonObject);
  return read.ok ? "read" : read.reason;
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ImageInfo } from "../../../src/image/info.ts";
import { type SignedReleaseFacts, unsignedReleaseFacts } from "../../../src/image/release-facts.ts";
import { compareVersions, type ImageVersion, parseVersion } from "../../../src/image/version.ts";
import {
  type DeviceProfile,
  describeIncompatibility,
  findIncompatibility,
  type ReleaseFacts,
  releaseFacts,
} from "../../../src/policy/compatibility.ts";

const version = (text: string): ImageVersion => {
  const parsed = parseVersion(text);
  assert.ok(parsed !== null);
  return parsed;
};

const image = (
  text: string,
  hardware: string | null,
  securityCounter: number | null,
): ImageInfo => ({
  header: {
    loadAddress: 0,
    headerBytes: 32,
    protectedTlvBytes: 0,
    payloadBytes: 1,
    flags: 0,
    version: version(text),
  },
  version: text,
  tlvs: [],
  problem: null,
  hardware,
  buildId: null,
  securityCounter,
  dependencies: [],
  imageHash: null,
  totalBytes: null,
  release: unsignedReleaseFacts,
});

const hardware = "esp32c3-a";
const device: DeviceProfile = {
  hardware,
  version: version("1.2.3+4"),
  securityCounter: 2,
  bootloaderVersion: null,
  configurationSchema: null,
};
const brokenRule = (info: ImageInfo, on: DeviceProfile) =>
  findIncompatibility(releaseFacts(info), on, { approved: true })?.rule ?? null;

for (const [name, info, expected] of [
  ["a newer image", image("1.3.0", hardware, 2), null],
  ["the same version", image("1.2.3+4", hardware, 2), null],
  ["a higher counter", image("1.3.0", hardware, 3), null],
  ["other hardware", image("1.3.0", "esp32c3-b", 2), "hardware-mismatch"],
  ["no hardware", image("1.3.0", null, 2), "hardware-mismatch"],
  ["a lower counter", image("1.3.0", hardware, 1), "security-counter"],
  ["no counter", image("1.3.0", hardware, null), "security-counter"],
  ["an older build", image("1.2.3+3", hardware, 2), "downgrade"],
  ["an older major version", image("0.9.9", hardware, 9), "downgrade"],
  ["other hardware and a lower counter", image("0.1.0", "x", 0), "hardware-mismatch"],
  ["a lower counter and an older version", image("0.1.0", hardware, 0), "security-counter"],
] as const)
  test(`${expected ?? "nothing"} speaks against ${name}`, () => {
    assert.equal(brokenRule(info, device), expected);
  });

test("a device without a counter takes images with any and without", () => {
  const without = { ...device, securityCounter: null };
  assert.equal(brokenRule(image("1.3.0", hardware, null), without), null);
  assert.equal(brokenRule(image("1.3.0", hardware, 7), without), null);
});

const profile: DeviceProfile = {
  ...device,
  version: version("1.2.3"),
  bootloaderVersion: version("2.3.0"),
  configurationSchema: 4,
};

const release = (text: string, signed: Partial<SignedReleaseFacts> = {}): ReleaseFacts =>
  releaseFacts(image(text, hardware, 2), { ...unsignedReleaseFacts, ...signed });

const refusals: ReadonlyArray<
  readonly [name: string, facts: ReleaseFacts, profile: DeviceProfile, line: string | null]
> = [
  ["a patch", release("1.2.4"), profile, null],
  ["a patch marked as breaking", release("1.2.4", { breaking: true }), profile, null],
  ["a newer build", release("1.2.3+1"), profile, null],
  ["a minor version", release("1.3.0"), profile, null],
  [
    "a breaking minor version",
    release("1.3.0", { breaking: true }),
    profile,
    "breaking-not-approved: image 1.3.0 on 1.2.3, needs approval of the breaking change",
  ],
  [
    "a major version",
    release("2.0.0"),
    profile,
    "major-not-approved: image 2.0.0 on 1.2.3, needs approval of the new major version",
  ],
  [
    "a downgrade",
    release("1.2.2"),
    profile,
    "downgrade: image 1.2.2 on 1.2.3, needs 1.2.3 or newer, or a release of 1.2 signed as a downgrade",
  ],
  ["a downgrade signed as allowed", release("1.2.2", { downgradeAllowed: true }), profile, null],
  [
    "a downgrade of the minor version signed as allowed",
    release("1.1.9", { downgradeAllowed: true }),
    profile,
    "downgrade: image 1.1.9 on 1.2.3, needs 1.2.3 or newer, or a release of 1.2 signed as a downgrade",
  ],
  [
    "a lower counter",
    { ...release("1.2.4"), securityCounter: 1 },
    profile,
    "security-counter: counter 1, needs 2 or higher",
  ],
  [
    "other hardware",
    release("1.2.4"),
    { ...profile, hardware: "esp32c3-c" },
    "hardware-mismatch: device esp32c3-c, needs esp32c3-a",
  ],
  [
    "a revision that the signed list has",
    release("1.2.4", { hardware: ["esp32c3-a", "esp32c3-b"] }),
    { ...profile, hardware: "esp32c3-b" },
    null,
  ],
  [
    "a revision that the signed list lacks",
    release("1.2.4", { hardware: ["esp32c3-a", "esp32c3-b"] }),
    { ...profile, hardware: "esp32c3-c" },
    "hardware-mismatch: device esp32c3-c, needs esp32c3-a or esp32c3-b",
  ],
  [
    "a signed list that contradicts the image",
    release("1.2.4", { hardware: ["esp32c3-b"] }),
    { ...profile, hardware: "esp32c3-b" },
    "hardware-mismatch: device esp32c3-b, needs no hardware at all",
  ],
  [
    "the stepping stone itself",
    release("1.9.0", { steppingStone: version("1.2.3") }),
    profile,
    null,
  ],
  [
    "a version before the stepping stone",
    release("1.9.0", { steppingStone: version("1.5.0") }),
    profile,
    "stepping-stone: running 1.2.3, needs 1.5.0 first",
  ],
  [
    "the least bootloader",
    release("1.3.0", { bootloaderVersionMin: version("2.3.0") }),
    profile,
    null,
  ],
  [
    "an older bootloader",
    release("1.3.0", { bootloaderVersionMin: version("2.4.0") }),
    profile,
    "bootloader-too-old: bootloader 2.3.0, needs 2.4.0 or newer",
  ],
  [
    "a bootloader that does not tell",
    release("1.3.0", { bootloaderVersionMin: version("2.3.0") }),
    { ...profile, bootloaderVersion: null },
    "bootloader-too-old: bootloader unknown, needs 2.3.0 or newer",
  ],
  [
    "the least schema",
    release("1.3.0", { configurationSchemas: { min: 4, max: 6 } }),
    profile,
    null,
  ],
  [
    "the last schema",
    release("1.3.0", { configurationSchemas: { min: 1, max: 4 } }),
    profile,
    null,
  ],
  [
    "a schema that is too new",
    release("1.3.0", { configurationSchemas: { min: 1, max: 3 } }),
    profile,
    "schema-range: configuration schema 4, needs 1 to 3",
  ],
  [
    "a schema that is too old",
    release("1.3.0", { configurationSchemas: { min: 5, max: 7 } }),
    profile,
    "schema-range: configuration schema 4, needs 5 to 7",
  ],
  [
    "no configuration at all",
    release("1.3.0", { configurationSchemas: { min: 5, max: 7 } }),
    { ...profile, configurationSchema: null },
    null,
  ],
];

for (const [name, facts, on, line] of refusals)
  test(`${line === null ? "takes" : `names ${line.split(":")[0]} for`} ${name}`, () => {
    const found = findIncompatibility(facts, on, { approved: false });
    assert.equal(found === null ? null : describeIncompatibility(found), line);
  });

test("approval lifts the two rules that ask for it and no other", () => {
  for (const [name, facts, on, line] of refusals) {
    const found = findIncompatibility(facts, on, { approved: true });
    const lifted = line === null || /^(major|breaking)-not-approved/.test(line);
    assert.equal(
      found === null ? null : describeIncompatibility(found),
      lifted ? null : line,
      name,
    );
  }
});

const anyVersion: fc.Arbitrary<ImageVersion> = fc.record(
  { major: fc.nat(2), minor: fc.nat(2), revision: fc.nat(2), build: fc.nat(1) },
  { noNullPrototype: true },
);
const anySigned: fc.Arbitrary<SignedReleaseFacts> = fc.record(
  {
    hardware: fc.option(fc.subarray(["esp32c3-a", "esp32c3-b"])),
    breaking: fc.boolean(),
    downgradeAllowed: fc.boolean(),
    bootloaderVersionMin: fc.option(anyVersion),
    configurationSchemas: fc.option(
      fc.record({ min: fc.nat(5), max: fc.nat(5) }, { noNullPrototype: true }),
    ),
    steppingStone: fc.option(anyVersion),
    windowOverride: fc.boolean(),
  },
  { noNullPrototype: true },
);
const anyRelease = fc
  .tuple(anyVersion, fc.option(fc.nat(2)), anySigned)
  .map(([of, counter, signed]) => {
    const info = image("0.0.0", hardware, counter);
    return releaseFacts({ ...info, header: { ...info.header, version: of } }, signed);
  });
const anyDevice: fc.Arbitrary<DeviceProfile> = fc.record(
  {
    hardware: fc.constantFrom("esp32c3-a", "esp32c3-b"),
    version: anyVersion,
    securityCounter: fc.option(fc.nat(2)),
    bootloaderVersion: fc.option(anyVersion),
    configurationSchema: fc.option(fc.nat(5)),
  },
  { noNullPrototype: true },
);

test("what is taken never lowers the counter, leaves the patch series downwards, or changes the hardware", () => {
  fc.assert(
    fc.property(anyRelease, anyDevice, fc.boolean(), (facts, on, approved) => {
      if (findIncompatibility(facts, on, { approved }) !== null) return;
      assert.ok((facts.securityCounter ?? 0) >= (on.securityCounter ?? 0));
      assert.ok(facts.hardware.includes(on.hardware));
      if (compareVersions(facts.version, on.version) < 0) {
        assert.ok(facts.downgradeAllowed);
        assert.equal(facts.version.major, on.version.major);
        assert.equal(facts.version.minor, on.version.minor);
      }
      if (!approved) assert.equal(facts.version.major, on.version.major);
    }),
    { numRuns: 1000 },
  );
});

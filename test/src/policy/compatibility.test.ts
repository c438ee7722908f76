import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageInfo } from "../../../src/image/info.ts";
import { type ImageVersion, parseVersion } from "../../../src/image/version.ts";
import { incompatibility } from "../../../src/policy/compatibility.ts";

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
});

const hardware = "esp32c3-a";
const device = { hardware, version: version("1.2.3+4"), securityCounter: 2 };

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
    assert.equal(incompatibility(info, device), expected);
  });

test("a device without a counter takes images with any and without", () => {
  const without = { ...device, securityCounter: null };
  assert.equal(incompatibility(image("1.3.0", hardware, null), without), null);
  assert.equal(incompatibility(image("1.3.0", hardware, 7), without), null);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareVersions,
  formatVersion,
  type ImageVersion,
  parseVersion,
} from "../../../src/image/version.ts";

const anyVersion: fc.Arbitrary<ImageVersion> = fc.record(
  {
    major: fc.integer({ min: 0, max: 0xff }),
    minor: fc.integer({ min: 0, max: 0xff }),
    revision: fc.integer({ min: 0, max: 0xffff }),
    build: fc.integer({ min: 0, max: 0xffffffff }),
  },
  { noNullPrototype: true },
);

test("reads full and shortened versions, with absent parts as 0", () => {
  assert.deepEqual(parseVersion("1.2.3+4"), { major: 1, minor: 2, revision: 3, build: 4 });
  assert.deepEqual(parseVersion("1.2.3"), { major: 1, minor: 2, revision: 3, build: 0 });
  assert.deepEqual(parseVersion("1.2"), { major: 1, minor: 2, revision: 0, build: 0 });
  assert.deepEqual(parseVersion("0"), { major: 0, minor: 0, revision: 0, build: 0 });
  const largest = { major: 255, minor: 255, revision: 65535, build: 4294967295 };
  assert.deepEqual(parseVersion("255.255.65535+4294967295"), largest);
});

test("refuses other texts and parts that their fields cannot hold", () => {
  const refused = [
    "",
    "v1.0.0",
    "1.",
    "1.0.0+",
    "1.0.0-rc1",
    "01.0.0",
    "1.0+1",
    "1.0.0.0",
    " 1.0.0",
  ];
  for (const text of [...refused, "256.0.0", "0.256.0", "0.0.65536", "0.0.0+4294967296"])
    assert.equal(parseVersion(text), null, text);
  assert.equal(parseVersion(`1.0.0+${"1".repeat(1000)}`), null);
});

test("writes a version that reads back equal, without a build number of 0", () => {
  assert.equal(formatVersion({ major: 1, minor: 2, revision: 3, build: 0 }), "1.2.3");
  assert.equal(formatVersion({ major: 1, minor: 2, revision: 3, build: 4 }), "1.2.3+4");
  fc.assert(fc.property(anyVersion, (v) => assert.deepEqual(parseVersion(formatVersion(v)), v)));
});

test("orders by major, minor, revision and build, in that order", () => {
  const ordered = [
    "0.0.1",
    "0.0.1+1",
    "0.0.2",
    "0.0.10",
    "0.1.0",
    "0.1.0+4294967295",
    "1.0.0",
    "2.0.0",
  ];
  const versions = ordered.map((text) => parseVersion(text) as ImageVersion);
  for (const [i, a] of versions.entries())
    for (const [j, b] of versions.entries())
      assert.equal(
        Math.sign(compareVersions(a, b)),
        Math.sign(i - j),
        `${ordered[i]} ${ordered[j]}`,
      );
});

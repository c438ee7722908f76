import assert from "node:assert/strict";
import { test } from "node:test";
import { metadataAddress, targetAddress } from "../../../src/trust/addresses.ts";

const hashes = new Map([
  ["sha512", "5512"],
  ["sha256", "2256"],
]);

test("metadata is asked for by version and role", () => {
  assert.equal(metadataAddress("timestamp", null), "timestamp.json");
  assert.equal(metadataAddress("root", 12), "12.root.json");
  assert.equal(metadataAddress("esp32c3-b", 1), "1.esp32c3-b.json");
});

test("a role's name stays one part of the path, whatever it is", () => {
  for (const [name, escaped] of [
    ["?", "%3F"],
    ["#", "%23"],
    ["/role", "%2Frole"],
    ["../role", "..%2Frole"],
    ["a b", "a%20b"],
    ["!'()*", "%21%27%28%29%2A"],
    ["é", "%C3%A9"],
    ["-_.~", "-_.~"],
  ] as const)
    assert.equal(metadataAddress(name, 1), `1.${escaped}.json`);
});

test("a target's hash goes before the last part of its name", () => {
  const address = (name: string, consistent: boolean): string => {
    const found = targetAddress(name, hashes, consistent);
    return found.ok ? found.value : found.reason;
  };
  assert.equal(address("esp32c3-b/1.0.0.img", true), "esp32c3-b/2256.1.0.0.img");
  assert.equal(address("file", true), "2256.file");
  assert.equal(address("a/b c", false), "a/b%20c");
});

test("a name that leaves the base, or that servers read differently, has no address", () => {
  for (const name of ["", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/.", "a\\b", "a\0b"]) {
    const found = targetAddress(name, hashes, true);
    assert.equal(found.ok ? found.value : found.reason, "target-name", name);
  }
});

test("without SHA-256 the first hash names the file", () => {
  const found = targetAddress("a", new Map([["sha512", "55"]]), true);
  assert.deepEqual(found, { ok: true, value: "55.a" });
});

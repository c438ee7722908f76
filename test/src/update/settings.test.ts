import assert from "node:assert/strict";
import { test } from "node:test";
import { identityKey, readIdentity } from "../../../src/update/settings.ts";
import { MemoryKeyValue } from "../../support/memory-key-value.ts";

const point = `04${"ab".repeat(64)}`;
const enrolled = {
  server: "http://fleet.test:8080",
  tenant: "DEFAULT",
  id: "dev-1",
  token: "secret",
  hardware: "esp32c3-a",
  imageKeys: [point],
};

function read(value: unknown) {
  const keyValue = new MemoryKeyValue();
  const text = typeof value === "string" ? value : JSON.stringify(value);
  keyValue.values.set(identityKey, new TextEncoder().encode(text));
  return readIdentity(keyValue);
}

test("reads what enrolment wrote", () => {
  const identity = read(enrolled);
  assert.ok(identity !== null);
  const { imageKeys, ...rest } = identity;
  assert.deepEqual(rest, {
    serverUrl: "http://fleet.test:8080",
    tenant: "DEFAULT",
    deviceId: "dev-1",
    token: "secret",
    hardware: "esp32c3-a",
    otherServerUrl: null,
    bootloaderVersion: null,
    trust: null,
  });
  assert.equal(imageKeys.length, 1);
  assert.deepEqual(imageKeys[0]?.algorithm, "ecdsa-p256");
  assert.deepEqual([...(imageKeys[0]?.publicKey ?? [])], [4, ...new Array(64).fill(0xab)]);
});

test("knows a second address of the service and the bootloader's version when enrolment wrote them", () => {
  const identity = read({ ...enrolled, server2: "https://b.fleet.test/", bootloader: "2.3.0" });
  assert.equal(identity?.otherServerUrl, "https://b.fleet.test");
  assert.deepEqual(identity?.bootloaderVersion, { major: 2, minor: 3, revision: 0, build: 0 });
});

test("takes a server with a slash at its end for the same server", () => {
  assert.equal(read({ ...enrolled, server: "http://fleet.test/" })?.serverUrl, "http://fleet.test");
});

test("goes by signed metadata when enrolment says so, and is no identity when it says else", () => {
  assert.equal(read({ ...enrolled, trust: "tuf" })?.trust, "tuf");
  for (const trust of [null, "", "TUF", "later", 1, true, {}])
    assert.equal(read({ ...enrolled, trust }), null);
});

test("takes up to four keys", () => {
  const keys = (count: number) => ({ ...enrolled, imageKeys: new Array(count).fill(point) });
  assert.equal(read(keys(4))?.imageKeys.length, 4);
  assert.equal(read(keys(5)), null);
});

test("knows no identity in an empty storage", () => {
  assert.equal(readIdentity(new MemoryKeyValue()), null);
});

for (const key of Object.keys(enrolled))
  test(`refuses an enrolment without ${key}`, () => {
    assert.equal(read({ ...enrolled, [key]: undefined }), null);
  });

for (const [name, value] of [
  ["no keys", { ...enrolled, imageKeys: [] }],
  ["a compressed key", { ...enrolled, imageKeys: [`02${"ab".repeat(32)}`] }],
  ["upper-case hex", { ...enrolled, imageKeys: [point.toUpperCase()] }],
  ["one bad key among good ones", { ...enrolled, imageKeys: [point, "04"] }],
  ["a token of 129 characters", { ...enrolled, token: "t".repeat(129) }],
  ["no JSON", "{"],
  ["an array", []],
] as const)
  test(`refuses an enrolment with ${name}`, () => {
    assert.equal(read(value), null);
  });

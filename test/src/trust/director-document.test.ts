import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalJson } from "../../../src/trust/canonical-json.ts";
import {
  type DirectorDocument,
  directorPayload,
  encodeDirectorDocument,
  encodeDirectorSigned,
  parseDirectorSigned,
} from "../../../src/trust/director-document.ts";
import type { JsonObject } from "../../../src/trust/json.ts";

const hash = "0123456789abcdef".repeat(4);

const assigned: DirectorDocument = {
  version: 12,
  expiresUnixMs: Date.UTC(2026, 10, 21, 13),
  deviceId: "device-1",
  hardware: "esp32c3-b",
  nonce: "00112233445566778899aabbccddeeff",
  timeUnixMs: Date.UTC(2026, 10, 21, 12),
  assignment: {
    targetName: "esp32c3-b/1.2.3.img",
    lengthBytes: 123456,
    sha256: hash,
    releaseCounter: 7,
  },
};

const signed = {
  _type: "director",
  spec_version: "1.0.34",
  version: 12,
  expires: "2026-11-21T13:00:00Z",
  device: "device-1",
  hardware: "esp32c3-b",
  nonce: "00112233445566778899aabbccddeeff",
  time: "2026-11-21T12:00:00Z",
  target: {
    name: "esp32c3-b/1.2.3.img",
    length: 123456,
    hashes: { sha256: hash },
    counter: 7,
  },
};

test("a director document is written and read", () => {
  assert.deepEqual(encodeDirectorSigned(assigned), signed);
  assert.deepEqual(parseDirectorSigned(signed), { ok: true, value: assigned });
});

test("a device that shall keep its image gets a document without a target", () => {
  const keeping = { ...assigned, assignment: null };
  assert.deepEqual(encodeDirectorSigned(keeping), { ...signed, target: null });
  assert.deepEqual(parseDirectorSigned({ ...signed, target: null }), { ok: true, value: keeping });
});

test("the director signs the canonical form of what the document holds", () => {
  const payload = directorPayload(assigned);
  const document = encodeDirectorDocument(assigned, [{ keyid: hash, sig: "3000" }]);
  const read = JSON.parse(new TextDecoder().decode(document)) as JsonObject;
  assert.deepEqual(read, { signatures: [{ keyid: hash, sig: "3000" }], signed });
  assert.deepEqual(canonicalJson(read["signed"] ?? null), payload);
});

test("a director document is refused when any of its members is malformed or missing", () => {
  const bad: Readonly<Record<string, readonly unknown[]>> = {
    version: [0, -1, "1", 1.5],
    expires: ["2026-11-21T13:00:00", "2026-11-21 13:00:00Z", "2026-13-21T13:00:00Z", 1],
    device: ["", 1, "x".repeat(65)],
    hardware: ["", "ESP", 1],
    nonce: ["", "0011", `${signed.nonce}00`, signed.nonce.toUpperCase(), 1],
    time: ["2026-02-30T12:00:00Z", "2026-11-21T24:00:00Z", "", 1],
    target: [
      1,
      {},
      { ...signed.target, name: "../x" },
      { ...signed.target, length: 0 },
      { ...signed.target, hashes: {} },
      { ...signed.target, hashes: { sha256: hash.toUpperCase() } },
      { ...signed.target, counter: -1 },
      { ...signed.target, counter: 2 ** 32 },
    ],
  };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values)
      assert.equal(
        reasonOf({ ...signed, [name]: value }),
        "malformed-metadata",
        `${name} ${value}`,
      );
    const { [name]: _, ...rest } = signed as Record<string, unknown>;
    assert.equal(reasonOf(rest), "malformed-metadata", name);
  }
});

test("no other role's metadata is taken for the director's", () => {
  for (const type of ["timestamp", "targets", "", undefined])
    assert.equal(reasonOf({ ...signed, _type: type }), "wrong-type");
});

test("a document that no device would read is not written", () => {
  assert.throws(() => encodeDirectorSigned({ ...assigned, nonce: "00" }), RangeError);
  assert.throws(() => encodeDirectorSigned({ ...assigned, timeUnixMs: -1 }), RangeError);
});

function reasonOf(value: object): string {
  const read = parseDirectorSigned(value as JsonObject);
  return read.ok ? "read" : read.reason;
}

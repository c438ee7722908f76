import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bootloaderRecordBytes,
  encodeBootloaderRecord,
  isBootloaderRecord,
  parseBootloaderRecord,
} from "../../../src/image/bootloader-record.ts";
import { fromHex, toHex } from "../../../src/image/hex.ts";
import { boardBootloader } from "../../support/board-bootloader.ts";

const record = boardBootloader;
const hex = [
  "536c756963653a204d4355626f6f7420", // "Sluice: MCUboot "
  "0138" + "0202" + "0804" + "03" + "05",
  "60ea0000" + "c0010000" + "00100000",
  "00000200" + "00001c00" + "00001e00" + "00001c00",
  "0fdec05e",
].join("");

test("a record has these bytes, and is read from them", () => {
  assert.equal(toHex(encodeBootloaderRecord(record)), hex);
  assert.deepEqual(parseBootloaderRecord(fromHex(hex)!), record);
});

test("every mode, signature and prevention goes there and back", () => {
  for (const mode of [
    "other",
    "overwrite-only",
    "swap-using-move",
    "swap-using-offset",
    "swap-using-scratch",
  ] as const)
    for (const signature of ["none", "rsa", "ecdsa-p256", "ed25519"] as const)
      for (const downgradePrevention of ["none", "version", "security-counter"] as const)
        for (const validatesPrimary of [true, false]) {
          const other = { ...record, mode, signature, downgradePrevention, validatesPrimary };
          assert.deepEqual(parseBootloaderRecord(encodeBootloaderRecord(other)), other);
        }
});

test("a record that is cut off, or goes on, is none", () => {
  const bytes = fromHex(`${hex}00`)!;
  for (let length = 0; length < bootloaderRecordBytes; length += 1)
    assert.equal(parseBootloaderRecord(bytes.subarray(0, length)), null, `${length} bytes`);
  assert.equal(parseBootloaderRecord(bytes), null);
});

test("what this firmware does not know in a record makes it none", () => {
  const changes: ReadonlyArray<readonly [string, number, number]> = [
    ["the magic", 3, 0x58],
    ["a format to come", 16, 2],
    ["another length", 17, 60],
    ["an unknown mode", 18, 5],
    ["an unknown signature", 19, 4],
    ["an unknown prevention", 23, 7],
    ["an unknown check", 23, 0x0d],
    ["a torn end", 55, 0xff],
  ];
  for (const [what, offset, value] of changes) {
    const bytes = fromHex(hex)!;
    bytes[offset] = value;
    assert.equal(parseBootloaderRecord(bytes), null, what);
  }
});

test("the magic is found where it begins, and not where it ends", () => {
  const bytes = new Uint8Array(80);
  bytes.set(fromHex(hex)!, 3);
  assert.equal(isBootloaderRecord(bytes, 3), true);
  assert.equal(isBootloaderRecord(bytes, 2), false);
  assert.equal(isBootloaderRecord(bytes.subarray(0, 18), 3), false);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  type ForeignFormat,
  foreignFormat,
} from "../../../../hosts/release/payload/payload-format.ts";
import { signedImage } from "../../../support/trust-repository.ts";

const bytes = (...values: readonly number[]): Uint8Array =>
  Uint8Array.from([...values, ...new Uint8Array(600)]);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const foreign: ReadonlyArray<readonly [string, Uint8Array, ForeignFormat]> = [
  ["nothing", new Uint8Array(0), "empty"],
  ["an erased slot", new Uint8Array(4096).fill(0xff), "erased"],
  ["Intel HEX", text(":020000040000FA\r\n:00000001FF\r\n"), "intel-hex"],
  ["Motorola S-records", text("S00600004844521B\r\nS9030000FC\r\n"), "s-records"],
  ["this very Node", new Uint8Array(readFileSync(process.execPath).subarray(0, 4096)), "elf"],
  ["UF2", bytes(0x55, 0x46, 0x32, 0x0a, 0x57, 0x51, 0x5d, 0x9e), "uf2"],
  ["gzip", new Uint8Array(gzipSync("firmware")), "compressed"],
  ["zstd", new Uint8Array(zstdCompressSync("firmware")), "compressed"],
  ["xz", bytes(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), "compressed"],
  ["zip", bytes(0x50, 0x4b, 3, 4), "archive"],
  ["tar", text(`${"a".repeat(257)}ustar`), "archive"],
  ["a key", text("-----BEGIN PRIVATE KEY-----\n"), "pem"],
  ["a proxy's page", text("\n<!DOCTYPE HTML><html>"), "web-page"],
  ["a signed image", await signedImage("1.0.0", "esp32c3-b"), "mcuboot-image"],
];
for (const [name, file, format] of foreign)
  test(`recognises ${name} by its content`, () => {
    assert.equal(foreignFormat(file), format);
  });

const payloads: ReadonlyArray<readonly [string, Uint8Array]> = [
  ["an ESP application image", bytes(0xe9, 0x06, 0x02, 0x20)],
  ["a vector table", bytes(0x00, 0x20, 0x00, 0x20, 0x01, 0x10, 0x00, 0x00)],
  ["JavaScript", text("import { run } from 'x';\n")],
  ["one byte", Uint8Array.of(0)],
  ["zeros", new Uint8Array(1000)],
  ["text that begins with a colon", text(": not a record")],
  ["text that begins like an S-record", text("S0 := 1")],
];
for (const [name, file] of payloads)
  test(`takes ${name} as a payload`, () => {
    assert.equal(foreignFormat(file), null);
  });

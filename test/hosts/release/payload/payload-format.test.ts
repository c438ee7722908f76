import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
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

const utf16 = (value: string): Buffer => Buffer.from(value, "utf16le");
const spki = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey.export({
  type: "spki",
  format: "der",
});

function windowsProgram(): Buffer {
  const file = Buffer.alloc(300);
  file.write("MZ");
  file.writeUInt32LE(0x80, 0x3c);
  file.write("PE", 0x80);
  return file;
}

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
  [
    "an error of a store",
    text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    "web-page",
  ],
  ["a page behind a mark and a comment", text("\ufeff<!-- a proxy -->\n<html>"), "web-page"],
  ["Intel HEX behind a mark", text("\ufeff:020000040000FA\r\n:00000001FF\r\n"), "intel-hex"],
  ["Intel HEX that PowerShell wrote", utf16("\ufeff:020000040000FA\r\n:00000001FF\r\n"), "utf-16"],
  ["UTF-16 the other way round", utf16("\ufeffS00600004844521B\r\n").swap16(), "utf-16"],
  ["a key behind a mark", text("\ufeff-----BEGIN PRIVATE KEY-----\n"), "pem"],
  [
    "a key with attributes",
    text("Bag Attributes\n    friendlyName: x\n-----BEGIN PRIVATE KEY-----\n"),
    "pem",
  ],
  ["a key in DER", spki, "der"],
  [
    "a certificate's length in two bytes",
    Buffer.from([0x30, 0x82, 1, 4, ...new Uint8Array(260)]),
    "der",
  ],
  [
    "a pointer of Git LFS",
    text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
    "lfs-pointer",
  ],
  ["a manifest", text('{"format":1,"images":[]}\n'), "json"],
  ["what a server said", text('[{"message":"Not Found"}]'), "json"],
  ["a static library", text("!<arch>\nmain.o/"), "program"],
  ["a script", text("#!/bin/sh\nexit 1\n"), "program"],
  ["a program for Windows", windowsProgram(), "program"],
  ["WebAssembly", bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), "program"],
  ["rar", text("Rar!\x1a\x07"), "archive"],
  ["lz4", bytes(0x04, 0x22, 0x4d, 0x18), "compressed"],
  ["DFU", text("DfuSe\x01"), "dfu"],
  ["TI-TXT", text("@8000\r\n31 40 00 03\r\nq\r\n"), "ti-txt"],
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
  ["JavaScript that begins with a block", text("{ let a = 1; }\n")],
  ["JavaScript that is a text", text('"use strict"\n')],
  ["bytes that begin as UTF-16 does", bytes(0xff, 0xfe, 0x01, 0x80)],
  ["bytes that begin as DER does", bytes(0x30, 0x82, 0x01, 0x04)],
  ["bytes that begin as a program for Windows does", bytes(0x4d, 0x5a)],
  ["text that begins with an at sign", text("@decorator\nclass A {}\n")],
  ["one byte", Uint8Array.of(0)],
  ["zeros", new Uint8Array(1000)],
  ["text that begins with a colon", text(": not a record")],
  ["text that begins like an S-record", text("S0 := 1")],
];
for (const [name, file] of payloads)
  test(`takes ${name} as a payload`, () => {
    assert.equal(foreignFormat(file), null);
  });

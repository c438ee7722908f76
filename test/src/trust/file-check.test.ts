import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { FileCheck } from "../../../src/trust/file-check.ts";
import { OpenHashers } from "../../support/open-hashers.ts";
import { rulesWith } from "../../support/tuf-repository.ts";

const { crypto } = rulesWith();
const file = new TextEncoder().encode("the content of a file");
const hash = (algorithm: string): string => createHash(algorithm).update(file).digest("hex");
const sha256 = ["sha256", hash("sha256")] as const;
const sha512 = ["sha512", hash("sha512")] as const;

function outcome(
  lengthBytes: number | null,
  hashes: readonly (readonly [string, string])[] | null,
  bytes = file,
): string {
  const listed = hashes && new Map(hashes);
  const check = new FileCheck({ lengthBytes, bytesMax: 100, hashes: listed, crypto });
  return check.whole(bytes)?.reason ?? "accepted";
}

test("a file is the one when length and every known hash are right", () => {
  assert.equal(outcome(file.length, [sha256]), "accepted");
  assert.equal(outcome(file.length, [sha256, sha512]), "accepted");
  assert.equal(outcome(null, [sha512, ["blake9", "00"]]), "accepted");
  assert.equal(outcome(null, null), "accepted");
});

test("one wrong hash is enough to refuse", () => {
  assert.equal(outcome(null, [sha256, ["sha512", sha256[1]]]), "hash-mismatch");
  assert.equal(outcome(null, [sha256], file.subarray(1)), "hash-mismatch");
});

test("hashes of which none is known here refuse the file", () => {
  assert.equal(outcome(file.length, [["blake9", "00"]]), "hash-mismatch");
});

test("another length is refused, and one beyond the bound as too large", () => {
  assert.equal(outcome(file.length + 1, [sha256]), "length-mismatch");
  assert.equal(outcome(null, null, new Uint8Array(101)), "too-large");
});

test("frees its digests however it ends", () => {
  const hashers = new OpenHashers();
  const counting = {
    ...crypto,
    hasher: (algorithm: string) => {
      const hasher = crypto.hasher(algorithm);
      return hasher && hashers.counted(hasher);
    },
    verify: crypto.verify.bind(crypto),
  };
  const check = (lengthBytes: number | null, digest = sha256[1]) =>
    new FileCheck({
      lengthBytes,
      bytesMax: 100,
      hashes: new Map([["sha256", digest], sha512]),
      crypto: counting,
    });
  const long = new Uint8Array(101);
  for (const [ends, run] of [
    ["accepted", () => check(file.length).whole(file)],
    ["with another length", () => check(file.length + 1).whole(file)],
    ["too large", () => check(null).whole(long)],
    ["with a wrong first hash", () => check(null, "00").whole(file)],
    ["in pieces, accepted", () => inPieces(check(file.length), file)],
    ["in pieces, with another length", () => inPieces(check(5), file)],
    ["given up", () => givenUp(check(null))],
  ] as const) {
    run();
    assert.equal(hashers.open, 0, ends);
  }
  assert.equal(hashers.opened, 14);
});

function inPieces(check: FileCheck, bytes: Uint8Array): void {
  for (const byte of bytes) check.update(Uint8Array.of(byte));
  check.end();
}

function givenUp(check: FileCheck): void {
  check.update(file);
  check.close();
}

test("a file in pieces is the same file", () => {
  const check = new FileCheck({
    lengthBytes: file.length,
    bytesMax: 100,
    hashes: new Map([sha256]),
    crypto,
  });
  for (const byte of file) check.update(Uint8Array.of(byte));
  assert.equal(check.end(), null);
});

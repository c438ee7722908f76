import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createFile, replaceFile } from "../../../hosts/files/replace-file.ts";
import { temporaryFolder } from "../../support/command-line.ts";

test("keeps the rights of the file, and a link a link", (context) => {
  const folder = temporaryFolder(context);
  const [file, link] = [join(folder, "a.pem"), join(folder, "link")];
  writeFileSync(file, "old");
  chmodSync(file, 0o640);
  symlinkSync("a.pem", link);
  replaceFile(link, "new");
  assert.equal(readFileSync(file, "utf8"), "new");
  assert.equal(statSync(file).mode & 0o777, 0o640);
  assert.equal(readlinkSync(link), "a.pem");
  assert.deepEqual(readdirSync(folder), ["a.pem", "link"]);
});

test("a write that fails leaves the old content and nothing beside it", (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, "b"));
  assert.throws(() => replaceFile(join(folder, "b"), "new"), { code: "EISDIR" });
  assert.throws(() => replaceFile(join(folder, "none", "c"), "new"), { code: "ENOENT" });
  assert.deepEqual(readdirSync(folder), ["b"]);
});

test("a device file is written to, not replaced", () => {
  replaceFile("/dev/null", "gone");
  assert.ok(statSync("/dev/null").isCharacterDevice());
});

test("a new file never takes the place of another", (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "a.pem");
  createFile(path, "first", 0o600);
  assert.throws(() => createFile(path, "second", 0o600), { code: "EEXIST" });
  assert.equal(readFileSync(path, "utf8"), "first");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["a.pem"]);
});

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { ArtifactFolder } from "../../../../hosts/fleet/storage/artifacts.ts";

function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-artifacts-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const bytes = Buffer.from("abc");
const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

test("keeps a file under its SHA-256 and leaves no temporary one", async (t) => {
  const path = temporaryFolder(t);
  const folder = new ArtifactFolder(path);
  assert.deepEqual(await folder.store(bytes), {
    sha256,
    sha1: "a9993e364706816aba3e25717850c26c9cd0d89d",
    md5: "900150983cd24fb0d6963f7d28e17f72",
    sizeBytes: 3,
  });
  assert.deepEqual(readdirSync(join(path, "ba")), [sha256]);
});

test("does not write a file again that is there", async (t) => {
  const path = temporaryFolder(t);
  const folder = new ArtifactFolder(path);
  await folder.store(bytes);
  const { ino } = statSync(join(path, "ba", sha256));
  await folder.store(bytes);
  assert.equal(statSync(join(path, "ba", sha256)).ino, ino);
});

test("replaces a file of the right length that is damaged, and tells it from a whole one", async (t) => {
  const path = temporaryFolder(t);
  const bytes = Buffer.alloc(5000, 7);
  const { sha256 } = await new ArtifactFolder(path).store(bytes);
  const file = join(path, sha256.slice(0, 2), sha256);
  const damaged = Buffer.from(bytes);
  damaged[100] = 8;
  writeFileSync(file, damaged);
  const artifacts = new ArtifactFolder(path); // as after a restart
  assert.equal(await artifacts.isWhole(sha256, 5000, { bytes: 4999 }), true, "not read yet");
  assert.equal(await artifacts.isWhole(sha256, 5000, { bytes: 5000 }), false);
  assert.equal(await artifacts.isWhole(sha256, 5000, { bytes: 0 }), false, "known");
  await artifacts.store(bytes);
  assert.equal(await artifacts.isWhole(sha256, 5000, { bytes: 5000 }), true);
  assert.deepEqual(readFileSync(file), bytes);
});

test("replaces a file that a power cut left too short", async (t) => {
  const path = temporaryFolder(t);
  const folder = new ArtifactFolder(path);
  await folder.store(bytes);
  writeFileSync(join(path, "ba", sha256), "a");
  const stored = await folder.store(bytes);
  assert.deepEqual(await buffer(folder.read(stored.sha256, { first: 0, last: 2 })), bytes);
});

test("stores the same file from many requests at once", async (t) => {
  const path = temporaryFolder(t);
  const folder = new ArtifactFolder(path);
  await Promise.all(Array.from({ length: 8 }, () => folder.store(bytes)));
  assert.deepEqual(readdirSync(join(path, "ba")), [sha256]);
});

test("reads a part, both ends included", async (t) => {
  const folder = new ArtifactFolder(temporaryFolder(t));
  const stored = await folder.store(bytes);
  const part = await buffer(folder.read(stored.sha256, { first: 1, last: 1 }));
  assert.equal(part.toString(), "b");
});

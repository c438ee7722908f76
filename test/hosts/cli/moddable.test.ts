import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { buildApplication, manifestOf } from "../../../hosts/cli/moddable/application.ts";
import { readBoardFolder, writeBoardFolder } from "../../../hosts/cli/moddable/board-folder.ts";
import { ModdableSdk } from "../../../hosts/moddable/sdk.ts";
import { sluice } from "../../support/command-line.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-moddable-"));
after(() => rmSync(folder, { recursive: true }));

const facts = {
  id: "moddable-1",
  hardware: "moddable-lin",
  server: "http://127.0.0.1:8080",
  token: "of-the-device",
  flashMiB: 4,
  imageKeys: [{ algorithm: "ecdsa-p256", publicKey: new Uint8Array(65).fill(4) }],
} as const;

test("keeps what switches a board on again, for its owner alone", () => {
  const place = join(folder, "board");
  assert.equal(readBoardFolder(place), null);
  writeBoardFolder(place, facts);
  assert.deepEqual(readBoardFolder(place), facts);
  assert.equal(statSync(join(place, "board.json")).mode & 0o777, 0o600);
});

test("names what is wrong in the facts of a board", () => {
  const place = join(folder, "spoilt");
  writeBoardFolder(place, facts);
  const file = join(place, "board.json");
  const stored = JSON.parse(readFileSync(file, "utf8"));
  for (const [change, told] of [
    [{ token: 7 }, /"token" is no text/],
    [{ flashMiB: 3 }, /"flashMiB" is none of 4, 8, 16/],
    [{ imageKeys: "none" }, /"imageKeys" is no list/],
    [{ imageKeys: ["04"] }, /no P-256 point/],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...stored, ...change }));
    assert.throws(() => readBoardFolder(place), told);
  }
  writeFileSync(file, "null");
  assert.throws(() => readBoardFolder(place), /give another with --dir/);
});

test("says in a line that the SDK is missing, and what to set", async () => {
  const before = process.env["MODDABLE"];
  delete process.env["MODDABLE"];
  try {
    for (const line of [
      ["moddable", "run", folder],
      ["moddable", "release", folder, "--version", "1.0.0", "--out", join(folder, "x.bin")],
    ]) {
      const { exitCode, stderr } = await sluice(...line);
      assert.equal(exitCode, exitCodes.input);
      assert.match(stderr, /^sluice: MODDABLE is not set.*docs\/moddable\.md\n$/);
    }
  } finally {
    if (before !== undefined) process.env["MODDABLE"] = before;
  }
});

test("names a folder that holds no application", () => {
  assert.throws(() => manifestOf(folder), /no manifest\.json in .*; name the folder/);
  assert.throws(() => manifestOf(join(folder, "gone.json")), /no .*gone\.json; name the folder/);
});

test("tells which include a manifest lacks, by what mcconfig misses", async () => {
  writeFileSync(join(folder, "manifest.json"), "{}");
  const failing = (words: string): ModdableSdk => {
    const sdk = new ModdableSdk("sdk", "tools");
    sdk.build = () => Promise.reject(new Error(words));
    return sdk;
  };
  const build = (words: string) => buildApplication(failing(words), folder, "release");
  await assert.rejects(build('module "sluice/board" not found'), /lacks its host: add "platforms"/);
  await assert.rejects(build('module "sluice/sluice" not found'), /lacks the firmware: add/);
  await assert.rejects(build("main.ts: error"), /^CommandError: main\.ts: error$/);
});

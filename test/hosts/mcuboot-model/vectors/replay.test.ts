import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runVectors } from "../../../../hosts/mcuboot-model/vectors/command.ts";
import { type ReplayReport, replayFolder } from "../../../../hosts/mcuboot-model/vectors/replay.ts";
import {
  recordVectors,
  type VectorFiles,
  writeVectors,
} from "../../../support/vector-folder-writer.ts";

const recorded = await recordVectors();
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "..");

/** Replays the recorded folder after `spoil` changed a copy of it. */
function replay(spoil: (files: VectorFiles) => void = () => {}): ReplayReport {
  return inFolder(spoil, replayFolder);
}

function inFolder<T>(spoil: (files: VectorFiles) => void, run: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "sluice-vectors-"));
  try {
    const files = { ...structuredClone({ ...recorded, binary: null }), binary: recorded.binary };
    spoil(files);
    writeVectors(folder, files);
    return run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function failureOf(spoil: (files: VectorFiles) => void): string {
  const { failures } = replay(spoil);
  assert.equal(failures.length, 1);
  return `${failures[0]?.name}: ${failures[0]?.differences.join("; ")}`;
}

const step = (files: VectorFiles, index: number): Record<string, unknown> =>
  files.index.scenarios[0]!.steps[index]!;

test("a folder that the model agrees with passes: one scenario, one exhaustive file", () => {
  assert.deepEqual(replay(), { passed: 2, failures: [] });
});

test("traces and exhaustive files may be missing", () => {
  const report = replay((files) => {
    files.traces = null;
    files.exhaustive = null;
    delete files.index.exhaustive;
  });
  assert.deepEqual(report, { passed: 1, failures: [] });
});

test("a listed exhaustive file that is not there fails where the folder has others", () => {
  const failure = failureOf((files) => {
    files.index.exhaustive = [{ file: "exhaustive/ex-t.json.gz" }, { file: "exhaustive/no.gz" }];
  });
  assert.match(failure, /^exhaustive\/no\.gz: .*no such file/);
});

test("several trusted keys may be listed", () => {
  const report = replay(({ index }) => {
    delete index.configs.T.flags["public_key"];
    index.configs.T.flags["public_keys"] = ["keys/key.pem", "keys/key.pem"];
  });
  assert.deepEqual(report, { passed: 2, failures: [] });
});

test("every way in which a boot can differ fails its scenario by name", () => {
  const spoils: ReadonlyArray<readonly [RegExp, (files: VectorFiles) => void]> = [
    [
      /step 4 \(boot\): version: recorded 9\.9\.9\+0, seen 2\.0\.0\+0/,
      (files) => Object.assign(step(files, 4)["expect"] as object, { version: "9.9.9+0" }),
    ],
    [
      /step 4 \(boot\): trailers_after primary magic: recorded bad, seen good/,
      (files) =>
        Object.assign(step(files, 4)["expect"] as object, {
          trailers_after: { primary: { magic: "bad" } },
        }),
    ],
    [
      /step 3 \(boot\): operation 9: recorded \["e",0,4096\], seen \["w",/,
      (files) => files.traces!["cut-upgrade"]!["3"]!.splice(9, 1, ["e", 0, 4096]),
    ],
    [
      /step 3 \(boot\): operation 10: recorded \["e",0,4096\], seen nothing/,
      (files) => files.traces!["cut-upgrade"]!["3"]!.push(["e", 0, 4096]),
    ],
    [
      /step 2 \(app\): writes: recorded \[\], seen \[\[/,
      (files) => Object.assign(step(files, 2), { writes: [] }),
    ],
    [/step 2 \(app\): rc: recorded 3, seen 0/, (files) => Object.assign(step(files, 2), { rc: 3 })],
    [
      /step 4 \(boot\): flash at 0x1/,
      (files) => Object.assign(step(files, 4), { flash_after: step(files, 3)["flash_after"] }),
    ],
    [
      /step 4 \(boot\): flash: not the one recorded as 0123456789abcdef/,
      (files) => Object.assign(step(files, 4), { flash_after: "0123456789abcdef" }),
    ],
  ];
  for (const [expected, spoil] of spoils) {
    const failure = failureOf(spoil);
    assert.match(failure, /^cut-upgrade: /);
    assert.match(failure, expected);
  }
});

test("what the runner does not know is a failure with its name, not a crash", () => {
  const spoils: ReadonlyArray<readonly [RegExp, (files: VectorFiles) => void]> = [
    [/unknown op levitate/, (files) => Object.assign(step(files, 0), { op: "levitate" })],
    [/unknown call boot_fly/, (files) => Object.assign(step(files, 2), { call: "boot_fly(1)" })],
    [/unknown area attic/, (files) => Object.assign(step(files, 1), { area: "attic" })],
    [/unknown way to tear.* both/, (files) => Object.assign(step(files, 3), { torn: "both" })],
    [
      /unknown expectation mood/,
      (files) => Object.assign(step(files, 4)["expect"] as object, { mood: "good" }),
    ],
    [/flash_after is absent, not a string/, (files) => delete step(files, 0)["flash_after"]],
    [
      /flash_after is "", not the id of a snapshot/,
      (files) => Object.assign(step(files, 0), { flash_after: "" }),
    ],
    [
      /does not have its recorded SHA-256/,
      (files) => Object.assign(Object.values(files.snapshots)[0]!, { sha256: "00" }),
    ],
  ];
  for (const [expected, spoil] of spoils) assert.match(failureOf(spoil), expected);
});

test("an unknown configuration fails everything under it, by name", () => {
  const spoils: ReadonlyArray<readonly [RegExp, Record<string, unknown>]> = [
    [/unknown config: upgrade_mode is "ram-load"/, { upgrade_mode: "ram-load" }],
    [/unknown config T: encryption is true/, { encryption: true }],
    [/unknown config: signature is "rsa"/, { signature: "rsa" }],
    [/unknown config T: a key is not for ed25519/, { signature: "ed25519" }],
    [/it names no public key/, { public_key: null }],
    [/unknown config: max_align is 12/, { max_align: 12 }],
    [/no such file.*keys\/none\.pem/, { public_key: "keys/none.pem" }],
  ];
  for (const [expected, changes] of spoils) {
    const { passed, failures } = replay((files) =>
      Object.assign(files.index.configs.T.flags, changes),
    );
    assert.equal(passed, 0);
    assert.deepEqual(
      failures.map(({ name }) => name),
      ["cut-upgrade", "exhaustive/ex-t.json.gz"],
    );
    for (const { differences } of failures) assert.match(differences.join(), expected);
  }
});

test("an exhaustive file fails at the first cut whose flash or boots differ", () => {
  const flash = failureOf((files) => {
    files.exhaustive!.modes["half"]![1]!.after_cut = "0123456789abcdef";
  });
  assert.match(flash, /ex-t\.json\.gz: half, cut 5: flash: not the one recorded/);
  const boots = failureOf((files) => {
    files.exhaustive!.modes["tail"]![2]!.boots[0]![1] = "3.0.0+0";
  });
  assert.match(
    boots,
    /tail, cut 20: boot 0 after it: version: recorded 3\.0\.0\+0, seen 2\.0\.0\+0/,
  );
  const mode = failureOf((files) => {
    files.exhaustive!.modes["slow"] = [];
  });
  assert.match(mode, /unknown mode slow/);
});

test("a folder that is no folder of vectors fails as a whole", () => {
  assert.match(
    failureOf((files) => {
      files.index.format = "other-2";
    }),
    /format is "other-2"/,
  );
  const { passed, failures } = replayFolder("/nonexistent");
  assert.deepEqual([passed, failures.length], [0, 1]);
});

test("the command counts on its last line and exits 0 only when something passed and nothing failed", () => {
  const run = (...folders: string[]): unknown => {
    const { lines, exitCode } = runVectors(folders);
    return { exitCode, last: lines.at(-1) };
  };
  const good = inFolder(() => {}, run);
  assert.deepEqual(good, { exitCode: 0, last: "2 passed, 0 failed" });
  const bad = inFolder((files) => Object.assign(step(files, 0), { op: "levitate" }), run);
  assert.deepEqual(bad, { exitCode: 1, last: "1 passed, 1 failed" });
  assert.deepEqual(run("/nonexistent"), { exitCode: 1, last: "0 passed, 1 failed" });
  assert.deepEqual(run(), { exitCode: 64, last: "0 passed, 0 failed" });
});

test("the command prints what differed and leaves with its code", () => {
  const main = join(root, "hosts", "mcuboot-model", "vectors", "main.ts");
  const { status, stdout } = spawnSync(process.execPath, [main, "/nonexistent"], {
    encoding: "utf8",
  });
  assert.equal(status, 1);
  assert.match(stdout, /^FAILED \/nonexistent.*\n.*no such file.*\n0 passed, 1 failed\n$/);
});

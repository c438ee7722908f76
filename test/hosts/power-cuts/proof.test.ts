import assert from "node:assert/strict";
import { before, test } from "node:test";
import { allCutKinds } from "../../../hosts/flash/operation.ts";
import { addTallies, emptyTally } from "../../../hosts/power-cuts/crew.ts";
import { counters } from "../../../hosts/power-cuts/history.ts";
import { proofHardware, referenceEntry } from "../../../hosts/power-cuts/images.ts";
import { samplePairs, sampleSingles } from "../../../hosts/power-cuts/plan.ts";
import {
  buildImages,
  historyKinds,
  Proof,
  type ProofImages,
} from "../../../hosts/power-cuts/proof.ts";
import { describeTally, reportAsJson, summaryLine } from "../../../hosts/power-cuts/report.ts";
import { operationCounts, runPlanned } from "../../../hosts/power-cuts/share.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

const seed = 20;
const singles = 60;
const pairs = 24;
let images: ProofImages;
let proof: Proof;

before(async () => {
  images = await buildImages(seed);
  proof = new Proof("small", images);
});

test("no cut of a seeded sample bricks a device or loses a rollback", async () => {
  const counts = await operationCounts(proof);
  const plan = [...sampleSingles(counts, seed, singles), ...samplePairs(counts, seed, pairs)];
  let tally = emptyTally;
  for (const planned of plan) tally = addTallies(tally, await runPlanned(proof, planned, null));
  const options = {
    layout: "small",
    seed,
    sample: pairs,
    dumpFolder: null,
    json: false,
    replay: null,
  } as const;
  assert.deepEqual(tally.failures, [], describeTally(tally, options).join("\n"));
  assert.equal(summaryLine(tally), `${singles + pairs} cuts, 0 bricked, 0 lost rollbacks`);
});

test("a cut whose recovery comes into a known state ends as if it were run to its end", async () => {
  const kind = historyKinds.find(({ name }) => name === "rollback-crash")!;
  const { operations } = await proof.cleanRun(kind);
  const from = operations.findIndex(({ phase }) => phase === "swap") + 40;
  const cases = Array.from({ length: 12 }, (_, index) => ({
    operation: from + index,
    kind: allCutKinds[index % allCutKinds.length]!,
  }));
  const runner = await proof.runner(kind);
  let joined = 0;
  for (const cut of cases) {
    const report = await runner.run([cut]);
    const whole = await runner.run([cut], { afterLastCut: null, atRest: null });
    assert.deepEqual({ ...report, joined: false }, whole, `operation ${cut.operation} ${cut.kind}`);
    if (report.joined) joined += 1;
  }
  assert.ok(joined >= 6, `${joined} of ${cases.length}`);
});

/** Every operation is cut in every way, under one counter or the other; power-cuts does both. */
test("an image that throws gets three boots, wherever the power was cut while its swap was requested", async () => {
  for (const [turn, counter] of counters.entries()) {
    const kind = historyKinds.find(
      (one) => one.name === "rollback-crash" && one.counter === counter,
    )!;
    const { operations } = await proof.cleanRun(kind);
    const runner = await proof.runner(kind);
    const from = operations.findIndex(({ phase }) => phase === "request") - 1;
    const to = operations.findIndex(({ phase }) => phase === "swap");
    for (let operation = from; operation < to; operation += 1)
      for (const [index, cutKind] of allCutKinds.entries()) {
        if ((operation + index) % counters.length !== turn) continue;
        const { broken } = await runner.run([{ operation, kind: cutKind }]);
        assert.deepEqual(broken, [], `operation ${operation}, ${cutKind}`);
      }
  }
});

test("tries the bundle that release build makes", async (context) => {
  const folder = temporaryFolder(context);
  const root = new URL("../../../", import.meta.url).pathname;
  const { exitCode, stdout, stderr } = await sluice(
    ...["release", "build", "--version", images.old.version, "--hardware", proofHardware],
    ...["--root", root, "--out", folder, "--json"],
  );
  assert.equal(exitCode, 0);
  const { artifacts } = JSON.parse(stdout) as { artifacts: { sha256: string }[] };
  assert.equal(artifacts[0]?.sha256, images.old.payloadSha256);
  assert.match(stderr, new RegExp(images.old.payloadSha256));
  assert.equal(images.old.entry, referenceEntry);
});

test("makes slots just large enough for the images and what the swap needs", () => {
  const { primary } = proof.layout;
  const imageSectors = Math.ceil(images.old.file.length / 4096);
  assert.equal(primary.sectors, imageSectors + 2);
  assert.ok(primary.sectors <= 64);
});

test("goes through every phase of an update and of a rollback", async () => {
  const phasesOf = async (index: number): Promise<string[]> => {
    const run = await proof.cleanRun(historyKinds[index]!);
    return [...new Set(run.operations.map(({ phase }) => phase))];
  };
  const toTheTrial = ["staging", "request", "swap", "trial"];
  for (const [index, { name }] of historyKinds.entries()) {
    const rest = name.startsWith("rollback") ? ["revert", "report"] : ["confirm"];
    assert.deepEqual(await phasesOf(index), [...toTheTrial, ...rest], name);
  }
});

test("tells as JSON what the number of cuts is made of", async () => {
  const runs = await Promise.all(historyKinds.map((kind) => proof.cleanRun(kind)));
  const total = runs.reduce((sum, run) => sum + run.operations.length, 0);
  const tally = { ...emptyTally, singles: 3 * total, pairs };
  const json = reportAsJson(proof, runs, tally, 0) as {
    modes: string[];
    histories: { operations: number; phases: { operations: number; byArea: object }[] }[];
    pairs: number;
    cuts: number;
  };
  const sum = json.histories.reduce((all, { operations }) => all + operations, 0);
  assert.equal(json.cuts, json.modes.length * sum + json.pairs);
  for (const { operations, phases } of json.histories) {
    assert.equal(
      phases.reduce((all, phase) => all + phase.operations, 0),
      operations,
    );
    const areas = phases.flatMap(({ byArea }) => Object.values(byArea) as number[]);
    assert.equal(
      areas.reduce((all, count) => all + count, 0),
      operations,
    );
  }
});

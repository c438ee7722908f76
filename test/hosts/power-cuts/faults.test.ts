// A proof is worth what its checkers can see: each of these devices has one defect, and each must
// be caught.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { CutKind, FaultHook } from "../../../hosts/flash/operation.ts";
import { countingHook } from "../../../hosts/mcuboot-model/earlier-hooks.ts";
import type { CleanRun, Counter } from "../../../hosts/power-cuts/history.ts";
import {
  buildImages,
  type HistoryKind,
  historyKinds,
  Proof,
  type ProofFaults,
  type ProofImages,
} from "../../../hosts/power-cuts/proof.ts";
import { moveTrailerShape } from "../../../src/image/layout.ts";
import { trailerOffsets } from "../../../src/image/trailer.ts";

const seed = 3;
let images: ProofImages;

before(async () => {
  images = await buildImages(seed);
});

function kindOf(name: HistoryKind["name"], counter: Counter): HistoryKind {
  return historyKinds.find((kind) => kind.name === name && kind.counter === counter)!;
}

/** What each cut in a range of operations broke, without repeats. */
async function brokenBy(
  proof: Proof,
  kind: HistoryKind,
  cuts: { readonly operations: readonly number[]; readonly kinds: readonly CutKind[] },
): Promise<string[]> {
  const runner = await proof.runner(kind);
  const texts = new Set<string>();
  for (const operation of cuts.operations)
    for (const cutKind of cuts.kinds) {
      const { broken } = await runner.run([{ operation, kind: cutKind }]);
      for (const promise of broken) texts.add(`${promise.kind}: ${promise.text}`);
    }
  return [...texts];
}

function operationsWhere(
  run: CleanRun,
  matches: (operation: CleanRun["operations"][number]) => boolean,
): number[] {
  return run.operations.flatMap((operation, index) => (matches(operation) ? [index] : []));
}

test("catches firmware that skips the journal: it takes the rejected image again", async () => {
  const entry = "hosts/simulator/firmware/forgets-journal.ts";
  const proof = new Proof("small", await buildImages(seed, { old: entry }));
  const { broken } = await proof.cleanRun(kindOf("rollback-crash", "equal"));
  assert.deepEqual(broken[0], {
    kind: "lost-rollback",
    text: "new 1.1.0 gets unconfirmed boot 4",
  });
});

test("catches firmware that confirms itself at once", async () => {
  const entry = "hosts/simulator/firmware/confirms-at-once.ts";
  const proof = new Proof("small", await buildImages(seed, { new: entry }));
  const { broken } = await proof.cleanRun(kindOf("rollback-silent", "equal"));
  assert.deepEqual(broken[0], {
    kind: "lost-rollback",
    text: "new 1.1.0 confirms itself before the server answered it",
  });
});

test("catches a bootloader that loses one write of its swap status", async () => {
  const whole = new Proof("small", images);
  const kind = kindOf("update", "equal");
  const { primary } = whole.layout;
  const shape = moveTrailerShape({
    slotBytes: primary.sizeBytes,
    sectorBytes: 4096,
    writeBlockBytes: 4,
    maxAlignBytes: 8,
  });
  const { status } = trailerOffsets({ shape, slotBytes: primary.sizeBytes });
  const lostEntry = primary.offsetBytes + status + 4 * 4;
  const chipFault: FaultHook = ({ kind: what, address }) =>
    what === "write" && address === lostEntry ? "drop" : "proceed";
  const proof = new Proof("small", images, { chipFault });
  const run = await proof.cleanRun(kind);
  assert.deepEqual(run.broken, [], "without a cut nobody reads the status");
  const [lost = 0] = operationsWhere(run, ({ address }) => address === lostEntry);
  const operations = [1, 2, 3, 4].map((behind) => lost + behind);
  const broken = await brokenBy(proof, kind, { operations, kinds: ["clean"] });
  assert.deepEqual(broken, ["lost-rollback: old 1.0.1 is not whole behind new 1.1.0"]);
});

for (const [counter, holds] of [
  ["equal", true],
  ["raised", false],
] as const)
  test(`the first sketch of the hook ${holds ? "survives" : "loses the rollback at"} a cut early in the revert with the counter ${counter}`, async () => {
    const { proof, run, kind } = await withHook({ hook: countingHook }, counter);
    const [revert = 0] = operationsWhere(run, ({ phase }) => phase === "revert");
    const operations = Array.from({ length: 10 }, (_, index) => revert + index);
    const broken = await brokenBy(proof, kind, { operations, kinds: ["clean"] });
    const lost = "lost-rollback: new 1.1.0 stays and was never confirmed";
    assert.equal(broken.includes(lost), !holds, broken.join("\n"));
  });

test("the first sketch of the hook keeps an unconfirmed image whose copy_done was torn; ours does not", async () => {
  for (const [faults, holds] of [
    [{ hook: countingHook }, false],
    [{}, true],
  ] as const) {
    const { proof, run, kind } = await withHook(faults, "raised");
    const { primary } = proof.layout;
    const copyDone = primary.offsetBytes + primary.sizeBytes - 32;
    const operations = operationsWhere(
      run,
      ({ phase, address }) => phase === "swap" && address === copyDone,
    );
    assert.equal(operations.length, 1);
    const broken = await brokenBy(proof, kind, { operations, kinds: ["bits"] });
    assert.equal(broken.length === 0, holds, broken.join("\n"));
  }
});

async function withHook(
  faults: ProofFaults,
  counter: Counter,
): Promise<{ proof: Proof; run: CleanRun; kind: HistoryKind }> {
  const proof = new Proof("small", images, faults);
  const kind = kindOf("rollback-silent", counter);
  const run = await proof.cleanRun(kind);
  assert.deepEqual(run.broken, []);
  return { proof, run, kind };
}

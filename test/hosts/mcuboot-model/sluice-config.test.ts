import assert from "node:assert/strict";
import { test } from "node:test";
import type { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { allCutKinds } from "../../../hosts/flash/operation.ts";
import { setConfirmed, setPending } from "../../../hosts/mcuboot-model/application.ts";
import { loaderState } from "../../../hosts/mcuboot-model/boot.ts";
import type { BootConfig } from "../../../hosts/mcuboot-model/config.ts";
import { countingHook, markerHook } from "../../../hosts/mcuboot-model/earlier-hooks.ts";
import { bootDevice, sluiceConfig } from "../../../hosts/mcuboot-model/sluice-config.ts";
import { trailerSwapType } from "../../../hosts/mcuboot-model/swap-type.ts";
import { trialBoots, trialHook } from "../../../hosts/mcuboot-model/trial-hook.ts";
import {
  type Cut,
  checkTrial,
  type TrialCase,
} from "../../../hosts/power-cuts/checkers/trial-boots.ts";
import {
  bootLine,
  describeOutcome,
  makeChip,
  makeImage,
  signers,
  smallLayout,
} from "../../support/boot-bench.ts";

const keys = [signers.first.key];
const old = await makeImage({ version: "1.0.0", sectors: 1, securityCounter: 1 });
const sameCounter = await makeImage({ version: "2.0.0", sectors: 2, securityCounter: 1 });
const raisedCounter = await makeImage({ version: "2.0.0", sectors: 2, securityCounter: 2 });
const later = await makeImage({ version: "3.0.0", sectors: 1, securityCounter: 2 });

interface Choices {
  readonly hook: BootConfig["primaryStateHook"];
  readonly next: Uint8Array;
  readonly confirmAtBoot: number | null;
}

function trialOf(choices: Partial<Choices> = {}): TrialCase {
  const { hook = trialHook, next = raisedCounter, confirmAtBoot = null } = choices;
  const config = sluiceConfig(smallLayout, keys, hook);
  const start = makeChip(config, { primary: old, secondary: next });
  setPending(start, config, "test");
  const versions = { oldVersion: "1.0.0+0", newVersion: "2.0.0+0" };
  return { start, config, ...versions, confirmAtBoot, trialBootsMax: trialBoots };
}

/** Every violation of a sweep with one cut at every operation, in every kind. */
function sweep(trial: TrialCase): string[] {
  const { operations } = checkTrial(trial);
  const found: string[] = [];
  for (const kind of allCutKinds)
    for (let operation = 0; operation < operations; operation++) {
      const report = checkTrial(trial, [{ operation, kind }]);
      for (const violation of report.violations)
        found.push(
          `${kind} cut at operation ${operation}: ${violation} (${report.boots.join(", ")})`,
        );
    }
  return found;
}

test("an upgrade that nobody confirms gets exactly three boots and is then reverted", () => {
  const { start, config } = trialOf();
  const lines = Array.from({ length: 6 }, () => bootLine(start, config));
  assert.deepEqual(lines, [
    "2.0.0 test",
    "2.0.0 none",
    "2.0.0 none",
    "1.0.0 revert",
    "1.0.0 none",
    "1.0.0 none",
  ]);
  assert.equal(describeOutcome(bootDevice(start, smallLayout, keys)), "1.0.0 none");
});

test("an upgrade that is confirmed at any of its boots stays", () => {
  for (const confirmAtBoot of [1, 2, 3]) {
    const report = checkTrial(trialOf({ confirmAtBoot }));
    assert.deepEqual(report.violations, []);
    assert.equal(report.boots.at(-1), "2.0.0+0 none");
    assert.equal(report.trialBoots, confirmAtBoot);
  }
});

test("after a revert the rejected image can be requested again, and gets three boots again", () => {
  const { start, config } = trialOf();
  for (let boots = 0; boots < 5; boots++) bootLine(start, config);
  assert.equal(setPending(start, config, "test"), "ok");
  const lines = Array.from({ length: 4 }, () => bootLine(start, config));
  assert.deepEqual(lines, ["2.0.0 test", "2.0.0 none", "2.0.0 none", "1.0.0 revert"]);
});

test("the application sees a revert coming at every trial boot, for it does not know the hook", () => {
  const { start, config } = trialOf();
  // boot_swap_type of the application, which is built without the bootloader's hook.
  const swapType = (): string => trailerSwapType(loaderState(start, config));
  bootLine(start, config);
  assert.equal(swapType(), "revert");
  bootLine(start, config);
  assert.equal(swapType(), "revert");
});

test("power may fail at any operation of update and revert, torn in any way: always boots, at most three boots, then the old image", () => {
  assert.deepEqual(sweep(trialOf({ next: sameCounter })), []);
  assert.deepEqual(sweep(trialOf({ next: raisedCounter })), []);
});

test("power may fail at any operation of update and confirmation: a confirmed image stays, another does not", () => {
  for (const confirmAtBoot of [1, 3]) assert.deepEqual(sweep(trialOf({ confirmAtBoot })), []);
});

test("power may fail twice", () => {
  const trial = trialOf();
  const { operations } = checkTrial(trial);
  const random = seeded(20261121);
  for (let run = 0; run < 200; run++) {
    const first = random(operations);
    const cuts: Cut[] = [first, first + 1 + random(operations)].map((operation) => ({
      operation,
      kind: allCutKinds[random(allCutKinds.length)]!,
    }));
    const report = checkTrial(trial, cuts);
    assert.deepEqual(report.violations, [], `${JSON.stringify(cuts)}: ${report.boots.join(", ")}`);
  }
});

test("the checker catches MCUboot without a hook and the hook that only counts, where the counter is raised", () => {
  const withoutHook = { ...trialOf({ hook: null }), trialBootsMax: 1 };
  for (const trial of [withoutHook, trialOf({ hook: countingHook })]) {
    const found = sweep(trial);
    assert.ok(found.length > 15, `${found.length} violations`);
    assert.match(found.join("\n"), /2\.0\.0\+0 stays, 1\.0\.0\+0 should/);
    assert.match(found.join("\n"), /unconfirmed boots, at most/);
  }
  // Equal counters hide the hole: only the torn copy_done is left to see.
  const found = sweep(trialOf({ hook: countingHook, next: sameCounter }));
  assert.equal(found.filter((line) => !line.startsWith("bits")).length, 0);
  assert.ok(found.length > 0);
});

test("a page full of garbage costs boots and nothing else, unlike with the hook that believed its marker", () => {
  const lines = (hook: Choices["hook"]): string[] => {
    const { start, config } = trialOf({ hook });
    start.poke(smallLayout.bootctl.offsetBytes, new Uint8Array(16));
    return Array.from({ length: 3 }, () => bootLine(start, config));
  };
  assert.deepEqual(lines(trialHook), ["2.0.0 test", "2.0.0 none", "2.0.0 none"]);
  assert.equal(lines(markerHook)[0], "2.0.0 revert", "installed without a trial");
});

test("a revert that cannot happen does not stand in the way of the next update", () => {
  const lines = (hook: Choices["hook"]): string[] => {
    const { start, config } = trialOf({ hook });
    bootLine(start, config);
    damageSecondary(start);
    for (let boots = 0; boots < 4; boots++) bootLine(start, config);
    start.poke(smallLayout.secondary.offsetBytes, later);
    setPending(start, config, "test");
    return Array.from({ length: 2 }, () => bootLine(start, config));
  };
  assert.deepEqual(lines(trialHook), ["3.0.0 test", "3.0.0 none"]);
  assert.equal(lines(markerHook)[0], "3.0.0 revert", "installed without a trial");
});

test("an unconfirmed image that asks for the image it replaced is reverted", () => {
  const { start, config } = trialOf();
  bootLine(start, config);
  setPending(start, config, "test");
  assert.equal(bootLine(start, config), "1.0.0 revert");
});

test("confirming twice, before and after a reboot, writes once", () => {
  const { start, config } = trialOf();
  bootLine(start, config);
  const writes = start.counts.writes;
  for (let calls = 0; calls < 3; calls++) assert.equal(setConfirmed(start, config), "ok");
  assert.equal(start.counts.writes, writes + 1);
});

/** The copy of the old image no longer verifies. */
function damageSecondary(flash: NorFlash): void {
  flash.poke(smallLayout.secondary.offsetBytes + 500, new Uint8Array(16));
}

/** Whole numbers below a limit, the same everywhere. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BoardDevice, type Checkpoint } from "../../hosts/esp32/emulator/board-device.ts";
import { primaryVersion, signed } from "../../hosts/esp32/emulator/board-image.ts";
import type { EmulatedChip } from "../../hosts/esp32/emulator/emulated-chip.ts";
import { Journal } from "../../src/update/machine/journal.ts";
import { identityKey } from "../../src/update/settings.ts";
import {
  type CutMoment,
  type CutPhase,
  cutMoments,
  cutPhases,
  firstWord,
  type PhaseTimes,
} from "./cut-moments.ts";
import { assertModelAgrees } from "./model.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";
import { untilUpdated } from "./until-updated.ts";

const phaseMs = 600_000;
/**
 * Of the cuts that were meant for a phase, how many fell into it: a machine is not always as fast
 * as before.
 */
const fallenShareMin = 0.5;

const applicationStarts = /^\*\*\* Booting Zephyr OS/;
const romStarts = /ESP-ROM:/;
/** What ends each phase. */
const ends: Readonly<Record<CutPhase, RegExp>> = {
  download: /^info: \w+ -> activating /,
  swap: applicationStarts,
  trial: /^info: trial -> confirmed /,
};

/** One update without a cut, which tells how long its phases take. */
interface CleanRun {
  readonly times: PhaseTimes;
  /** At the restart into the new image, before the first sector is swapped. */
  readonly beforeSwap: Checkpoint;
  readonly rollout: number;
}

/**
 * The power fails at a random moment of an update: the device runs one of both images and ends on
 * the new one.
 */
export async function cutScenarios(stage: Stage): Promise<Scenario[]> {
  const seed = Number(process.env["SLUICE_SEED"] ?? Date.now() % 1_000_000);
  console.log(`moments of the power cuts: SLUICE_SEED=${seed}`);
  const clean = Promise.withResolvers<CleanRun>();
  clean.promise.catch(() => {}); // every cut is told
  const moments = [...cutMoments(seed), firstWord];
  const fallen: CutPhase[] = [];
  const ended: Promise<void>[] = [];
  const cuts = moments.map((moment, index) => {
    const end = Promise.withResolvers<void>();
    ended.push(end.promise);
    const run = async (): Promise<void> => {
      const folder = join(stage.directory, String(index + 1));
      fallen.push(await checkCut(stage, await clean.promise, moment, folder));
    };
    const name = `cut ${index + 1}`;
    return { name, needs: clean.promise, run: () => run().finally(end.resolve) };
  });
  const uncut = async (): Promise<void> => {
    try {
      clean.resolve(await runClean(stage));
    } catch (error) {
      clean.reject(new Error("the update without a cut came to no end"));
      throw error;
    }
  };
  return [
    { name: "the update without a cut", run: uncut },
    ...cuts,
    {
      name: "the phases of the cuts",
      needs: Promise.all(ended),
      run: () => checkPhases(stage, moments, fallen),
    },
  ];
}

async function runClean(stage: Stage): Promise<CleanRun> {
  const { kit, checks, directory } = stage;
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, { securityCounter: 2 });
  const folder = join(directory, "clean");
  const one = await BoardDevice.start({ parts: kit, directory: folder, image });
  const rollout = await one.offer("1.1.0", next);
  let downloadMs = 0;
  await closing(checks, one, async () => {
    const startedMs = performance.now();
    const chip = await one.powerOn();
    await chip.waitFor(ends.download, { timeoutMs: phaseMs });
    downloadMs = performance.now() - startedMs;
    const fromLine = chip.lines.findLastIndex((line) => ends.download.test(line));
    await chip.waitFor(romStarts, { timeoutMs: phaseMs, fromLine });
  });
  const beforeSwap = one.asLeft;
  const rest = await BoardDevice.resume(kit, beforeSwap, join(directory, "rest"));
  let times: PhaseTimes = { download: downloadMs, swap: 0, trial: 0 };
  await closing(checks, rest, async () => {
    const startedMs = performance.now();
    const chip = await rest.powerOn();
    await chip.waitFor(ends.swap, { timeoutMs: phaseMs });
    const swappedMs = performance.now();
    await chip.waitFor(ends.trial, { timeoutMs: phaseMs });
    times = { ...times, swap: swappedMs - startedMs, trial: performance.now() - swappedMs };
    await untilUpdated(rest, rollout);
  });
  const seconds = cutPhases.map((phase) => `${phase} ${(times[phase] / 1000).toFixed(1)} s`);
  console.log(`an update without a cut: ${seconds.join(", ")}`);
  return { times, beforeSwap, rollout };
}

/** Answers the phase into which the cut fell. */
async function checkCut(
  stage: Stage,
  run: CleanRun,
  moment: CutMoment,
  directory: string,
): Promise<CutPhase> {
  const { kit, checks } = stage;
  const isDownload = moment.phase === "download";
  const one = isDownload
    ? await freshDevice(stage, directory)
    : { device: await BoardDevice.resume(kit, run.beforeSwap, directory), rollout: run.rollout };
  const { device, rollout } = one;
  let fell: CutPhase = "download";
  await closing(checks, device, async (check) => {
    const identity = device.readStorage().read(identityKey);
    const afterMs = Math.round(moment.share * run.times[moment.phase]);
    const cut = `${(afterMs / 1000).toFixed(1)} s into the ${moment.phase}`;
    await check(`ends on the new image after a cut ${cut}`, async () => {
      await untilMoment(await device.powerOn(), moment.phase, afterMs);
      await device.powerOff();
      fell = fallenInto(device.console, isDownload);
      if (fell !== moment.phase) console.log(`the cut ${cut} fell into the ${fell}`);
      assert.deepEqual(device.readStorage().read(identityKey), identity);
      const stored = storedState(device);
      assertRemembered(device.console, stored);
      const chip = await device.powerOn();
      const line = await chip.waitFor(/^info: running 1\.[01]\.0 /, { timeoutMs: phaseMs });
      assert.ok(line.endsWith(`, update ${stored}`), `"${line}" with "${stored}" in the journal`);
      await untilUpdated(device, rollout);
      assert.equal(primaryVersion(device.readFlash()), "1.1.0");
      assert.deepEqual(device.crashes, []);
      assert.deepEqual(device.readStorage().read(identityKey), identity);
      await assertModelAgrees(device.boots, kit.keys.key);
    });
  });
  return fell;
}

async function freshDevice(
  { kit }: Stage,
  directory: string,
): Promise<{ device: BoardDevice; rollout: number }> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, { securityCounter: 2 });
  const device = await BoardDevice.start({ parts: kit, directory, image });
  return { device, rollout: await device.offer("1.1.0", next) };
}

/** The end of the phase is the last moment of it. */
async function untilMoment(chip: EmulatedChip, phase: CutPhase, afterMs: number): Promise<void> {
  if (phase === "trial") await chip.waitFor(applicationStarts, { timeoutMs: phaseMs });
  const given = new AbortController();
  await Promise.race([
    sleep(afterMs, undefined, { signal: given.signal }), // the moment is what is tried here
    chip.waitFor(ends[phase], { timeoutMs: phaseMs }),
  ]).finally(() => given.abort());
}

/**
 * Of a device that was cut once, from its first power-on or from its restart into the new image.
 */
function fallenInto(console: readonly string[], fromStart: boolean): CutPhase {
  const starts = console.filter((line) => applicationStarts.test(line)).length;
  if (starts === (fromStart ? 2 : 1)) return "trial";
  const lastStart = console.findLastIndex((line) => applicationStarts.test(line));
  const isReset = console.slice(lastStart + 1).some((line) => romStarts.test(line));
  return !fromStart || (starts === 1 && isReset) ? "swap" : "download";
}

/** The journal of a device that is off holds the last state that it told of, or the one before. */
function assertRemembered(console: readonly string[], stored: string): void {
  const steps = console.flatMap((line) => {
    const match = /^info: (\w+) -> (\w+) on /.exec(line);
    return match === null ? [] : [[match[1], match[2]]];
  });
  const [before, after] = steps.at(-1) ?? ["activating", "idle"]; // a checkpoint, or a first start
  assert.ok(stored === before || stored === after, `"${stored}" after ${before} -> ${after}`);
}

function storedState(device: BoardDevice): string {
  const storage = device.readStorage();
  const refuse = (): never => {
    throw new TypeError("a storage to read from only");
  };
  return new Journal({ ...storage, write: refuse, delete: refuse }).read().kind;
}

async function checkPhases(
  { checks }: Stage,
  moments: readonly CutMoment[],
  fallen: readonly CutPhase[],
): Promise<void> {
  await checks.check("the cuts fell into download, swap and trial", () => {
    const counts = cutPhases.map((phase) => {
      const count = (of: readonly CutPhase[]) => of.filter((one) => one === phase).length;
      return { phase, fell: count(fallen), meant: count(moments.map((moment) => moment.phase)) };
    });
    console.log(`cuts: ${counts.map(({ phase, fell }) => `${fell} in the ${phase}`).join(", ")}`);
    for (const { phase, fell, meant } of counts)
      assert.ok(fell >= meant * fallenShareMin, `${fell} of ${meant} fell into the ${phase}`);
  });
}

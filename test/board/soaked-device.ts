import assert from "node:assert/strict";
import { memoryPeaks, storedIn } from "../../hosts/esp32/emulator/board-device.ts";
import { type RealFleet, until } from "../../hosts/moddable/real-fleet.ts";
import { growthOf, readingsMin } from "./growth.ts";
import { everythingBytesMax, stackBytesMax } from "./memory-bounds.ts";
import type { Check } from "./stage.ts";
import { silentSeconds } from "./until-updated.ts";

const updatesDefault = 200;
const updatesMax = 1000;
/**
 * So many that either most or the least of them were taken from a server that took everything, for
 * a growth to show.
 */
const updatesMin = 2 * readingsMin - 1;
/** Versions become longer by a character or two, in a few places. */
const growthBytesMax = 512;
/** In one boot: every update ends with a restart, which hides what leaks. */
const pollsInARow = 150;

/** One that takes updates for as long as is wanted. */
export interface SoakedDevice {
  readonly fleet: RealFleet;
  readonly id: string;
  /** Answers the rollout. */
  offer(version: string): Promise<number>;
  /** What was told since this was asked last. */
  takeLog(): SoakLog;
}

export interface SoakLog {
  readonly lines: readonly string[];
  readonly restarts: readonly Restart[];
  /** Starts after a fault of the firmware. */
  readonly crashes: readonly string[];
}

export interface Restart {
  /** The first line of the console after it. */
  readonly atLine: number;
  /** As the firmware left it. */
  readonly flash: Uint8Array | null;
}

/** Of one update. */
interface Reading {
  readonly seconds: number;
  /**
   * Answers with 429: a soak tells more than a server takes of one device, and what it does not
   * take waits.
   */
  readonly pausedAnswers: number;
  /** The most that was in use, of the boot that downloaded and the one on trial. */
  readonly xsBytes: number;
  readonly heapBytes: number;
  readonly stackBytes: number;
  /** At the restart into the new image, garbage collected. */
  readonly leftBytes: number;
  readonly storedValues: number;
  readonly storedBytes: number;
}

/** What must stay as it is. */
const grown: readonly (readonly [string, (reading: Reading) => number])[] = [
  ["the most that XS uses", ({ xsBytes }) => xsBytes],
  ["the most of Zephyr's heap", ({ heapBytes }) => heapBytes],
  ["the most of the stack", ({ stackBytes }) => stackBytes],
  ["what is in use at a restart", ({ leftBytes }) => -leftBytes],
  ["what is stored", ({ storedBytes }) => storedBytes],
];

/** Of a device that is on. */
export async function checkSoak(check: Check, device: SoakedDevice, count: number): Promise<void> {
  const readings: Reading[] = [];
  await check(`takes ${count} updates in a row, and never fails`, async () => {
    for (let update = 1; update <= count; update += 1) {
      readings.push(await takeOne(device, update));
      tell(`update ${update}`, readings.at(-1) as Reading);
    }
  });
  await check("never needs more than is allowed", () => {
    for (const { xsBytes, stackBytes } of readings) {
      const allowed = `${xsBytes} bytes of XS, ${everythingBytesMax} are allowed`;
      assert.ok(xsBytes <= everythingBytesMax, allowed);
      assert.ok(stackBytes <= stackBytesMax(), `${stackBytes} bytes of stack`);
    }
  });
  for (const [name, of] of grown)
    await check(`${name} does not grow from the first updates to the last`, () => {
      for (const [server, alike] of byServer(readings)) {
        const growth = growthOf(alike.map(of));
        console.log(`${name}, ${alike.length} updates ${server}: ${JSON.stringify(growth)}`);
        assert.ok(growth.grownBytes <= growthBytesMax, `${growth.grownBytes} bytes more`);
      }
    });
  await check(`loses nothing in ${pollsInARow} polls without a restart`, async () => {
    const before = polls(device);
    const isOver = (): boolean => polls(device) >= before + pollsInARow;
    await until("the polls", silentSeconds, isOver, () => polls(device));
    const last = await takeOne(device, count + 1);
    tell(`after ${pollsInARow} polls`, last);
    for (const [what, of] of grown) {
      const most = Math.max(...readings.map(of)); // of either server
      assert.ok(
        of(last) <= most + growthBytesMax,
        `${what}: ${of(last)}, ${most} after fewer polls`,
      );
    }
  });
}

/**
 * Updates that met the same server, as far as there are enough of them; all of them are not alike.
 */
function byServer(readings: readonly Reading[]): (readonly [string, readonly Reading[]])[] {
  const servers: (readonly [string, readonly Reading[]])[] = [
    ["of a server that takes everything", readings.filter((one) => one.pausedAnswers === 0)],
    ["of one that asks for pauses", readings.filter((one) => one.pausedAnswers > 0)],
  ];
  const enough = servers.filter(([, alike]) => alike.length >= readingsMin);
  assert.ok(enough.length > 0, `too few of ${readings.length} readings are alike`);
  return enough;
}

/** SLUICE_SOAK */
export function updatesWanted(): number {
  const { SLUICE_SOAK = String(updatesDefault) } = process.env;
  const count = Number(SLUICE_SOAK);
  if (!(Number.isInteger(count) && count >= updatesMin && count <= updatesMax))
    throw new RangeError(
      `SLUICE_SOAK is ${SLUICE_SOAK}: give ${updatesMin} to ${updatesMax} updates`,
    );
  return count;
}

async function takeOne(device: SoakedDevice, update: number): Promise<Reading> {
  const { fleet, id } = device;
  const startedMs = performance.now();
  const pausedBefore = fleet.pausedAnswers;
  const version = `1.0.${update}`;
  const rollout = await device.offer(version);
  // Counters are read from the database, the device from memory, which follows a sync later.
  const isUpdated = async (): Promise<boolean> =>
    (await fleet.count(rollout, "updated")) === 1 &&
    (await fleet.device(id)).running?.version === version;
  await until(`the update to ${version}`, silentSeconds, isUpdated, () => fleet.requests.length);
  const { lines, restarts, crashes } = device.takeLog();
  assert.deepEqual(crashes, []);
  assert.equal(restarts.length, 1, "restarts in one update");
  const { atLine, flash } = restarts[0] as Restart;
  assert.ok(flash !== null, "nobody saw the flash at the restart");
  const stored = storedIn(flash);
  const { slots = 0, chunks = 0, heap = 0, stack = 0 } = memoryPeaks(lines);
  return {
    seconds: Math.round((performance.now() - startedMs) / 1000),
    pausedAnswers: fleet.pausedAnswers - pausedBefore,
    xsBytes: slots + chunks,
    heapBytes: heap,
    stackBytes: stack,
    leftBytes: leftAtRestart(lines.slice(0, atLine)),
    storedValues: stored.values,
    storedBytes: stored.bytes,
  };
}

/** The board tells of its memory right before it restarts. */
function leftAtRestart(before: readonly string[]): number {
  const { free } = memoryPeaks(before.filter((line) => line.startsWith("memory: ")).slice(-1));
  assert.ok(free !== undefined, "the firmware told nothing of its memory");
  return free;
}

function polls({ fleet, id }: SoakedDevice): number {
  return fleet.requests.filter(({ path }) => path.endsWith(`/controller/v1/${id}`)).length;
}

function tell(what: string, reading: Reading): void {
  const { seconds, xsBytes, heapBytes, stackBytes, pausedAnswers } = reading;
  const memory = `XS ${xsBytes}, heap ${heapBytes}, stack ${stackBytes} bytes`;
  const stored = `${reading.storedBytes} bytes stored in ${reading.storedValues} values`;
  console.log(
    `${what}: ${seconds} s, ${memory}; ${reading.leftBytes} left, ${stored}, ${pausedAnswers} asked to pause`,
  );
}

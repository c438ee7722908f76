import assert from "node:assert/strict";
import { join } from "node:path";
import { trustedReleases } from "../../hosts/bench/trust/trusted-releases.ts";
import { BoardDevice, deviceId, memoryPeaks } from "../../hosts/esp32/emulator/board-device.ts";
import { hardware, signed } from "../../hosts/esp32/emulator/board-image.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import { certificate, servedToDevices, withClient } from "../support/tls.ts";
import { stackBytesMax, xsBytesMax } from "./memory-bounds.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";

const updatesDefault = 200;
const updatesMax = 1000;
const updateSeconds = 900;
const hosts = ["10.0.2.2"];
/** Between two updates that are the same a collection may fall elsewhere. */
const growthBytesMax = 4096;

/** What was the most in one update. */
interface Peaks {
  readonly xsBytes: number;
  readonly heapBytes: number;
  readonly stackBytes: number;
}

/** Updates without end, everything on: nothing may grow from one to the next. Hours; only when it is named. */
export async function soakScenarios(stage: Stage): Promise<Scenario[]> {
  return [{ name: "the soak", run: () => soak(stage) }];
}

async function soak(stage: Stage): Promise<void> {
  const { checks, kit, directory } = stage;
  const count = updatesWanted();
  const one = await BoardDevice.start({
    parts: kit,
    directory: join(directory, "soak"),
    image: await signed("1.0.0", kit.reference.payload, kit.keys),
    tls: { server: servedToDevices(certificate({ hosts })), credentials: withClient() },
    trust: await trustedReleases(join(directory, "offline"), hardware),
  });
  await closing(checks, one, async (check) => {
    await one.powerOn();
    const peaks: Peaks[] = [];
    await check(`takes ${count} updates in a row, and never fails`, async () => {
      for (let update = 1; update <= count; update += 1) {
        peaks.push(await takeOne(stage, one, update));
        tell(update, peaks);
      }
      assert.deepEqual(one.crashes, []);
    });
    await check("never needs more than there is", () => {
      for (const { xsBytes, stackBytes } of peaks) {
        assert.ok(xsBytes <= xsBytesMax, `${xsBytes} bytes of XS`);
        assert.ok(stackBytes <= stackBytesMax(), `${stackBytes} bytes of stack`);
      }
    });
    await check("grows in nothing from the first updates to the last", () => {
      const part = Math.max(1, Math.floor(peaks.length / 4));
      for (const name of ["xsBytes", "heapBytes", "stackBytes"] as const) {
        const [first, last] = [peaks.slice(0, part), peaks.slice(-part)].map((some) =>
          Math.max(...some.map((peak) => peak[name])),
        );
        assert.ok(Number(last) <= Number(first) + growthBytesMax, `${name}: ${first} to ${last}`);
      }
    });
  });
}

async function takeOne({ kit }: Stage, one: BoardDevice, update: number): Promise<Peaks> {
  const version = `1.0.${update}`;
  const fromLine = one.console.length;
  one.boots.length = 0; // each holds the whole flash twice
  const rollout = await one.offer(version, await signed(version, kit.reference.payload, kit.keys));
  await until(`the update to ${version}`, updateSeconds, async () => {
    return (await one.fleet.count(rollout, "updated")) === 1;
  });
  assert.equal((await one.fleet.device(deviceId)).running?.version, version);
  const { slots = 0, chunks = 0, heap = 0, stack = 0 } = memoryPeaks(one.console.slice(fromLine));
  assert.ok(slots > 0, "the firmware told nothing of its memory");
  return { xsBytes: slots + chunks, heapBytes: heap, stackBytes: stack };
}

function tell(update: number, peaks: readonly Peaks[]): void {
  const { xsBytes, heapBytes, stackBytes } = peaks.at(-1) as Peaks;
  console.log(`update ${update}: XS ${xsBytes}, heap ${heapBytes}, stack ${stackBytes} bytes`);
}

function updatesWanted(): number {
  const { SLUICE_SOAK = String(updatesDefault) } = process.env;
  const count = Number(SLUICE_SOAK);
  if (!(Number.isInteger(count) && count >= 1 && count <= updatesMax))
    throw new RangeError(`SLUICE_SOAK is ${SLUICE_SOAK}: give 1 to ${updatesMax} updates`);
  return count;
}

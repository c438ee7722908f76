import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deviceLayout } from "../../hosts/flash/board-layout.ts";
import { readFlashFile } from "../../hosts/flash/flash-file.ts";
import type { CutKind } from "../../hosts/flash/operation.ts";
import { deviceId, OneDevice, type OneDeviceOptions } from "../../hosts/moddable/one-device.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import { mountBoardStorage } from "../../hosts/simulator/storage/board-storage.ts";
import type { Checks } from "./checks.ts";

export interface Payloads {
  /** The reference firmware. */
  readonly reference: Uint8Array;
  /** The application of three lines. */
  readonly including: Uint8Array;
  readonly throwing: Uint8Array;
  readonly hanging: Uint8Array;
}

const updateSeconds = 180;

/**
 * Updates of a board that runs what mcconfig built, against the real fleet server over real HTTP.
 */
export async function checkUpdates(
  checks: Checks,
  options: Omit<OneDeviceOptions, "payload" | "directory"> & { readonly directory: string },
  payloads: Payloads,
): Promise<void> {
  const withDevice = async (
    name: string,
    run: (one: OneDevice) => Promise<void>,
    more: Partial<OneDeviceOptions> = {},
  ): Promise<void> => {
    await checks.check(name, async () => {
      const directory = join(options.directory, name.replaceAll(/\W+/g, "-"));
      const one = await OneDevice.start({
        ...options,
        directory,
        payload: payloads.reference,
        ...more,
      });
      try {
        await run(one);
      } catch (error) {
        console.log(one.board.boots.concat(one.board.console.slice(-40)).join("\n"));
        throw error;
      } finally {
        await one.close();
      }
    });
  };

  await withDevice(
    "takes an update to an application that includes us, and one from it",
    async (one) => {
      const { rollout, bytes } = await one.offer("1.1.0", payloads.including);
      void one.powerOn({ operationLog: join(options.directory, "operations.log") });
      await updated(one, rollout);
      assert.deepEqual(one.board.boots, ["booted 1.0.0 power-on", "booted 1.1.0 software"]);
      assert.ok(one.board.console.includes("works"));
      const { erases, bytesWritten } = slotOperations(join(options.directory, "operations.log"));
      assert.equal(erases, 0, "a blank slot was erased");
      assert.ok(bytesWritten <= bytes * 1.01, `${bytesWritten} bytes for an image of ${bytes}`);
      // What runs now is the application of one include and three lines: it takes the next one
      // itself.
      const next = await one.offer("1.2.0", payloads.reference);
      await updated(one, next.rollout, "1.2.0");
      assert.equal(one.board.boots.at(-1), "booted 1.2.0 software");
      await one.powerOff();
      assert.ok(storedKeys(one).includes("sluice/config"), "a board could not read the storage");
    },
  );

  await withDevice("goes back after three boots of an image that throws", async (one) => {
    const { rollout } = await one.offer("1.2.0", payloads.throwing);
    void one.powerOn();
    await until("the rollback", updateSeconds, async () => {
      return (await one.fleet.count(rollout, "rolled-back")) === 1;
    });
    assert.deepEqual(one.board.boots, [
      "booted 1.0.0 power-on",
      "booted 1.2.0 software",
      "booted 1.2.0 exception",
      "booted 1.2.0 exception",
      "booted 1.0.0 exception",
    ]);
    assert.equal((await one.fleet.device(deviceId)).reason, "crashed");
  });

  await withDevice(
    "goes back after three watchdog resets of an image that hangs",
    async (one) => {
      const { rollout } = await one.offer("1.3.0", payloads.hanging);
      void one.powerOn();
      await until("the rollback", updateSeconds, async () => {
        return (await one.fleet.count(rollout, "rolled-back")) === 1;
      });
      assert.deepEqual(one.board.boots.slice(1), [
        "booted 1.3.0 software",
        "booted 1.3.0 watchdog",
        "booted 1.3.0 watchdog",
        "booted 1.0.0 watchdog",
      ]);
      assert.equal((await one.fleet.device(deviceId)).reason, "watchdog");
    },
    { watchdogSeconds: 3 },
  );

  await withDevice("goes back from an image that leaves too little memory", async (one) => {
    const { rollout } = await one.offer("1.4.0", payloads.reference);
    void one.powerOn({ memoryBytes: 30_000, trialMs: 3000 });
    await until("the rollback", updateSeconds, async () => {
      return (await one.fleet.count(rollout, "rolled-back")) === 1;
    });
    assert.equal((await one.fleet.device(deviceId)).reason, "low-memory");
  });

  await withDevice("goes on after power cuts in the middle of a download", async (one) => {
    const { rollout, bytes } = await one.offer("1.1.0", payloads.reference);
    const sectors = Math.floor(bytes / 4096);
    const cutAt: readonly (readonly [number, CutKind])[] = [
      [Math.floor(sectors / 4), "half"],
      [Math.floor(sectors / 4), "tail"],
      [Math.floor(sectors / 3), "clean"],
    ];
    for (const [operation, kind] of cutAt) {
      const end = await one.powerOn({ cut: { partition: "image-1", operation, kind } });
      assert.deepEqual(end, { kind: "power-cut" });
    }
    const asked = one.fleet.ranges.length;
    void one.powerOn();
    await updated(one, rollout);
    const resumed = one.fleet.ranges.slice(asked).find((range) => range !== "bytes=0-31");
    const resumedAt = Number(/^bytes=(\d+)-/.exec(resumed ?? "")?.[1]);
    assert.ok(resumedAt > bytes / 2, `the last download began at ${resumedAt} of ${bytes}`);
  });

  await withDevice("goes on after power cuts in key-value writes", async (one) => {
    const { rollout } = await one.offer("1.1.0", payloads.reference);
    // A new setting is four operations, a changed one two: these fall on values and on entries.
    const cuts: readonly (readonly [number, CutKind])[] = [
      [0, "half"],
      [1, "half"],
      [3, "tail"],
      [4, "half"],
    ];
    for (const [operation, kind] of cuts) {
      const end = await one.powerOn({ cut: { partition: "storage", operation, kind } });
      assert.deepEqual(end, { kind: "power-cut" });
    }
    void one.powerOn();
    await updated(one, rollout);
  });

  await withDevice("goes on after power cuts in the confirmation", async (one) => {
    const { rollout } = await one.offer("1.1.0", payloads.reference);
    // The application writes nothing else into the slot that it runs from.
    for (const kind of ["clean", "half"] as const) {
      const end = await one.powerOn({ cut: { partition: "image-0", operation: 0, kind } });
      assert.deepEqual(end, { kind: "power-cut" });
    }
    assert.equal(one.board.running, "1.1.0");
    void one.powerOn();
    await updated(one, rollout);
  });

  await withDevice("outlives a server that answers with anything but HTTP", async (one) => {
    const { rollout } = await one.offer("1.1.0", payloads.reference);
    one.fleet.insteadOfAnswers.push(
      "no status line\r\n\r\n",
      `HTTP/1.1 200 OK\r\nlong: ${"x".repeat(40_000)}`,
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nmore\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nmore\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}",
    );
    void one.powerOn();
    await updated(one, rollout);
    assert.deepEqual(one.fleet.insteadOfAnswers, []);
    assert.deepEqual(one.board.boots, ["booted 1.0.0 power-on", "booted 1.1.0 software"]);
  });

  await withDevice("defers with a low battery, and goes on when it is charged", async (one) => {
    const { rollout } = await one.offer("1.1.0", payloads.reference);
    void one.powerOn({ analogRaw: 2050 });
    await until("the deferral", updateSeconds, async () => {
      return (await one.fleet.device(deviceId)).state === "deferred";
    });
    await one.powerOff();
    assert.equal(one.board.running, "1.0.0");
    // A charger alone lets it download; it swaps with what is in the battery.
    void one.powerOn({ analogRaw: 2950, charging: true });
    await updated(one, rollout);
  });
}

/** The server counts the device: the image runs, is confirmed, and said so itself. */
async function updated(one: OneDevice, rollout: number, version = "1.1.0"): Promise<void> {
  await until("the update", updateSeconds, async () => {
    return (await one.fleet.count(rollout, "updated")) === 1;
  });
  assert.equal(one.board.running, version);
}

/** The names in the key-value storage, read as the simulator's other engines read it. */
function storedKeys(one: OneDevice): string[] {
  const { offsetBytes: offset, sizeBytes: size } = deviceLayout("esp32-4m").storage;
  const chip = readFlashFile(one.board.flashFile);
  return [...mountBoardStorage(chip.area(offset, size)).keys()];
}

/** What the firmware itself did to the secondary slot, but for the request in its trailer. */
function slotOperations(log: string): { erases: number; bytesWritten: number } {
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  const own = lines.map((line) => line.split(" ")).filter(([label]) => label === "image-1");
  const writes = own.filter(([, kind]) => kind === "write").map(([, , , bytes]) => Number(bytes));
  return {
    erases: own.filter(([, kind]) => kind === "erase").length,
    bytesWritten: writes.filter((bytes) => bytes > 16).reduce((sum, bytes) => sum + bytes, 0),
  };
}

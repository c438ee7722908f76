import { closeSync, openSync, writeSync } from "node:fs";
import type { TrustedImageKey } from "../../../src/image/keys.ts";
import { deviceLayout } from "../../flash/board-layout.ts";
import { readFlashFile } from "../../flash/flash-file.ts";
import { sectorBytes } from "../../flash/geometry.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";
import { nodeCrypto } from "../../release/node-crypto.ts";
import type { Battery } from "../../simulator/battery.ts";
import type { EngineKind } from "../../simulator/engines/engine.ts";
import { LoopbackNetwork } from "../../simulator/loopback-network.ts";
import { World, type WorldDevice } from "../../simulator/world.ts";

export interface LiveDeviceOptions {
  readonly id: string;
  readonly hardware: string;
  /** The whole flash of an enrolled device; each operation is in it before the next begins. */
  readonly flashFile: string;
  /** The keys of its bootloader. */
  readonly imageKeys: readonly TrustedImageKey[];
  readonly engine: EngineKind;
  /** Null for a device on mains power. */
  readonly batteryPercent: number | null;
  /** Each boot, each line of the console, each end of the power. */
  told(line: string): void;
}

/** How long nothing is looked at while nothing is due. */
const idleMs = 50;
const erased = new Uint8Array(sectorBytes).fill(0xff);

/**
 * One simulated device on real time, whose flash is a file. Whatever ends the process is a power
 * cut: the file has every operation of the flash that was begun before, and none after.
 */
export class LiveDevice {
  readonly #world: World;
  readonly #network = new LoopbackNetwork();
  readonly #device: WorldDevice;
  readonly #file: number;
  #isOver = false;

  constructor(options: LiveDeviceOptions) {
    const { id, hardware, engine, imageKeys, batteryPercent, told } = options;
    const flash = readFlashFile(options.flashFile);
    this.#file = openSync(options.flashFile, "r+");
    writeThrough(flash, this.#file);
    this.#world = new World({
      seed: Date.now() % 2 ** 31,
      startUnixMs: Date.now(),
      layout: deviceLayout("esp32-4m"),
      imageKeys,
      network: this.#network,
      crypto: nodeCrypto,
      serverUrl: () => "",
      tenant: "",
    });
    this.#world.observer = {
      booted: (_, outcome, reason) => {
        const what =
          outcome.outcome === "booted" ? `starts ${outcome.version}` : `finds ${outcome.outcome}`;
        told(`boot (${reason}): ${what}${outcome.swapRan ? ", after a swap" : ""}`);
      },
      logged: (_, text) => told(`  ${text}`),
    };
    const battery = batteryPercent === null ? null : steadyBattery(batteryPercent);
    this.#device = this.#world.adopt(flash, { id, hardware, engine, battery });
  }

  powerOn(): Promise<void> {
    return this.#device.device.powerOn();
  }

  powerOff(): void {
    this.#device.device.powerOff();
  }

  /** Lets the device live until `close`: what is due happens when this machine's time is there. */
  async run(): Promise<void> {
    const { scheduler } = this.#world;
    const startedMs = performance.now() - scheduler.nowMs;
    while (!this.#isOver) {
      const dueMs = scheduler.nextMs;
      const waitMs = dueMs === null ? idleMs : dueMs - (performance.now() - startedMs);
      if (dueMs !== null && waitMs <= 0) await scheduler.step();
      else await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, idleMs)));
    }
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#world.close();
    await this.#network.close();
    closeSync(this.#file);
  }
}

/** Brings each operation to the file before it counts. */
function writeThrough(flash: NorFlash, file: number): void {
  flash.faultHook = (operation) => {
    const bytes = operation.kind === "write" ? operation.bytes : erased;
    writeSync(file, bytes, 0, operation.lengthBytes, operation.address);
    return "proceed";
  };
}

function steadyBattery(percent: number): Battery {
  return { percentAt: () => percent, chargingAt: () => false };
}

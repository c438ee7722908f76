import { hash } from "node:crypto";
import { readImageInfo } from "../../src/image/info.ts";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import type { ResetReason } from "../../src/ports/board.ts";
import type { Crypto } from "../../src/ports/crypto.ts";
import type { TlsCredentials } from "../../src/tls/credentials.ts";
import type { DeviceLayout } from "../flash/layout.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import type { BootOutcome } from "../mcuboot-model/boot.ts";
import { bootDevice } from "../mcuboot-model/sluice-config.ts";
import type { Battery } from "./battery.ts";
import { SimulatedDevice } from "./device.ts";
import type { EngineKind } from "./engines/engine.ts";
import { manufacture } from "./manufacture.ts";
import type { Network } from "./network.ts";
import { Scheduler } from "./scheduler.ts";
import { mountBoardStorage } from "./storage/board-storage.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly startUnixMs: number;
  readonly layout: DeviceLayout;
  /** The keys in the bootloader and in the enrolment of every device. */
  readonly imageKeys: readonly TrustedImageKey[];
  readonly network: Network;
  readonly crypto: Crypto;
  /** Asked when a device is made, for its enrolment. */
  serverUrl(): string;
  readonly tenant: string;
  /**
   * The budget of a turn, as `SimulatedDevice` takes it: null for firmware that is known to end its
   * turns.
   */
  readonly turnBudgetMs?: number | null;
}

export interface NewDevice {
  readonly id: string;
  readonly hardware: string;
  readonly token: string;
  readonly engine: EngineKind;
  readonly battery: Battery | null;
  /** False for a board whose clock is never set. */
  readonly hasClock?: boolean;
  /** The signed image that it leaves the factory with. */
  readonly image: Uint8Array;
  /** For a server that is reached over https. */
  readonly tls?: TlsCredentials;
  /** The first root of signed metadata, for a device that goes by it. */
  readonly trustRoot?: Uint8Array;
}

/** A device and what was seen of it. */
export interface WorldDevice {
  readonly id: string;
  readonly hardware: string;
  readonly device: SimulatedDevice;
  /** The last lines of its console, oldest first. */
  readonly console: readonly string[];
}

/** Told of each boot and each line of a console. */
export interface WorldObserver {
  booted?(device: WorldDevice, outcome: BootOutcome, reason: ResetReason): void;
  logged?(device: WorldDevice, text: string): void;
  powerLost?(device: WorldDevice): void;
}

/** Lines kept of each console. */
const consoleLinesMax = 200;

/** Devices in one virtual time, each with a flash, a bootloader and firmware of its own. */
export class World {
  readonly scheduler: Scheduler;
  readonly devices: WorldDevice[] = [];
  observer: WorldObserver = {};
  readonly #options: WorldOptions;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.scheduler = new Scheduler(options.startUnixMs);
  }

  get layout(): DeviceLayout {
    return this.#options.layout;
  }

  /** A new device from the factory, without power. */
  add(wanted: NewDevice): WorldDevice {
    const { layout, imageKeys, serverUrl, tenant } = this.#options;
    const flash = manufacture(layout, wanted.image, {
      serverUrl: serverUrl(),
      tenant,
      deviceId: wanted.id,
      token: wanted.token,
      hardware: wanted.hardware,
      imageKeys: imageKeys.map((key) => key.publicKey),
      ...(wanted.tls && { tls: wanted.tls }),
      ...(wanted.trustRoot && { trustRoot: wanted.trustRoot }),
    });
    return this.adopt(flash, wanted);
  }

  /** A device around a flash that exists already. */
  adopt(flash: NorFlash, wanted: Omit<NewDevice, "image" | "token">): WorldDevice {
    const { layout, imageKeys, network, crypto, seed, turnBudgetMs } = this.#options;
    const lines: string[] = [];
    const device = new SimulatedDevice({
      id: wanted.id,
      flash,
      layout,
      engine: wanted.engine,
      scheduler: this.scheduler,
      network,
      crypto,
      seed: seedOf(seed, wanted.id),
      battery: wanted.battery,
      ...(wanted.hasClock === undefined ? {} : { hasClock: wanted.hasClock }),
      ...(turnBudgetMs === undefined ? {} : { turnBudgetMs }),
      bootloader: (chip) => bootDevice(chip, layout, imageKeys),
      mountStorage: (chip) =>
        mountBoardStorage(chip.area(layout.storage.offsetBytes, layout.storage.sizeBytes)),
      observer: {
        booted: (outcome, reason) => this.observer.booted?.(known, outcome, reason),
        logged: (text) => {
          lines.push(text);
          if (lines.length > consoleLinesMax) lines.shift();
          this.observer.logged?.(known, text);
        },
        powerLost: () => this.observer.powerLost?.(known),
      },
    });
    const known: WorldDevice = { id: wanted.id, hardware: wanted.hardware, device, console: lines };
    this.devices.push(known);
    return known;
  }

  /** Applies power to every device that has none, at times spread over a minute. */
  powerOnAll(): void {
    for (const { id, device } of this.devices)
      this.scheduler.after(seedOf(this.#options.seed, id) % 60_000, () => device.powerOn());
  }

  close(): void {
    for (const { device } of this.devices) device.powerOff();
  }
}

/** What the primary slot of a chip holds. */
export function runningImage(
  flash: NorFlash,
  layout: DeviceLayout,
): { readonly version: string; readonly imageHash: string | null } | null {
  const read = readImageInfo(flash.area(layout.primary.offsetBytes, layout.primary.sizeBytes));
  return read.ok ? { version: read.info.version, imageHash: read.info.imageHash } : null;
}

/** Devices of one simulation differ, and each is the same in every run of that seed. */
export function seedOf(seed: number, id: string): number {
  return Number.parseInt(hash("sha256", `${seed}\n${id}`, "hex").slice(0, 8), 16);
}

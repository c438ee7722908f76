import { createHash } from "node:crypto";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import type { ResetReason } from "../../src/ports/board.ts";
import type { DeviceLayout } from "../flash/layout.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import type { CutKind, FaultHook, FlashOperation } from "../flash/operation.ts";
import { type BootOutcome, boot } from "../mcuboot-model/boot.ts";
import { cachedCrypto } from "../mcuboot-model/cached-crypto.ts";
import type { PrimaryStateHookFactory } from "../mcuboot-model/primary-state-hook.ts";
import { sluiceConfig } from "../mcuboot-model/sluice-config.ts";
import type { DdiServer } from "../simulator/ddi-server.ts";
import { SimulatedDevice } from "../simulator/device.ts";
import { Scheduler } from "../simulator/scheduler.ts";
import { mountBoardStorage } from "../simulator/storage/board-storage.ts";
import type { DevicePromises, KnownImage } from "./checkers/device-promises.ts";

/** What stays the same over all runs of a proof. */
export interface RigParts {
  readonly layout: DeviceLayout;
  readonly keys: readonly TrustedImageKey[];
  readonly seed: number;
  readonly hook: PrimaryStateHookFactory;
  /** A chip that fails by itself; asked for each operation that no cut is planned for. */
  readonly chipFault: FaultHook | null;
}

/**
 * A device at the moment of a reset: nothing runs, so flash and server are all of its state. Never
 * written to.
 */
export interface Checkpoint {
  readonly flash: NorFlash;
  readonly server: DdiServer;
  readonly promises: DevicePromises;
  readonly reason: ResetReason;
  readonly nowMs: number;
  readonly boots: number;
  /** Flash operations before it. */
  readonly operations: number;
}

/** A loss of power at one flash operation, counted from 0 from the start of the history. */
export interface Cut {
  readonly operation: number;
  readonly kind: CutKind;
}

export interface RigWatcher {
  /** Before each operation. */
  operation?(index: number, operation: FlashOperation, by: "bootloader" | "firmware"): void;
  /** Before the bootloader runs. */
  resetting?(checkpoint: () => Checkpoint): void;
  booted?(outcome: BootOutcome, reason: ResetReason): void;
  /** The firmware stores a value, or the next one, under a key. */
  stored?(name: string): void;
  /** A line of the console. */
  logged?(text: string): void;
  /** The power has failed; the flash is what it left. */
  powerLost?(): void;
}

const startUnixMs = Date.UTC(2027, 0, 4);
/**
 * A device that has nothing to do polls once a minute: nothing it could still begin takes longer
 * than two polls.
 */
const quietPolls = 2;
/**
 * Three trial boots of a minute, an update and some waiting take ten; a cut adds a boot and a
 * download.
 */
const restMs = 3 * 3_600_000;
const bootsMax = 48;

/** One device on its way from a checkpoint, with the power cuts that are planned for it. */
export class Rig {
  readonly flash: NorFlash;
  readonly server: DdiServer;
  readonly promises: DevicePromises;
  readonly device: SimulatedDevice;
  readonly #parts: RigParts;
  readonly #scheduler: Scheduler;
  readonly #reason: ResetReason;
  readonly #cuts: ReadonlyMap<number, CutKind>;
  readonly #watcher: RigWatcher;
  readonly #bootsMax: number;
  #limitMs = 0;
  #operations: number;
  #by: "bootloader" | "firmware" = "firmware";
  #quietSince = { operations: 0, requests: 0 };

  constructor(
    parts: RigParts,
    from: Checkpoint,
    options: { readonly cuts?: readonly Cut[]; readonly watcher?: RigWatcher } = {},
  ) {
    const { cuts = [], watcher = {} } = options;
    this.#parts = parts;
    this.#cuts = new Map(cuts.map(({ operation, kind }) => [operation, kind]));
    this.#watcher = watcher;
    this.#reason = from.reason;
    this.#operations = from.operations;
    this.#bootsMax = from.boots + bootsMax;
    this.flash = from.flash.clone();
    this.server = from.server.fork();
    this.promises = from.promises.fork((image) => this.#provedHealthy(image));
    this.#scheduler = new Scheduler(startUnixMs, from.nowMs);
    this.server.nowMs = () => this.nowMs;
    this.flash.faultHook = (operation) => this.#fault(operation);
    this.device = this.#makeDevice(from.boots);
  }

  get operations(): number {
    return this.#operations;
  }

  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  /**
   * Runs until nothing happens any more, giving the power back after each cut; false when there is
   * no end to it.
   */
  async untilRest(): Promise<boolean> {
    this.#limitMs = this.nowMs + restMs;
    await this.device.reset(this.#reason);
    this.#quietSince = { operations: this.#operations, requests: this.server.requests.length };
    while (this.nowMs < this.#limitMs && this.device.boots < this.#bootsMax) {
      if (this.device.condition === "halted") return true;
      if (this.device.condition === "off") await this.device.powerOn();
      else if (this.#isQuiet()) return true;
      else await this.#scheduler.step();
    }
    return false;
  }

  /**
   * Everything that what comes depends on, between the bootloader and the firmware of a boot: the
   * memory of the device is empty then. Two runs in the same state, without cuts to come, go on
   * alike to the last bit.
   */
  stateAtBoot(reason: ResetReason): string {
    const { device, server, promises } = this;
    const quiet = this.#quietSince;
    const isBusy = quiet.operations !== this.#operations;
    const polled = server.requests.length - quiet.requests;
    const clock = [reason, this.nowMs, this.#limitMs, device.boots, this.#bootsMax];
    return createHash("sha256")
      .update(this.flash.toBytes())
      .update(JSON.stringify([clock, isBusy ? null : polled, server.state, promises.state]))
      .digest("hex");
  }

  /** The same device at its next reset, from now on without cuts of this run. */
  checkpoint(reason: ResetReason): Checkpoint {
    return {
      flash: this.flash.clone(),
      server: this.server.fork(),
      promises: this.promises.fork(() => false),
      reason,
      nowMs: this.nowMs,
      boots: this.device.boots,
      operations: this.#operations,
    };
  }

  powerOff(): void {
    this.device.powerOff();
    this.promises.resetting(this.flash);
  }

  /** No offer is open and some polls went by in which no flash operation fell. */
  #isQuiet(): boolean {
    const { requests, offer } = this.server;
    const since = this.#quietSince;
    const isBusy =
      since.operations !== this.#operations ||
      offer !== null ||
      this.device.condition !== "running";
    if (isBusy) this.#quietSince = { operations: this.#operations, requests: requests.length };
    return !isBusy && requests.length - since.requests >= quietPolls;
  }

  #makeDevice(bootsBefore: number): SimulatedDevice {
    const { layout, keys, hook, seed } = this.#parts;
    const config = sluiceConfig(layout, keys, hook);
    return new SimulatedDevice({
      id: "proof",
      flash: this.flash,
      layout,
      engine: "node",
      scheduler: this.#scheduler,
      network: this.server,
      crypto: cachedCrypto,
      seed,
      battery: null,
      bootsBefore,
      turnBudgetMs: null,
      bootloader: (flash) => {
        this.#by = "bootloader";
        const outcome = boot(flash, config);
        this.#by = "firmware";
        return outcome;
      },
      mountStorage: (flash) => {
        const { offsetBytes: offset, sizeBytes: size } = layout.storage;
        const storage = mountBoardStorage(flash.area(offset, size));
        const write = (name: string, value: Uint8Array): void => {
          this.#watcher.stored?.(name);
          storage.write(name, value);
        };
        return { ...storage, write };
      },
      observer: {
        resetting: (reason) => {
          this.promises.resetting(this.flash);
          this.#watcher.resetting?.(() => this.checkpoint(reason));
        },
        booted: (outcome, reason) => {
          this.promises.booted(this.flash, outcome);
          this.#watcher.booted?.(outcome, reason);
        },
        logged: (text) => this.#watcher.logged?.(text),
        powerLost: () => this.#watcher.powerLost?.(),
      },
    });
  }

  #fault(operation: FlashOperation): ReturnType<FaultHook> {
    const index = this.#operations;
    this.#operations += 1;
    this.#watcher.operation?.(index, operation, this.#by);
    if (this.#by === "firmware") this.promises.firmwareOperation(operation);
    const kind = this.#cuts.get(index);
    return kind === undefined ? (this.#parts.chipFault?.(operation) ?? "proceed") : `cut-${kind}`;
  }

  /** A poll that named this very image, on trial, and got its answer. */
  #provedHealthy(image: KnownImage): boolean {
    return this.server.requests.some(({ answered, headers }) => {
      const [, imageHash, confirmed] = (headers["sluice-running"] ?? "").split(";");
      return answered && confirmed === "trial" && imageHash === image.imageHash;
    });
  }
}

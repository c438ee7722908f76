import { imageHeaderBytes, parseImageHeader } from "../../src/image/header.ts";
import type { ResetReason } from "../../src/ports/board.ts";
import type { Crypto } from "../../src/ports/crypto.ts";
import { sectorBytes } from "../flash/geometry.ts";
import type { DeviceLayout, Extent } from "../flash/layout.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import { FlashRuleError, PowerCut } from "../flash/operation.ts";
import type { BootOutcome } from "../mcuboot-model/boot.ts";
import { watchdogMs } from "../mcuboot-model/bootloader-program.ts";
import { type Battery, batteryRaw } from "./battery.ts";
import { BoardHost, type BoardStorage } from "./board/board-host.ts";
import { type BoardFacts, hostEvent, message } from "./board/host-calls.ts";
import { type HandleKind, OpenHandles, ResourceLeak } from "./board/open-handles.ts";
import { BoardSockets } from "./board-sockets.ts";
import type { Engine, EngineKind, HostCallHandler, TurnResult } from "./engines/engine.ts";
import { NodeEngine } from "./engines/node-engine.ts";
import { XsEngine } from "./engines/xs-engine.ts";
import type { Network } from "./network.ts";
import type { Scheduler } from "./scheduler.ts";

export interface DeviceOptions {
  readonly id: string;
  readonly flash: NorFlash;
  readonly layout: DeviceLayout;
  readonly engine: EngineKind;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly crypto: Crypto;
  readonly seed: number;
  readonly battery: Battery | null;
  /** False for a board whose clock begins at 1970 with each boot, and is never set. */
  readonly hasClock?: boolean;
  /** Runs the bootloader once on the chip. */
  bootloader(flash: NorFlash): BootOutcome;
  /** Mounts the storage partition; called at each boot, as on a board. */
  mountStorage(flash: NorFlash): BoardStorage;
  readonly observer?: DeviceObserver;
  /**
   * Resets that this device had before it was made anew around its flash; they seed what is random
   * in a boot.
   */
  readonly bootsBefore?: number;
  /** Engine node only: null for firmware that is known not to hang, see `NodeEngine`. */
  readonly turnBudgetMs?: number | null;
}

/** Told of what happens to a device, for views and checkers. */
export interface DeviceObserver {
  /** The bootloader is about to run; nothing of the last boot runs any more. */
  resetting?(reason: ResetReason): void;
  booted?(outcome: BootOutcome, reason: ResetReason): void;
  logged?(text: string): void;
  /** The power failed in the middle of a flash operation; the device stays off until `powerOn`. */
  powerLost?(): void;
}

/**
 * - off: no power
 * - running: the firmware runs
 * - hung: a turn overran its budget; the watchdog will end it
 * - crashed: a turn threw; the chip resets in a moment
 * - halted: the bootloader found nothing to start; serial recovery waits
 */
export type DeviceCondition = "off" | "running" | "hung" | "crashed" | "halted";

/** How long a board takes from an uncaught exception to its reset. */
const exceptionResetMs = 500;
/** From reset to the first turn: bootloader, verification, start of the engine. */
const bootMs = 800;
/** A firmware whose next timer is so far off does nothing now. */
const restMs = 10_000;
/**
 * The labels of the board's devicetree; the bootloader's only where the layout says where it lies.
 */
function namedExtents(layout: DeviceLayout): readonly (readonly [string, Extent])[] {
  const { primary, secondary, bootctl, boot } = layout;
  const always = [
    ["image-0", primary],
    ["image-1", secondary],
    ["bootctl", bootctl],
  ] as const;
  return boot === null ? always : [...always, [bootloaderLabel, boot] as const];
}

const bootloaderLabel = "mcuboot";

/** One board: flash, bootloader and the firmware that is read out of the primary slot and run. */
export class SimulatedDevice {
  readonly id: string;
  readonly flash: NorFlash;
  readonly engineKind: EngineKind;
  readonly #options: DeviceOptions;
  #condition: DeviceCondition = "off";
  #boot: Boot | null = null;
  #boots: number;

  constructor(options: DeviceOptions) {
    this.#boots = options.bootsBefore ?? 0;
    this.id = options.id;
    this.flash = options.flash;
    this.engineKind = options.engine;
    this.#options = options;
  }

  get condition(): DeviceCondition {
    return this.#condition;
  }

  /** Resets since the device was made, power-ons included. */
  get boots(): number {
    return this.#boots;
  }

  /** What the firmware has open now; null while none runs. */
  get open(): Readonly<Record<HandleKind, number>> | null {
    return this.#boot?.open.counts ?? null;
  }

  /** Applies power, or takes it for a moment from a device that has it. */
  powerOn(): Promise<void> {
    return this.reset("power-on");
  }

  powerOff(): void {
    this.#boot?.end();
    this.#boot = null;
    this.#condition = "off";
  }

  /** Resets the chip for that reason: the bootloader runs, then what it starts. */
  async reset(reason: ResetReason): Promise<void> {
    this.powerOff();
    this.#options.observer?.resetting?.(reason);
    this.#boots += 1;
    const outcome = this.#options.bootloader(this.flash);
    this.#options.observer?.booted?.(outcome, reason);
    if (outcome.outcome === "power-cut") return this.#options.observer?.powerLost?.();
    if (outcome.outcome !== "booted") {
      this.#condition = "halted";
      return;
    }
    const boot = new Boot(this.#options, reason, this.#boots, {
      reset: (why) => this.reset(why),
      condition: (condition) => {
        this.#condition = condition;
      },
      powerLost: () => {
        this.powerOff();
        this.#options.observer?.powerLost?.();
      },
    });
    this.#boot = boot;
    this.#condition = "running";
    boot.begin(readFirmware(this.flash, outcome.imageOffset));
  }
}

interface BootExits {
  reset(reason: ResetReason): Promise<void>;
  condition(condition: DeviceCondition): void;
  powerLost(): void;
}

/** What one boot leaves open when it ends by itself. */
type Ending = "restart" | "power-lost" | null;

/** From one reset to the next: the engine, its timers, its connections, its watchdog. */
class Boot {
  readonly #options: DeviceOptions;
  readonly #exits: BootExits;
  readonly #reason: ResetReason;
  readonly #startedMs: number;
  readonly #seed: number;
  readonly #timers = new Map<number, { readonly cancel: () => void; readonly dueMs: number }>();
  readonly #sockets: BoardSockets;
  readonly open = new OpenHandles();
  #engine: Engine | null = null;
  #watchdogFed = false;
  #over = false;
  #ending: Ending = null;
  #violation: FlashRuleError | ResourceLeak | null = null;

  constructor(options: DeviceOptions, reason: ResetReason, number: number, exits: BootExits) {
    this.#options = options;
    this.#exits = exits;
    this.#reason = reason;
    this.#startedMs = options.scheduler.nowMs + bootMs;
    this.#seed = (options.seed ^ Math.imul(number, 0x9e3779b1)) >>> 0;
    this.#sockets = new BoardSockets({
      network: options.network,
      open: this.open,
      schedule: (delayMs, run) => this.#schedule(delayMs, run),
      turn: (event) => this.#turn(event),
    });
  }

  begin(firmware: string): void {
    this.#schedule(bootMs, async () => {
      const host = this.#hostUnlessCut();
      if (host === null) return this.#exits.powerLost();
      this.#engine = this.#openEngine((request) => host.handle(request));
      await this.#ended(await this.#engine.start(JSON.stringify(this.#facts()), firmware));
    });
    this.#armWatchdog(bootMs + watchdogMs);
  }

  /** Nothing of this boot happens any more. */
  end(): void {
    this.#over = true;
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#sockets.end();
    this.#engine?.close();
    this.#engine = null;
  }

  #facts(): BoardFacts {
    const { layout, flash } = this.#options;
    const roles = { primary: "image-0", secondary: "image-1", bootctl: "bootctl" };
    return {
      partitions: namedExtents(layout).map(([label, { offsetBytes: offset, sizeBytes: size }]) => ({
        label,
        sizeBytes: size,
        sectorBytes,
        writeBlockBytes: flash.writeBlockBytes,
        chipOffsetBytes: offset,
      })),
      roles: layout.boot === null ? roles : { ...roles, bootloader: bootloaderLabel },
      resetReason: this.#reason,
      battery: this.#options.battery === null ? undefined : batteryRaw,
      seed: this.#seed,
    };
  }

  #partitions() {
    const { flash, layout } = this.#options;
    return namedExtents(layout).map(([, { offsetBytes: offset, sizeBytes: size }]) =>
      flash.area(offset, size),
    );
  }

  /**
   * Mounting the storage mends what an earlier cut left there: the power can fail in that as well.
   */
  #hostUnlessCut(): BoardHost | null {
    try {
      return this.#host();
    } catch (error) {
      if (error instanceof PowerCut) return null;
      throw error;
    }
  }

  #openEngine(handle: HostCallHandler): Engine {
    const { engine, turnBudgetMs } = this.#options;
    return engine === "xs" ? new XsEngine(handle) : new NodeEngine(handle, turnBudgetMs);
  }

  #host(): BoardHost {
    const { scheduler, battery, crypto, flash } = this.#options;
    return new BoardHost({
      partitions: this.#partitions(),
      storage: this.#options.mountStorage(flash),
      crypto,
      open: this.open,
      log: (text) => this.#options.observer?.logged?.(text.trimEnd()),
      uptimeMs: () => scheduler.nowMs - this.#startedMs,
      unixMs: () =>
        this.#options.hasClock === false ? scheduler.nowMs - this.#startedMs : scheduler.unixMs(),
      setTimer: (id, delayMs) => this.#setTimer(id, delayMs),
      clearTimer: (id) => {
        this.#timers.get(id)?.cancel();
        if (this.#timers.delete(id)) this.open.closed("timer");
      },
      openSocket: (id, call) => this.#sockets.open(id, call),
      writeSocket: (id, bytes) => this.#sockets.write(id, bytes),
      closeSocket: (id) => this.#sockets.close(id),
      analogRaw() {
        const percent = battery?.percentAt(scheduler.nowMs) ?? 0;
        const span = batteryRaw.fullRaw - batteryRaw.emptyRaw;
        return Math.round(batteryRaw.emptyRaw + (span * percent) / 100);
      },
      charging: () => battery?.chargingAt(scheduler.nowMs) ?? true,
      restart: () => {
        this.#ending = "restart";
      },
      startWatchdog: () => {
        this.#watchdogFed = true;
      },
      isAlive: () => !this.#over && this.#ending === null,
      failed: (error) => {
        if (error instanceof PowerCut) this.#ending = "power-lost";
        if (error instanceof FlashRuleError || error instanceof ResourceLeak)
          this.#violation = error;
      },
    });
  }

  #setTimer(id: number, delayMs: number): void {
    const waitMs = Math.max(0, Math.min(delayMs, 0x7fff_ffff));
    const cancel = this.#schedule(waitMs, () => {
      if (this.#timers.delete(id)) this.open.closed("timer");
      return this.#turn(message(hostEvent.timer, [["u32", id]]));
    });
    this.#timers.set(id, { cancel, dueMs: this.#options.scheduler.nowMs + waitMs });
    this.open.opened("timer");
  }

  async #turn(event: Uint8Array): Promise<void> {
    if (this.#engine === null) return;
    await this.#ended(await this.#engine.turn(event));
  }

  async #ended(result: TurnResult): Promise<void> {
    if (this.#violation !== null) throw this.#violation;
    if (this.#over) return;
    const leak = this.#rests() ? this.open.leakAtRest() : null;
    if (leak !== null) throw leak;
    if (this.#ending === "power-lost") return this.#exits.powerLost();
    if (this.#ending === "restart") return this.#exits.reset("software");
    if (result.kind === "done") return;
    // No code runs any more: what follows is the hardware's.
    this.#engine?.close();
    this.#engine = null;
    if (result.kind === "overrun") {
      this.#exits.condition("hung");
      this.#watchdogFed = false;
      this.#armWatchdog(watchdogMs);
      this.#options.observer?.logged?.("error: the main loop hangs");
      return;
    }
    this.#exits.condition("crashed");
    this.#options.observer?.logged?.(`error: uncaught ${result.message}`);
    this.#schedule(exceptionResetMs, () => this.#exits.reset("exception"));
  }

  /** Nothing is under way, and nothing will be soon. */
  #rests(): boolean {
    if (this.#sockets.count > 0 || this.#ending !== null) return false;
    const soonMs = this.#options.scheduler.nowMs + restMs;
    return [...this.#timers.values()].every(({ dueMs }) => dueMs >= soonMs);
  }

  /** The bootloader armed it; from `startWatchdog` on a main loop that turns feeds it by itself. */
  #armWatchdog(delayMs: number): void {
    this.#schedule(delayMs, () => {
      if (this.#watchdogFed) return undefined;
      return this.#exits.reset("watchdog");
    });
  }

  #schedule(delayMs: number, run: () => void | Promise<void>): () => void {
    return this.#options.scheduler.after(delayMs, () => (this.#over ? undefined : run()));
  }
}

/**
 * The payload of the image that the bootloader accepted: the only copy of the code that there is.
 */
function readFirmware(flash: NorFlash, imageOffset: number): string {
  const header = parseImageHeader(flash.peek(imageOffset, imageHeaderBytes));
  if (!header.ok)
    throw new Error(`the bootloader started an image without a header: ${header.reason}`);
  const { headerBytes, payloadBytes } = header.header;
  return new TextDecoder().decode(flash.peek(imageOffset + headerBytes, payloadBytes));
}

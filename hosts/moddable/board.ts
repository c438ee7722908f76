import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gunzipSync } from "node:zlib";
import { imageHeaderBytes, parseImageHeader } from "../../src/image/header.ts";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import type { ResetReason } from "../../src/ports/board.ts";
import { readFlashFile, writeFlashFile } from "../flash/flash-file.ts";
import type { DeviceLayout, Extent } from "../flash/layout.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import type { CutKind } from "../flash/operation.ts";
import { bootDevice } from "../mcuboot-model/sluice-config.ts";
import { runningImage } from "../simulator/world.ts";
import type { Launcher } from "./launch.ts";
import { type BootEnd, bootEndOf } from "./process-exit.ts";
import { payloadName } from "./sdk.ts";

/**
 * The power fails at one flash operation of the application in one partition, counted from 0 from
 * its start.
 */
export interface PartitionCut {
  readonly partition: "image-0" | "image-1" | "storage" | "bootctl";
  readonly operation: number;
  readonly kind: CutKind;
}

/** What surrounds a board from one power-on to the next. */
export interface Conditions {
  readonly cut?: PartitionCut;
  /** What the battery's pin reads, 12 bits; without it the board has no battery. */
  readonly analogRaw?: number;
  readonly charging?: boolean;
  /** Gets a line per flash operation of the application: partition, kind, offset, bytes. */
  readonly operationLog?: string;
  /** What the board has for slots and chunks. */
  readonly memoryBytes?: number;
  /** How long a boot of a trial may take to become healthy; a minute when left out. */
  readonly trialMs?: number;
}

export interface ModdableBoardOptions {
  /** Holds the flash file and what was unpacked from it. */
  readonly directory: string;
  readonly launcher: Launcher;
  readonly layout: DeviceLayout;
  readonly imageKeys: readonly TrustedImageKey[];
  readonly watchdogSeconds: number;
  /** Resets in one run; a board that has more swings for ever. */
  readonly bootsMax?: number;
  logged?(line: string): void;
  /** Hears each line of `boots`. */
  booted?(line: string): void;
}

/** More resets than any test means in one run. */
const bootsMaxDefault = 32;
/** Lines of the console that are kept; a board that runs for weeks prints more. */
const consoleLinesMax = 10_000;
/**
 * The block of a board (hosts/esp32/manifest.json), twice: slots are twice as large on this
 * machine.
 */
const memoryBytes = 2 * 81_920;

/** The name of the flash's file in a board's folder. */
export const flashFileName = "flash.bin";

/**
 * A board whose flash is a file and whose firmware is what mcconfig built. Each reset runs the
 * bootloader's model on the file, takes the payload out of the image that it starts, and runs it as
 * a process, which ends as the chip would reset.
 */
export class ModdableBoard {
  /** One line per boot: outcome, version and reset reason. */
  readonly boots: string[] = [];
  readonly console: string[] = [];
  readonly flashFile: string;
  readonly #options: ModdableBoardOptions;
  #child: ChildProcess | null = null;
  #isOn = false;

  /** `flash` is written to the board's file first; null goes on with the one that is there. */
  constructor(options: ModdableBoardOptions, flash: NorFlash | null) {
    mkdirSync(options.directory, { recursive: true });
    this.#options = options;
    this.flashFile = join(options.directory, flashFileName);
    if (flash !== null) writeFlashFile(this.flashFile, flash);
  }

  /** The version that the primary slot holds now. */
  get running(): string {
    return runningImage(readFlashFile(this.flashFile), this.#options.layout)?.version ?? "nothing";
  }

  /** Boots until the power goes, or until something happens that no board may do. */
  async powerOn(conditions: Conditions = {}): Promise<BootEnd> {
    this.#isOn = true;
    let reason: ResetReason = "power-on";
    const { bootsMax = bootsMaxDefault } = this.#options;
    for (let boots = 0; boots < bootsMax; boots += 1) {
      const started = this.#bootloader(reason);
      if (started === null) return { kind: "defect", message: "the bootloader starts nothing" };
      if (!this.#isOn) return { kind: "off" };
      const end = await this.#run(started.library, reason, conditions);
      if (end.kind !== "reset") return end;
      reason = end.reason;
    }
    return { kind: "defect", message: `${bootsMax} resets in one run` };
  }

  /** Takes the power; `powerOn` then answers. */
  powerOff(): void {
    this.#isOn = false;
    this.#child?.kill("SIGKILL");
  }

  /** One run of the bootloader; null when it starts nothing, else the code in the slot. */
  #bootloader(reason: ResetReason): { readonly library: string | null } | null {
    const { layout, imageKeys, directory } = this.#options;
    const flash = readFlashFile(this.flashFile);
    const outcome = bootDevice(flash, layout, imageKeys);
    writeFlashFile(this.flashFile, flash);
    const version = outcome.outcome === "booted" ? ` ${outcome.version.split("+")[0]}` : "";
    this.#keep(this.boots, `${outcome.outcome}${version} ${reason}`);
    this.#options.booted?.(this.boots.at(-1) ?? "");
    if (outcome.outcome !== "booted") return null;
    const payload = payloadAt(flash, outcome.imageOffset);
    return { library: unpack(payload, directory) };
  }

  #run(library: string | null, reason: ResetReason, conditions: Conditions): Promise<BootEnd> {
    if (library === null) return Promise.resolve({ kind: "reset", reason: "exception" });
    const launch = this.#options.launcher(library, this.flashFile);
    const child = spawn(launch.command, launch.parameters, {
      env: { ...process.env, ...launch.environment, ...this.#environment(reason, conditions) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    let aborted = false;
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#keep(this.console, line);
      this.#options.logged?.(line);
      if (launch.abortPrefix === undefined || !line.startsWith(launch.abortPrefix)) return;
      aborted = true;
      child.kill("SIGKILL");
    });
    return new Promise((resolve) => {
      child.on("close", (code, signal) => {
        if (aborted) resolve({ kind: "reset", reason: "exception" });
        else if (code !== null && code === launch.closedExitCode) resolve({ kind: "off" });
        else resolve(bootEndOf(code, signal));
      });
      child.on("error", (error) => resolve({ kind: "defect", message: error.message }));
    });
  }

  #keep(lines: string[], line: string): void {
    lines.push(line);
    if (lines.length > consoleLinesMax) lines.shift();
  }

  #environment(reason: ResetReason, conditions: Conditions): Record<string, string> {
    const { cut, analogRaw, charging = false, operationLog, trialMs } = conditions;
    return {
      SLUICE_FLASH: this.flashFile,
      SLUICE_PARTITIONS: partitionsText(this.#options.layout),
      SLUICE_RESET_REASON: reason,
      SLUICE_WATCHDOG_SECONDS: String(this.#options.watchdogSeconds),
      SLUICE_CHARGING: charging ? "1" : "0",
      SLUICE_MEMORY_BYTES: String(conditions.memoryBytes ?? memoryBytes),
      ...(trialMs === undefined ? {} : { SLUICE_TRIAL_MS: String(trialMs) }),
      ...(analogRaw === undefined ? {} : { SLUICE_ANALOG_RAW: String(analogRaw) }),
      ...(cut === undefined ? {} : { SLUICE_CUT: `${cut.partition}:${cut.operation}:${cut.kind}` }),
      ...(operationLog === undefined ? {} : { SLUICE_FLASH_LOG: operationLog }),
    };
  }
}

/**
 * The partitions under the labels that board-module.ts gives them, in the form that chip.c reads.
 */
function partitionsText(layout: DeviceLayout): string {
  const { primary, secondary, bootctl, storage, boot } = layout;
  const named: (readonly [string, Extent])[] = [
    ["image-0", primary],
    ["image-1", secondary],
    ["bootctl", bootctl],
    ["storage", storage],
  ];
  if (boot !== null) named.push(["mcuboot", boot]);
  return named
    .map(([label, { offsetBytes: offset, sizeBytes: size }]) => `${label}:${offset}:${size}`)
    .join(",");
}

/**
 * The path of the code in a payload, a library or a program; null for one that holds none: a
 * processor would fault on it.
 */
function unpack(payload: Uint8Array, directory: string): string | null {
  const library = join(directory, `firmware-${payloadName(payload)}.so`);
  if (existsSync(library)) return library;
  try {
    writeFileSync(library, gunzipSync(payload), { mode: 0o755 });
    return library;
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith("Z_")) return null;
    throw error;
  }
}

function payloadAt(flash: NorFlash, imageOffset: number): Uint8Array {
  const header = parseImageHeader(flash.peek(imageOffset, imageHeaderBytes));
  if (!header.ok)
    throw new Error(`the bootloader started an image without a header: ${header.reason}`);
  const { headerBytes, payloadBytes } = header.header;
  return flash.peek(imageOffset + headerBytes, payloadBytes);
}

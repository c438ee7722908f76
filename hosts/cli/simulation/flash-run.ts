import type { TrustedImageKey } from "../../../src/image/keys.ts";
import type { ResetReason } from "../../../src/ports/board.ts";
import { readFlashFile, writeFlashFile } from "../../flash/flash-file.ts";
import {
  type DeviceLayout,
  type FlashLayout,
  parseDeviceLayout,
  parseFlashLayout,
} from "../../flash/layout.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";
import { type BootOutcome, boot } from "../../mcuboot-model/boot.ts";
import { nodeCrypto } from "../../release/node-crypto.ts";
import type { EngineKind } from "../../simulator/engines/engine.ts";
import { LoopbackNetwork } from "../../simulator/loopback-network.ts";
import { World } from "../../simulator/world.ts";
import { explain } from "../command/environment-error.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { enrolledIdentity } from "./enrolled-identity.ts";

export interface FlashRunOptions {
  readonly flashFile: string;
  readonly layoutJson: string;
  /** The key of the bootloader; null takes the keys that the storage partition enrols. */
  readonly key: TrustedImageKey | null;
  readonly engine: EngineKind;
  readonly seed: number;
  readonly runMs: number;
  /** Where to leave the flash as it is afterwards; null leaves it nowhere. */
  readonly outFile: string | null;
  /** Each boot and each line of the console. */
  told(line: string): void;
}

/**
 * `crashes`: how often the image that runs at the end was reset by its own fault before that.
 * `firstVersion`: what the file itself starts. Where another runs at the end, a server takes the
 * unchanged file for a device that went back.
 */
export type FlashRunEnd =
  | { readonly booted: false }
  | {
      readonly booted: true;
      readonly version: string;
      readonly crashes: number;
      readonly firstVersion: string;
    };

/**
 * Boots a copy of a flash file that any tool made. On the layout of one of our devices the firmware
 * runs too, and asks its server where one listens; a layout without `bootctl` and `storage` is that
 * of a foreign board, whose bootloader runs once.
 */
export async function bootFlashFile(options: FlashRunOptions): Promise<FlashRunEnd> {
  const flash = readFlash(options.flashFile);
  const json = parseJson(options.layoutJson);
  const layout = parseFlashLayout(json);
  if (!layout.ok) throw new CommandError(`--layout: ${layout.message}`);
  if (layout.layout.flashBytes !== flash.sizeBytes)
    throw new CommandError(
      `${options.flashFile} has ${flash.sizeBytes} bytes, the layout is for ${layout.layout.flashBytes}`,
    );
  const keys = bootloaderKeys(options.key, flash, layout.layout);
  const device = parseDeviceLayout(json);
  const end = device.ok
    ? await runFirmware(options, flash, device.layout, keys)
    : bootOnce(options, flash, layout.layout, keys);
  if (options.outFile !== null) writeFlashFile(options.outFile, flash);
  return end;
}

async function runFirmware(
  options: FlashRunOptions,
  flash: NorFlash,
  layout: DeviceLayout,
  imageKeys: readonly TrustedImageKey[],
): Promise<FlashRunEnd> {
  const network = new LoopbackNetwork();
  const world = new World({
    seed: options.seed,
    startUnixMs: Date.now(), // that of the server that it asks, whose certificate is of now
    layout,
    imageKeys,
    network,
    crypto: nodeCrypto,
    serverUrl: () => "",
    tenant: "",
  });
  let end: FlashRunEnd = { booted: false };
  world.observer = {
    booted(_, outcome, reason) {
      end = endAfter(end, outcome, reason);
      options.told(`boot (${reason}): ${tell(outcome)}`);
    },
    logged: (_, text) => options.told(`  ${text}`),
  };
  const { engine } = options;
  const known = world.adopt(flash, { id: "flash", hardware: "", engine, battery: null });
  try {
    await known.device.powerOn();
    const { scheduler } = world;
    scheduler.after(options.runMs, () => {});
    await scheduler.runUntil(() => scheduler.nowMs >= options.runMs, options.runMs);
  } finally {
    world.close();
    await network.close();
  }
  return end;
}

/**
 * A crash counts for the image that crashed: where the bootloader then starts another, it is over.
 */
function endAfter(before: FlashRunEnd, outcome: BootOutcome, reason: ResetReason): FlashRunEnd {
  if (outcome.outcome !== "booted") return { booted: false };
  const { version } = outcome;
  const crashed = reason === "exception" || reason === "watchdog";
  const isSame = before.booted && before.version === version;
  const crashes = isSame ? before.crashes + (crashed ? 1 : 0) : 0;
  const firstVersion = before.booted ? before.firstVersion : version;
  return { booted: true, version, crashes, firstVersion };
}

function bootOnce(
  options: FlashRunOptions,
  flash: NorFlash,
  layout: FlashLayout,
  keys: readonly TrustedImageKey[],
): FlashRunEnd {
  const outcome = boot(flash, {
    mode: "swap-using-move",
    layout,
    maxAlign: 8,
    imageSectorsMax: Math.max(layout.primary.sectors, layout.secondary.sectors),
    keys,
    validatePrimary: true,
    downgradePrevention: "none",
    hardwareCounter: null,
    primaryStateHook: null,
  });
  options.told(`boot (power-on): ${tell(outcome)}`);
  options.told("  the layout has no bootctl and storage: the bootloader alone ran");
  return endAfter({ booted: false }, outcome, "power-on");
}

function tell(outcome: BootOutcome): string {
  const what = outcome.outcome === "booted" ? `starts ${outcome.version}` : outcome.outcome;
  return outcome.swapRan ? `${what}, after a swap` : what;
}

function bootloaderKeys(
  given: TrustedImageKey | null,
  flash: NorFlash,
  { storage }: FlashLayout,
): readonly TrustedImageKey[] {
  if (given !== null) return [given];
  const keys = storage === null ? [] : (enrolledIdentity(flash, storage)?.imageKeys ?? []);
  if (keys.length === 0)
    throw new CommandError(
      "the flash enrols no image key: give the bootloader's with --key PEM",
      exitCodes.usage,
    );
  return keys;
}

function readFlash(path: string): NorFlash {
  try {
    return readFlashFile(path);
  } catch (error) {
    throw new CommandError(`cannot read the flash file ${path}: ${explain(error)}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError(`--layout is no JSON: ${(error as Error).message}`);
  }
}

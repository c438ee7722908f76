import { nodeCrypto } from "../../release/node-crypto.ts";
import { trustedKeyFromPem } from "../../release/pem-keys.ts";
import type { EngineKind } from "../../simulator/engines/engine.ts";
import { readFlashFile } from "../../simulator/flash/flash-file.ts";
import type { NorFlash } from "../../simulator/flash/nor-flash.ts";
import { parseDeviceLayout } from "../../simulator/layout.ts";
import { LoopbackNetwork } from "../../simulator/network.ts";
import { World } from "../../simulator/world.ts";
import { CommandError } from "../exit.ts";

export interface FlashRunOptions {
  readonly flashFile: string;
  readonly layoutJson: string;
  readonly keyPem: string;
  readonly engine: EngineKind;
  readonly seed: number;
  readonly runMs: number;
  /** Each boot and each line of the console. */
  told(line: string): void;
}

/** Boots the copy of a flash file that any tool made and runs its firmware; its server is asked where one listens. */
export async function bootFlashFile(options: FlashRunOptions): Promise<{ booted: boolean }> {
  const flash = read(options.flashFile);
  const layout = parseDeviceLayout(parseJson(options.layoutJson));
  if (!layout.ok) throw new CommandError(`--layout: ${layout.message}`);
  if (layout.layout.flashBytes !== flash.sizeBytes)
    throw new CommandError(
      `${options.flashFile} has ${flash.sizeBytes} bytes, the layout is for ${layout.layout.flashBytes}`,
    );
  const key = trustedKeyFromPem(options.keyPem);
  if (!key.ok) throw new CommandError(`--key: ${key.reason}; give a P-256 key in PEM`);
  const network = new LoopbackNetwork();
  const world = new World({
    seed: options.seed,
    startUnixMs: Date.UTC(2027, 0, 4, 9),
    layout: layout.layout,
    imageKeys: [key.key],
    network,
    crypto: nodeCrypto,
    serverUrl: () => "",
    tenant: "",
  });
  let booted = false;
  world.observer = {
    booted(_, outcome, reason) {
      booted = outcome.outcome === "booted";
      const what = outcome.outcome === "booted" ? `starts ${outcome.version}` : outcome.outcome;
      const swap = outcome.swapRan ? ", after a swap" : "";
      options.told(`boot (${reason}): ${what}${swap}`);
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
  return { booted };
}

function read(path: string): NorFlash {
  try {
    return readFlashFile(path);
  } catch (error) {
    throw new CommandError(`cannot read the flash file ${path}: ${(error as Error).message}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError(`--layout is no JSON: ${(error as Error).message}`);
  }
}

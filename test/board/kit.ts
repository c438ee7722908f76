import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  boardBuildFolder,
  buildFirmware,
  type FirmwareBuild,
} from "../../hosts/esp32/board-build.ts";
import type { BoardTools } from "../../hosts/esp32/board-tools.ts";
import { type Board, boardNamed } from "../../hosts/esp32/boards.ts";
import type { BoardParts } from "../../hosts/esp32/emulator/board-device.ts";
import { newKeys } from "../../hosts/esp32/emulator/board-image.ts";
import { withImageKey } from "../../hosts/esp32/emulator/bootloader-key.ts";
import { writeApplication } from "../../hosts/moddable/application.ts";
import { projectRoot } from "../../hosts/moddable/sdk.ts";
import type { UnknownBootloader } from "../../src/slots/bootloader.ts";

export const board: Board = emulatedBoard();
/** Instead of a minute, so that a rollback is over in less. */
export const rollbackTimes = { trialSeconds: 20, watchdogSeconds: 20 } as const;
/**
 * The chip's clock is the machine's: what is healthy gets time enough on a machine that has much
 * else to do.
 */
const healthyTimes = { trialSeconds: 300, watchdogSeconds: 120 } as const;

/** Firmware that does something else than the reference. */
export type OtherFirmware = "throwing" | "hanging" | "never-healthy" | "asking";

/** What every scenario needs: the emulator, a bootloader that takes our key, and the firmware. */
export interface Kit extends BoardParts {
  readonly reference: FirmwareBuild;
  /** Built when it is asked for first; one after another, because they share a folder. */
  other(name: OtherFirmware): Promise<FirmwareBuild>;
  /** Runs a build of somebody else's while none of ours does: they share a folder. */
  between<T>(build: () => Promise<T>): Promise<T>;
}

export interface KitFiles {
  readonly emulator: string;
  readonly bootloader: string;
  /** What the firmware does under a bootloader that does not say how it works. */
  readonly unknownBootloader: UnknownBootloader;
}

/** Builds the firmware. */
export async function makeKit(tools: BoardTools, files: KitFiles): Promise<Kit> {
  const keys = newKeys();
  const bootloader = withImageKey(readFileSync(files.bootloader), keys.key.publicKey);
  const reference = await build(tools, files, "reference", null);
  let last: Promise<unknown> = Promise.resolve();
  const between = <T>(own: () => Promise<T>): Promise<T> => {
    const made = last.then(own);
    last = made.catch(() => {}); // whoever asked for it is told
    return made;
  };
  const others = new Map<OtherFirmware, Promise<FirmwareBuild>>();
  const other = (name: OtherFirmware): Promise<FirmwareBuild> => {
    const known = others.get(name);
    if (known !== undefined) return known;
    const made = between(() => build(tools, files, name, mains[name]));
    others.set(name, made);
    return made;
  };
  return { emulator: files.emulator, bootloader, keys, reference, other, between };
}

const applicationFolder = (name: string): string => join(boardBuildFolder, "applications", name);

async function build(
  tools: BoardTools,
  { unknownBootloader }: KitFiles,
  name: string,
  main: string | null,
): Promise<FirmwareBuild> {
  const times = name === "reference" || name === "asking" ? healthyTimes : rollbackTimes;
  const { watchdogSeconds } = times;
  const settings = {
    config: { ...times, firstPollSeconds: 1, unknownBootloader },
    defines: { sluice: { watchdogSeconds } },
  };
  const startedMs = performance.now();
  const asking = join(projectRoot, "test/support/firmware/ask-answers");
  const modules = { "*": "./main", ...(name === "asking" && { "ask-answers": asking }) };
  const own = { creation: { main: "main" }, modules };
  const whole = { include: [join(projectRoot, "manifest.json")], ...settings };
  // The others differ in one module: they share a folder, so that only that one is compiled anew.
  const manifest =
    main === null
      ? writeApplication(applicationFolder("reference"), whole)
      : writeApplication(
          applicationFolder(name === "asking" ? "asking" : "other"),
          { ...whole, ...own },
          { "main.ts": `// ${Date.now()}\n${main}` },
        );
  const result = await buildFirmware(tools, { board, manifest });
  if (!result.ok) throw new Error(`${result.step} failed:\n${result.output}`);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`built ${name}: ${result.firmware.payload.length} bytes (${seconds} s)`);
  return result.firmware;
}

function emulatedBoard(): Board {
  const found = boardNamed("esp32c3_devkitm_serial");
  if (found === null) throw new Error("the board is gone");
  return found;
}

const mains: Readonly<Record<OtherFirmware, string>> = {
  throwing: `throw new Error("no sensor answers on the bus");
`,
  hanging: `import { startUpdates } from "sluice/sluice";

startUpdates();
for (;;);
`,
  // Runs and feeds the watchdog; its server is not where it looks.
  "never-healthy": `import { boardSettings, openPorts } from "sluice/device/ports";
import { Agent } from "sluice/update/agent/agent";
import { defaultSettings, readIdentity } from "sluice/update/settings";

const ports = openPorts();
const identity = readIdentity(ports.keyValue);
const settings = { ...defaultSettings, ...boardSettings() };
if (identity !== null)
  new Agent(ports, { ...identity, serverUrl: "http://10.0.2.2:1" }, settings).start();
`,
  asking: `import { openPorts } from "sluice/device/ports";
import { readIdentity } from "sluice/update/settings";
import { askAnswers } from "ask-answers";
import timer from "timer";

const { http, keyValue, watchdog } = openPorts();
watchdog.start();
const say = (line: string): void => trace(line + "\\n");
// The wire is not up at once: the list of answers is asked for again for a while.
let triesLeft = 30;
function begin(): void {
  const identity = readIdentity(keyValue);
  if (identity === null || triesLeft === 0) return;
  triesLeft -= 1;
  askAnswers(http, identity.serverUrl, say).catch(() => timer.set(begin, 1000));
}
begin();

declare function trace(...texts: unknown[]): void;
`,
};

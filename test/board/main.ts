// The firmware on an emulated ESP32-C3, under the real bootloader, against the real fleet server: npm run test:board.
// Exits 2 when something is missing, 1 when a check failed; the last line counts.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type BoardTools, findBoardTools } from "../../hosts/esp32/board-tools.ts";
import { readBootloaderFile } from "../../hosts/esp32/bootloader-file.ts";
import { projectRoot } from "../../hosts/simulator/moddable/sdk.ts";
import { Checks } from "../moddable/checks.ts";
import { checkBootloaderMode } from "./bootloader-mode.ts";
import { checkCuts } from "./cuts.ts";
import { board, type Kit, makeKit } from "./kit.ts";
import { checkModel } from "./model.ts";
import { checkRecovery } from "./recovery.ts";
import { checkRefusals } from "./refusals.ts";
import { checkRollbacks } from "./rollbacks.ts";
import { checkSizes } from "./sizes.ts";
import { checkTls } from "./tls.ts";
import { checkUpdate } from "./update.ts";

const { ESP32_EMULATOR = "", SLUICE_BOOTLOADER = "" } = process.env;
const found = await findBoardTools();
const missing = found.ok ? [] : [...found.missing];
if (SLUICE_BOOTLOADER === "" || !existsSync(SLUICE_BOOTLOADER))
  missing.push("SLUICE_BOOTLOADER names no file: the zephyr.bin of bootloader/README.md's build");
else {
  const { refusal } = readBootloaderFile(board, readFileSync(SLUICE_BOOTLOADER));
  if (refusal !== null) missing.push(`SLUICE_BOOTLOADER: ${refusal.message}`);
}
if (ESP32_EMULATOR === "" || !existsSync(ESP32_EMULATOR))
  missing.push("ESP32_EMULATOR names no program: README.md says what it has to do");
if (found.ok && missing.length === 0) process.exitCode = await runChecks(found.tools);
else {
  for (const line of missing) console.error(line);
  process.exitCode = 2;
}

async function runChecks(tools: BoardTools): Promise<number> {
  const checks = new Checks();
  const directory = join(projectRoot, ".build", "esp32", "runs", String(process.pid));
  try {
    const files = { emulator: ESP32_EMULATOR, bootloader: SLUICE_BOOTLOADER };
    let kit: Kit | null = null;
    await checks.check("the firmware and its bad releases build", async () => {
      kit = await makeKit(tools, files);
    });
    if (kit === null) return checks.end();
    const wanted = process.argv.slice(2);
    const parts = { update: checkUpdate, rollbacks: checkRollbacks, refusals: checkRefusals };
    const more = { recovery: checkRecovery, model: checkModel, tls: checkTls };
    const last = { mode: checkBootloaderMode, sizes: checkSizes, cuts: checkCuts };
    for (const [name, part] of Object.entries({ ...parts, ...more, ...last }))
      if (wanted.length === 0 || wanted.includes(name))
        await runPart(checks, name, () =>
          part(checks, kit as unknown as Kit, join(directory, name)),
        );
  } finally {
    if (process.env["SLUICE_KEEP"] === undefined)
      rmSync(directory, { recursive: true, force: true });
  }
  return checks.end();
}

/** A part that ends before its last check has failed as a whole. */
async function runPart(checks: Checks, name: string, part: () => Promise<void>): Promise<void> {
  try {
    await part();
  } catch (error) {
    await checks.check(`${name} comes to its end`, () => Promise.reject(error));
  }
}

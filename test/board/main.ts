// The firmware on an emulated ESP32-C3, under the real bootloader, against the real fleet server:
// npm run test:board. Exits 2 when something is missing, 1 when a check failed; the last line
// counts.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type BoardTools, findBoardTools } from "../../hosts/esp32/board-tools.ts";
import { readBootloaderFile } from "../../hosts/esp32/bootloader-file.ts";
import { projectRoot } from "../../hosts/moddable/sdk.ts";
import type { UnknownBootloader } from "../../src/slots/bootloader.ts";
import { Checks } from "../moddable/checks.ts";
import { answerScenarios } from "./answers.ts";
import { bootloaderModeScenarios } from "./bootloader-mode.ts";
import { cutScenarios } from "./cuts.ts";
import { documentScenarios } from "./document/document.ts";
import { memoryScenarios } from "./image-memory.ts";
import { board, type Kit, makeKit } from "./kit.ts";
import { runNative } from "./native.ts";
import { recoveryScenarios } from "./recovery/recovery.ts";
import { refusalScenarios } from "./refusals.ts";
import { rollbackScenarios } from "./rollbacks.ts";
import { runScenarios, type Scenario } from "./schedule.ts";
import { sizeScenarios } from "./sizes.ts";
import { soakScenarios } from "./soak.ts";
import type { Stage } from "./stage.ts";
import { tlsScenarios } from "./tls.ts";
import { updateScenarios } from "./update.ts";

/** In this order, the long ones first, as far as there are places. */
const parts: Readonly<Record<string, (stage: Stage) => Promise<Scenario[]>>> = {
  sizes: sizeScenarios,
  document: documentScenarios,
  recovery: recoveryScenarios,
  update: updateScenarios,
  cuts: cutScenarios,
  rollbacks: rollbackScenarios,
  memory: memoryScenarios,
  tls: tlsScenarios,
  mode: bootloaderModeScenarios,
  answers: answerScenarios,
  refusals: refusalScenarios,
  soak: soakScenarios,
};
/** Parts that take hours. */
const onlyWhenNamed = new Set(["soak"]);
/** Chips side by side at most; one more may wait for its serial line. */
const lanesMax = 4;

const { ESP32_EMULATOR = "", SLUICE_BOOTLOADER = "" } = process.env;
const isNative = process.argv.includes("--native");
const wanted = process.argv.slice(2).filter((name) => name !== "--native");
const missing = wanted
  .filter((name) => parts[name] === undefined)
  .map((name) => `no part is called "${name}": ${Object.keys(parts).join(" ")}`);
const found = await findBoardTools();
if (!found.ok) missing.push(...found.missing);
if (
  lookFor("SLUICE_BOOTLOADER", SLUICE_BOOTLOADER, "the zephyr.bin that bootloader/README.md builds")
) {
  const { refusal } = readBootloaderFile(board, readFileSync(SLUICE_BOOTLOADER), "accept");
  if (refusal !== null) missing.push(`SLUICE_BOOTLOADER: ${refusal.message}`);
}
lookFor("ESP32_EMULATOR", ESP32_EMULATOR, "a program, and README.md says what it has to do");
// An interrupted test takes its emulators with it: they end when the process exits.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => process.exit(1));
if (isNative) process.exitCode = await runNative(wanted);
else if (found.ok && missing.length === 0) process.exitCode = await runChecks(found.tools);
else {
  for (const line of missing) console.error(line);
  process.exitCode = 2;
}

function lookFor(name: string, path: string, what: string): boolean {
  if (path === "") missing.push(`${name} is not set: ${what}`);
  else if (!existsSync(path)) missing.push(`${name} is ${path}, which is not there: ${what}`);
  return existsSync(path);
}

async function runChecks(tools: BoardTools): Promise<number> {
  const startedMs = performance.now();
  const checks = new Checks();
  const directory = join(projectRoot, ".build", "esp32", "runs", String(process.pid));
  const { refusal } = readBootloaderFile(board, readFileSync(SLUICE_BOOTLOADER));
  const unknownBootloader: UnknownBootloader = refusal === null ? "refuse" : "accept";
  if (refusal !== null) console.log(`the firmware is told to take it as it is: ${refusal.message}`);
  const files = { emulator: ESP32_EMULATOR, bootloader: SLUICE_BOOTLOADER, unknownBootloader };
  process.once("exit", () => {
    if (process.env["SLUICE_KEEP"] === undefined)
      rmSync(directory, { recursive: true, force: true });
  });
  let made: Kit | null = null;
  await checks.check("the firmware builds for the board", async () => {
    made = await makeKit(tools, files);
  });
  if (made === null) return checks.end();
  const kit: Kit = made;
  const scenarios: Scenario[] = [];
  for (const [name, part] of Object.entries(parts))
    if (wanted.includes(name) || (wanted.length === 0 && !onlyWhenNamed.has(name)))
      await part({ checks, kit, directory: join(directory, name) }).then(
        (own) => scenarios.push(...own),
        (error) => checks.check(`${name} begins`, () => Promise.reject(error)),
      );
  await runScenarios(checks, scenarios, Math.min(lanesMax, availableParallelism()));
  console.log(`${((performance.now() - startedMs) / 60_000).toFixed(1)} minutes`);
  return checks.end();
}

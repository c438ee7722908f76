import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { type EngineKind, engineKinds } from "../simulator/engines/engine.ts";
import { xsEngineMissing } from "../simulator/engines/xs-engine.ts";
import { deviceLayout } from "../simulator/layouts.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { wholeNumber } from "./options.ts";
import { note, print } from "./output.ts";
import { bootFlashFile } from "./simulation/flash-run.ts";
import { type FleetRunResult, runFleet } from "./simulation/fleet-run.ts";

interface SimulateFlags {
  readonly devices?: number;
  readonly seed: number;
  readonly engine: EngineKind;
  readonly faults?: true;
  readonly json?: true;
  readonly flash?: string;
  readonly layout?: string;
  readonly key?: string;
  readonly out?: string;
  readonly seconds: number;
}

const devicesMax = 10_000;

export function registerSimulate(program: Command): void {
  program
    .command("simulate")
    .description(
      "run simulated devices: a fleet through one rollout, or one board from a flash file",
    )
    .option("--devices <n>", "so many devices take 1.1.0", wholeNumber({ min: 1, max: devicesMax }))
    .option("--seed <n>", "what happens to them", wholeNumber({ min: 0, max: 0xffff_ffff }), 1)
    .addOption(
      new Option("--engine <engine>", "where the firmware runs")
        .choices(engineKinds)
        .default("node"),
    )
    .option("--faults", "power cuts, bad networks, low batteries")
    .option("--flash <file>", "boot this flash file instead; the file itself is not changed")
    .option("--layout <file>", "its layout: JSON as the demo leaves it")
    .option("--key <pem>", "the public key of its bootloader; else the one its storage enrols")
    .option("--out <file>", "leave the flash there as it is afterwards")
    .option(
      "--seconds <n>",
      "how long it runs, virtually",
      wholeNumber({ min: 1, max: 864_000 }),
      300,
    )
    .option("--json", "print every device's end as JSON before the last line")
    .action((flags: SimulateFlags, command: Command) => run(flags, command));
}

async function run(flags: SimulateFlags, command: Command): Promise<void> {
  const missing = flags.engine === "xs" ? xsEngineMissing() : null;
  if (missing !== null) throw new CommandError(missing, exitCodes.negative);
  if (flags.flash !== undefined) return runFlash(flags, command);
  if (flags.devices === undefined)
    throw new CommandError(
      "give --devices N for a fleet, or --flash FILE --layout FILE for one board",
      exitCodes.usage,
    );
  await runDevices(flags.devices, flags, command);
}

async function runDevices(devices: number, flags: SimulateFlags, command: Command): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-simulate-"));
  const { seed, engine } = flags;
  const faults = flags.faults === true;
  try {
    const result = await runFleet({
      directory,
      port: 0,
      layout: deviceLayout("esp32-4m"),
      devices,
      seed,
      engine,
      faults,
      progress: (nowMs, onTarget) =>
        note(command, `${(nowMs / 3_600_000).toFixed(1)} h: ${onTarget} of ${devices} updated`),
    });
    conclude(result, flags, command);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function conclude(result: FleetRunResult, flags: SimulateFlags, command: Command): void {
  const ends = (end: string): number => result.devices.filter((one) => one.end === end).length;
  for (const { id, end, version, reason } of result.devices)
    if (end !== "on-target") note(command, `${id}: ${end}, runs ${version}, ${reason}`);
  if (flags.faults === true) note(command, `${result.powerCuts} power cuts, seed ${flags.seed}`);
  if (flags.json === true) print(command, JSON.stringify(result));
  const lost = ends("lost");
  print(
    command,
    `${ends("on-target")} on target, ${ends("with-reason")} with reason, ${lost} lost`,
  );
  if (result.countedUpdated !== result.runningTarget)
    throw new CommandError(
      `the server counts ${result.countedUpdated} devices as updated, but ${result.runningTarget} run the release`,
      exitCodes.negative,
    );
  if (lost > 0)
    throw new CommandError(
      `${lost} devices are lost; the same seed shows it again: --devices ${flags.devices} --seed ${flags.seed}`,
      exitCodes.negative,
    );
}

async function runFlash(flags: SimulateFlags, command: Command): Promise<void> {
  if (flags.flash === undefined || flags.layout === undefined)
    throw new CommandError("--flash FILE needs --layout FILE", exitCodes.usage);
  const outcome = await bootFlashFile({
    flashFile: flags.flash,
    layoutJson: readText(flags.layout),
    keyPem: flags.key === undefined ? null : readText(flags.key),
    outFile: flags.out ?? null,
    engine: flags.engine,
    seed: flags.seed,
    runMs: flags.seconds * 1000,
    told: (line) => print(command, line),
  });
  if (!outcome.booted)
    throw new CommandError("the bootloader found nothing to start", exitCodes.negative);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { deviceLayout } from "../../flash/board-layout.ts";
import { type EngineKind, engineKinds } from "../../simulator/engines/engine.ts";
import { xsEngineMissing } from "../../simulator/engines/xs-engine.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readText } from "../command/files.ts";
import { note, print } from "../command/output.ts";
import { wholeNumber } from "../options/options.ts";
import { readPublicKey } from "../options/signing-keys.ts";
import { bootFlashFile } from "./flash-run.ts";
import { type DeviceOutcome, type FleetRunResult, runFleet } from "./fleet-run.ts";
import { problemOf } from "./problem.ts";

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
    .option(
      "--faults",
      "power cuts, bad networks, low batteries, closed windows, a server that is away",
    )
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
  const { devices, countedUpdated, runningTarget } = result;
  const ends = (end: DeviceOutcome["end"]): DeviceOutcome[] =>
    devices.filter((one) => one.end === end);
  for (const { id, end, version, reason, lasting } of devices)
    if (end !== "on-target")
      note(
        command,
        `${id}: ${end}, runs ${version}, ${reason}${lasting === null ? "" : ` (${lasting})`}`,
      );
  if (flags.faults === true) note(command, `${result.powerCuts} power cuts, seed ${flags.seed}`);
  print(
    command,
    `the server counts ${countedUpdated} devices as updated, the flash of ${runningTarget} holds the release, confirmed`,
  );
  for (const [reason, count] of countReasons(ends("with-reason")))
    print(command, `${count} ${reason}`);
  if (flags.json === true) print(command, JSON.stringify(result));
  const [onTarget, withReason, lost] = [ends("on-target"), ends("with-reason"), ends("lost")];
  print(
    command,
    `${onTarget.length} on target, ${withReason.length} with reason, ${lost.length} lost`,
  );
  const problem = problemOf(result);
  if (problem === null) return;
  const replay = `--devices ${flags.devices} --seed ${flags.seed}${flags.faults ? " --faults" : ""}`;
  throw new CommandError(`${problem}; the same seed shows it again: ${replay}`, exitCodes.negative);
}

/** How many there are of each reason, the most frequent first. */
function countReasons(devices: readonly DeviceOutcome[]): (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { reason } of devices) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

async function runFlash(flags: SimulateFlags, command: Command): Promise<void> {
  if (flags.flash === undefined || flags.layout === undefined)
    throw new CommandError("--flash FILE needs --layout FILE", exitCodes.usage);
  const end = await bootFlashFile({
    flashFile: flags.flash,
    layoutJson: readText(flags.layout, "the layout"),
    key: flags.key === undefined ? null : readPublicKey("--key", flags.key).key,
    outFile: flags.out ?? null,
    engine: flags.engine,
    seed: flags.seed,
    runMs: flags.seconds * 1000,
    told: (line) => print(command, line),
  });
  if (end.booted && end.version !== end.firstVersion && flags.out === undefined)
    note(
      command,
      `${flags.flash} is as it was: the device ran on a copy, and the next run begins with ${end.firstVersion} again, which a server that saw ${end.version} takes for a device that went back; --out ${flags.flash} keeps what happens`,
    );
  if (!end.booted)
    throw new CommandError("the bootloader found nothing to start", exitCodes.negative);
  if (end.crashes > 0)
    throw new CommandError(
      `the firmware ${end.version} crashed ${end.crashes} times and was started again; its last words are above`,
      exitCodes.negative,
    );
}

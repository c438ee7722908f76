import { type Command, InvalidArgumentError } from "commander";
import { isJsonObject, type JsonObject } from "../../../src/protocol/json.ts";
import type { NewRolloutBody } from "../../fleet/routes/management/schemas/rollouts.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readJson } from "../command/files.ts";
import { note, printAnswer } from "../command/output.ts";
import { share, wholeNumber } from "../options/options.ts";
import { addRateOptions, type RateFlags, rateOf } from "../options/rate-options.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isRollout, type RolloutView } from "../server/fleet-views.ts";
import { rolloutText } from "./show.ts";

export interface CreateFlags extends FleetFlags, RateFlags {
  readonly release?: string;
  readonly configuration?: number;
  readonly name?: string;
  readonly hardware?: readonly string[];
  readonly filter?: string;
  readonly device?: readonly string[];
  readonly policy?: string;
  readonly stages?: readonly number[];
  readonly soak?: number;
  readonly haltShare?: number;
  readonly failedShare?: number;
  readonly soft?: true;
  readonly confirm?: true;
  readonly allowDowngrade?: true;
  readonly approve?: true;
  readonly windows?: string;
  readonly timeZone?: string;
  readonly retryRolledBack?: true;
  readonly acceptReported?: true;
  readonly start?: true;
  readonly beside?: true;
  readonly leaveBehind?: true;
  readonly withoutControl?: true;
}

const defaultPercents = [1, 10, 50, 100];
const daySeconds = 24 * 3600;

/** `sluice rollout create` */
export function registerRolloutCreate(group: Command): void {
  const command = withPlanOptions(
    group.command("create"),
    "Plan a rollout of a release, and start it with --start",
  );
  command.option("--start", "open the first stage at once").action(create);
}

/** What a rollout may be asked for, whether it is planned or only previewed. */
export function withPlanOptions(command: Command, description: string): Command {
  const planned = addRateOptions(
    command
      .description(description)
      .option("--release <version>", "the release to roll out")
      .option(
        "--configuration <n>",
        "instead of a release: the configuration to roll out",
        wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      )
      .option("--name <text>", "what to call it; else the version")
      .option("--hardware <ids...>", "only devices of this hardware")
      .option("--device <ids...>", "only these devices")
      .option("--filter <rsql>", 'such as "region==eu;version=lt=1.4.0": docs/filters.md')
      .option("--policy <name>", "how it goes: sluice policy list (default: 1-10-50-100)")
      .option("--stages <percents>", "rising, with commas (default: 1,10,50,100)", readPercents)
      .option("--soak <time>", "of every stage: 90s, 30m, 24h or 7d (default: 24h)", readSeconds)
      .option(
        "--halt-share <number>",
        "share of attempts that may roll back (default: 0.05)",
        share,
      )
      .option("--failed-share <number>", "share of attempts that may fail (default: 0.2)", share)
      .option("--soft", "the device chooses the time of the installation")
      .option("--confirm", "the device must agree first")
      .option("--allow-downgrade", "also to devices that run a newer version")
      .option("--approve", "also where it is another major version, or one marked as breaking")
      .option("--windows <file>", "when devices may download and install, JSON: docs/windows.md")
      .option(
        "--time-zone <rule>",
        'of the windows: "device" for the zone of each, or such as "CET-1CEST,M3.5.0,M10.5.0/3"',
      )
      .option("--retry-rolled-back", "also to devices that rolled it back before")
      .option("--accept-reported", "believe devices that never say which image they run")
      .option(
        "--beside",
        "also where a rollout of the same release has some of the devices already",
      )
      .option("--leave-behind", "also where no stepping stone leads some devices to the release")
      .option("--without-control", "compare no updated devices with those that wait"),
  );
  return withFleetFlags(planned);
}

async function create(flags: CreateFlags, command: Command): Promise<void> {
  const wanted: NewRolloutBody = { ...wantedOf(flags), start: flags.start ?? false };
  const rollout = await new FleetClient(flags).post<RolloutView>("/rollouts", wanted, isRollout);
  printAnswer(command, flags, rollout, rolloutText);
  if (!flags.start)
    note(command, `not started; \`sluice rollout start ${rollout.id}\` opens its first stage`);
}

export function wantedOf(flags: CreateFlags): Omit<NewRolloutBody, "start"> {
  const what = subjectOf(flags);
  const { hardware, device: devices } = flags;
  return {
    name: flags.name ?? what.name,
    ...what.wanted,
    ...rulesOf(flags),
    selector: {
      ...(hardware === undefined ? {} : { hardware }),
      ...(devices === undefined ? {} : { devices }),
      ...(flags.filter === undefined ? {} : { filter: flags.filter }),
    },
    haltThreshold: {
      ...(flags.haltShare === undefined ? {} : { rolledBackShare: flags.haltShare }),
      ...(flags.failedShare === undefined ? {} : { failedShare: flags.failedShare }),
    },
    mode: flags.soft ? "soft" : "forced",
    needsConfirmation: flags.confirm ?? false,
    allowDowngrade: flags.allowDowngrade ?? false,
    approved: flags.approve ?? false,
    retryRolledBack: flags.retryRolledBack ?? false,
    windows: windowsOf(flags),
    ...rateOf(flags),
    acceptReported: flags.acceptReported ?? false,
    ...(flags.beside === undefined ? {} : { beside: true }),
    ...(flags.withoutControl === undefined ? {} : { control: null }),
    ...(flags.leaveBehind === undefined ? {} : { leaveBehind: true }),
  };
}

/** A policy, or stages of its own; without any of these the default policy. */
function rulesOf({ policy, stages, soak }: CreateFlags): Pick<NewRolloutBody, "policy" | "stages"> {
  if (stages === undefined && soak === undefined) return policy === undefined ? {} : { policy };
  if (policy !== undefined)
    throw new CommandError(
      "a policy has stages and soaks of its own: give either --policy, or --stages and --soak",
      exitCodes.usage,
    );
  const soakSeconds = soak ?? daySeconds;
  return { stages: (stages ?? defaultPercents).map((percent) => ({ percent, soakSeconds })) };
}

function subjectOf({ release, configuration }: CreateFlags): {
  readonly name: string;
  readonly wanted: Pick<NewRolloutBody, "releaseVersion" | "configurationVersion">;
} {
  if (release !== undefined && configuration === undefined)
    return { name: release, wanted: { releaseVersion: release } };
  if (release !== undefined || configuration === undefined)
    throw new CommandError(
      "say what to roll out: either --release VERSION or --configuration NUMBER",
      exitCodes.usage,
    );
  return {
    name: `configuration ${configuration}`,
    wanted: { configurationVersion: configuration },
  };
}

function windowsOf({ windows: file, timeZone }: CreateFlags): JsonObject | null {
  if (file === undefined) {
    if (timeZone === undefined) return null;
    throw new CommandError("--time-zone is of --windows FILE, which is missing", exitCodes.usage);
  }
  const windows = readJson(file, "the windows");
  if (!isJsonObject(windows)) throw new CommandError(`${file} is no JSON object`);
  return timeZone === undefined ? windows : { ...windows, timeZone };
}

function readPercents(text: string): readonly number[] {
  const percents = text.split(",").map((part) => (/^\d+(\.\d+)?$/.test(part) ? Number(part) : 0));
  const rises = percents.every(
    (percent, index) => percent > (percents[index - 1] ?? 0) && percent <= 100,
  );
  if (!rises) throw new InvalidArgumentError("give rising percents up to 100, such as 1,10,50,100");
  return percents;
}

/** Seconds of "90s", "30m", "24h" or "7d". */
function readSeconds(text: string): number {
  const units = { s: 1, m: 60, h: 3600, d: daySeconds };
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const unit = match?.[2] as keyof typeof units | undefined;
  if (match === null || unit === undefined)
    throw new InvalidArgumentError("give a time such as 90s, 30m, 24h or 7d");
  return Number(match[1]) * units[unit];
}

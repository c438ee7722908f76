import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { admissionBounds } from "../../fleet/admission/limits.ts";
import type { LimitChangeBody } from "../../fleet/routes/management/schemas/admission.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { printAnswer } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { wholeNumber } from "../options/options.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type AdmissionView, isAdmission } from "../server/fleet-views.ts";

type Limit = number | null;

interface LimitFlags extends FleetFlags {
  readonly region?: string;
  readonly offersPerMinute?: Limit;
  readonly downloads?: Limit;
  readonly bytesPerSecond?: Limit;
}

/** `sluice fleet limit`: what the server offers and sends at a time. */
export function registerFleetLimit(group: Command): void {
  const { offersPerMinuteMax, downloadsMax, bytesPerSecondMin, bytesPerSecondMax } =
    admissionBounds;
  withFleetFlags(
    group
      .command("limit")
      .description("Limit what the server, or a region, offers and sends at a time; or show it")
      .option("--region <name>", "of the devices in this region, not of the whole server")
      .option(
        "--offers-per-minute <n>",
        'devices that are offered a release a minute, or "none"',
        limit({ min: 1, max: offersPerMinuteMax }),
      )
      .option(
        "--downloads <n>",
        'devices that download at once, or "none"',
        limit({ min: 1, max: downloadsMax }),
      )
      .option(
        "--bytes-per-second <n>",
        'of all downloads together, or "none"',
        limit({ min: bytesPerSecondMin, max: bytesPerSecondMax }),
      ),
  ).action(change);
}

async function change(flags: LimitFlags, command: Command): Promise<void> {
  const { region, offersPerMinute, downloads, bytesPerSecond } = flags;
  const changed: LimitChangeBody = {
    ...(offersPerMinute === undefined ? {} : { offersPerMinute }),
    ...(downloads === undefined ? {} : { downloads }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
  const client = new FleetClient(flags);
  const isShown = Object.keys(changed).length === 0;
  if (isShown && region !== undefined)
    throw new CommandError("say what --region is limited to: --help lists it", exitCodes.usage);
  const admission = isShown
    ? await client.get("/admission", isAdmission)
    : await client.patch(
        "/admission",
        region === undefined ? changed : { ...changed, region },
        isAdmission,
      );
  printAnswer(command, flags, admission, admissionText);
}

function admissionText({ waiting, limits }: AdmissionView): string {
  const table = formatTable(
    [
      { title: "region", text: ({ region }: AdmissionView["limits"][number]) => region ?? "all" },
      { title: "offers/min", align: "right", text: (row) => textOf(row.offersPerMinute) },
      { title: "now", align: "right", text: (row) => String(row.offersLastMinute) },
      { title: "downloads", align: "right", text: (row) => textOf(row.downloads) },
      { title: "now", align: "right", text: (row) => String(row.downloading) },
      { title: "bytes/s", align: "right", text: (row) => textOf(row.bytesPerSecond) },
    ],
    limits,
  );
  return `${table}\n${waiting} device${waiting === 1 ? "" : "s"} in line`;
}

function textOf(value: Limit): string {
  return value === null ? "-" : String(value);
}

/** A whole number, or none. */
function limit(bounds: { min: number; max: number }): (text: string) => Limit {
  const read = wholeNumber(bounds);
  return (text) => {
    if (text === "none") return null;
    try {
      return read(text);
    } catch {
      throw new InvalidArgumentError(
        `Must be a whole number from ${bounds.min} to ${bounds.max}, or "none".`,
      );
    }
  };
}

import { type Command, Option } from "commander";
import type { RegisteredAnswer } from "../../fleet/routes/management/schemas/import.ts";
import { writeResult } from "../command/files.ts";
import { note, print } from "../command/output.ts";
import { isPageOf, isText, listOf, orNull, partOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";

interface ExportFlags extends FleetFlags {
  readonly filter?: string;
  readonly format: "csv" | "jsonl";
  readonly out?: string;
}

const isRegistered = partOf<RegisteredAnswer>()({
  id: isText,
  hardware: orNull(isText),
  region: orNull(isText),
  timezone: orNull(isText),
  connectivity: orNull(isText),
  criticality: orNull(isText),
  bootloader: orNull(isText),
  tags: listOf(isText),
  groups: listOf(isText),
});

/** In the order in which files have them. */
const columns = [
  "id",
  "hardware",
  "region",
  "timezone",
  "connectivity",
  "criticality",
  "bootloader",
  "tags",
  "groups",
] as const satisfies readonly (keyof RegisteredAnswer)[];

/** A bound beyond the devices that a server keeps. */
const pagesMax = 10_000;

/** `sluice device export`: what an operator set of each device, as import takes it. */
export function registerDeviceExport(group: Command): void {
  withFleetFlags(
    group
      .command("export")
      .description("Write what you set of each device, as sluice device import reads it")
      .option("--filter <rsql>", 'only such devices, as "region==eu": docs/filters.md')
      .addOption(
        new Option("--format <name>", "what to write").choices(["csv", "jsonl"]).default("csv"),
      )
      .option("--out <file>", "where to; else standard output"),
  ).action(exportDevices);
}

async function exportDevices(flags: ExportFlags, command: Command): Promise<void> {
  const client = new FleetClient(flags);
  const lines = flags.format === "csv" ? [columns.join(",")] : [];
  let after: string | null = null;
  let devices = 0;
  for (let page = 0; page < pagesMax; page += 1) {
    const query = new URLSearchParams({ limit: "500" });
    if (flags.filter !== undefined) query.set("filter", flags.filter);
    if (after !== null) query.set("after", after);
    const { items, next } = await client.get(`/registry?${query}`, isPageOf(isRegistered));
    devices += items.length;
    for (const device of items) lines.push(lineOf(device, flags.format));
    after = next;
    if (next === null) break;
  }
  const text = lines.join("\n");
  if (flags.out === undefined) print(command, text);
  else {
    writeResult(flags.out, `${text}\n`);
    note(command, `${flags.out}: ${devices} devices`);
  }
}

function lineOf(device: RegisteredAnswer, format: ExportFlags["format"]): string {
  const values = columns.map((column) => [column, device[column]] as const);
  if (format === "jsonl") return JSON.stringify(Object.fromEntries(values));
  return values.map(([, value]) => cellOf(value)).join(",");
}

/** RFC 4180, 2. */
function cellOf(value: string | readonly string[] | null): string {
  const text = typeof value === "string" || value === null ? (value ?? "") : value.join(" ");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

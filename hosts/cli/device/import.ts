import { extname } from "node:path";
import { type Command, Option } from "commander";
import type {
  ImportedAnswer,
  RefusedImportAnswer,
} from "../../fleet/routes/management/schemas/import.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { note, printAnswer } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { isFlag, isNumber, isText, listOf, orNull, partOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";

const types = {
  csv: "text/csv",
  jsonl: "application/x-ndjson",
  json: "application/json",
} as const;
type Format = keyof typeof types;

interface ImportFlags extends FleetFlags {
  readonly apply?: true;
  readonly register?: true;
  readonly format?: Format;
}

const isImported = partOf<ImportedAnswer>()({
  applied: isFlag,
  devices: isNumber,
  created: isNumber,
  changed: isNumber,
  unchanged: isNumber,
  cleared: isNumber,
});

const isRefused = partOf<Required<RefusedImportAnswer>>()({
  error: isText,
  message: isText,
  defects: listOf(
    partOf<NonNullable<RefusedImportAnswer["defects"]>[number]>()({
      line: isNumber,
      column: orNull(isText),
      value: orNull(isText),
      rule: isText,
    }),
  ),
  defectsCount: isNumber,
});

/** `sluice device import`: what you know of many devices, from a file. */
export function registerDeviceImport(group: Command): void {
  withFleetFlags(
    group
      .command("import")
      .description("Say what a file of devices would change; with --apply, change it")
      .argument("<file>", "CSV with a header, or JSON: docs/device-files.md")
      .option("--apply", "take it: all of the file, or nothing")
      .option("--register", "take in devices that the fleet does not know yet")
      .addOption(
        new Option("--format <name>", "what the file is; else its name says so").choices(
          Object.keys(types),
        ),
      ),
  ).action(importFile);
}

async function importFile(file: string, flags: ImportFlags, command: Command): Promise<void> {
  const bytes = readInput(file, "the file of devices");
  const query = new URLSearchParams({ dryRun: String(flags.apply !== true) });
  if (flags.register === true) query.set("register", "true");
  const answer = await new FleetClient(flags).postFile<object>(
    `/registry?${query}`,
    bytes,
    types[formatOf(file, flags)],
    [422],
  );
  if (isRefused(answer)) {
    printAnswer(command, flags, answer, ({ defects }) => tableOf(defects));
    const more = answer.defectsCount - answer.defects.length;
    const others = more > 0 ? `, of which ${more} are not shown` : "";
    throw new CommandError(
      `nothing was changed: ${file} has ${answer.defectsCount} defects${others}`,
      exitCodes.negative,
    );
  }
  if (!isImported(answer))
    throw new CommandError(
      `${flags.fleet} answers, but not as a fleet server; check --fleet`,
      exitCodes.server,
    );
  printAnswer(command, flags, answer, inWords);
  if (!answer.applied && answer.created + answer.changed > 0)
    note(command, "nothing was changed yet: add --apply to take the file");
}

function inWords({ devices, created, changed, unchanged, cleared }: ImportedAnswer): string {
  return `${devices} devices: ${created} new, ${changed} changed, ${unchanged} unchanged; ${cleared} values taken away`;
}

type Defect = NonNullable<RefusedImportAnswer["defects"]>[number];

function tableOf(defects: readonly Defect[]): string {
  return formatTable(
    [
      { title: "line", text: ({ line }: Defect) => String(line) },
      { title: "column", text: ({ column }) => column ?? "-" },
      { title: "value", shrinks: true, text: ({ value }) => value ?? "-" },
      { title: "rule", shrinks: true, text: ({ rule }) => rule },
    ],
    defects,
  );
}

function formatOf(file: string, { format }: ImportFlags): Format {
  if (format !== undefined) return format;
  const named = { ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json" } as const;
  const extension = extname(file).toLowerCase();
  if (Object.hasOwn(named, extension)) return named[extension as keyof typeof named];
  throw new CommandError(
    `the name ${file} does not say what it is: give --format ${Object.keys(types).join(", ")}`,
    exitCodes.usage,
  );
}

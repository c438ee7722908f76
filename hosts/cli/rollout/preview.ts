import type { Command } from "commander";
import type { PreviewAnswer } from "../../fleet/routes/management/schemas/preview.ts";
import { exitCodes } from "../command/exit.ts";
import { formatBytes, printAnswer } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import {
  type Checked,
  isFlag,
  isNumber,
  isText,
  listOf,
  orNull,
  partOf,
} from "../server/answer-shape.ts";
import { FleetClient } from "../server/fleet-client.ts";
import { type CreateFlags, wantedOf, withPlanOptions } from "./create.ts";
import { windowsLines } from "./windows-text.ts";

/** `sluice rollout preview`: exit code 1 says that a rollout like this would be refused. */
export function registerRolloutPreview(group: Command): void {
  withPlanOptions(
    group.command("preview"),
    "Say what a rollout would do; exit code 1 when it would be refused",
  ).action(preview);
}

async function preview(flags: CreateFlags, command: Command): Promise<void> {
  const client = new FleetClient(flags);
  const found = await client.post<PreviewView>("/rollouts/preview", wantedOf(flags), isPreview);
  printAnswer(command, flags, found, previewText);
  if (found.problems.length > 0) process.exitCode = exitCodes.negative;
}

type PreviewView = Checked<typeof isPreview>;
type SharesView = Checked<typeof isShares>;

const isShares = partOf<PreviewAnswer["versions"]>()({
  most: listOf(
    partOf<PreviewAnswer["versions"]["most"][number]>()({
      name: orNull(isText),
      devices: isNumber,
    }),
  ),
  otherNames: isNumber,
  otherDevices: isNumber,
});

const isPreview = partOf<PreviewAnswer>()({
  releaseVersion: isText,
  devices: isNumber,
  first: listOf(isText),
  versions: isShares,
  hardware: isShares,
  regions: isShares,
  timeZones: isShares,
  steps: isShares,
  left: listOf(
    partOf<PreviewAnswer["left"][number]>()({
      reason: isText,
      devices: isNumber,
      examples: listOf(isText),
    }),
  ),
  bytes: isNumber,
  stages: listOf(
    partOf<PreviewAnswer["stages"][number]>()({
      devices: isNumber,
      soakSeconds: isNumber,
      waitsForPeople: isFlag,
      endsAfterSeconds: isNumber,
    }),
  ),
  beyondStages: isNumber,
  seconds: isNumber,
  stop: partOf<PreviewAnswer["stop"]>()({ limit: isNumber, confidence: isNumber }),
  odds: listOf(
    partOf<PreviewAnswer["odds"][number]>()({
      defectRate: isNumber,
      stop: isNumber,
      hurtOneByOne: isNumber,
      hurtAtOnce: isNumber,
    }),
  ),
  windowOpensAtUnixMs: orNull(isNumber),
  windows: orNull(
    partOf<NonNullable<PreviewAnswer["windows"]>>()({
      lastOpensAtUnixMs: orNull(isNumber),
      withoutTimeZone: isNumber,
      neverOpen: isNumber,
    }),
  ),
  problems: listOf(
    partOf<PreviewAnswer["problems"][number]>()({ reason: isText, message: isText }),
  ),
  digest: isText,
});

function previewText(preview: PreviewView): string {
  const { releaseVersion, devices, first, bytes, seconds, windowOpensAtUnixMs: opensAt } = preview;
  const more = devices > first.length ? `, and ${devices - first.length} others` : "";
  const names = devices === 0 ? "" : `: ${first.join(", ")}${more}`;
  return [
    `release ${releaseVersion} would go to ${countText(devices)}${names}`,
    ...sharesLines("they run", preview.versions),
    ...sharesLines("hardware", preview.hardware),
    ...sharesLines("regions", preview.regions),
    ...sharesLines("time zones", preview.timeZones),
    ...sharesLines("over stepping stones", preview.steps),
    ...preview.left.map(leftLine),
    ...(preview.beyondStages > 0 ? [`${countText(preview.beyondStages)} in no stage`] : []),
    ...(devices === 0 ? [] : [stagesTable(preview), ...peopleLines(preview)]),
    `moves ${formatBytes(bytes)}; ends after ${timeText(seconds)}, downloads and installations not counted`,
    ...(opensAt === null ? [] : [`the window opens at ${new Date(opensAt).toISOString()}`]),
    ...windowsLines(preview.windows),
    ...(devices === 0 ? [] : oddsLines(preview)),
    `digest ${preview.digest}`,
    ...preview.problems.map(({ reason, message }) => `would be refused, ${reason}: ${message}`),
  ].join("\n");
}

function countText(devices: number): string {
  return devices === 1 ? "1 device" : `${devices} devices`;
}

const namesShownMax = 8;

function sharesLines(what: string, { most, otherNames, otherDevices }: SharesView): string[] {
  if (most.length === 0) return [];
  const shown = most.slice(0, namesShownMax);
  const rest = most.slice(namesShownMax);
  const others = rest.length + otherNames;
  const inOthers = rest.reduce((sum, { devices }) => sum + devices, otherDevices);
  const parts = shown.map(({ name, devices }) => `${name ?? "not known"} (${devices})`);
  if (others > 0) parts.push(`${others} others (${inOthers})`);
  return [`${what}: ${parts.join(", ")}`];
}

function leftLine({ reason, devices, examples }: PreviewView["left"][number]): string {
  const more = devices > examples.length && examples.length > 0 ? ", ..." : "";
  const named = examples.length === 0 ? "" : `: ${examples.join(", ")}${more}`;
  return `left out, ${reason}: ${countText(devices)}${named}`;
}

function stagesTable({ stages }: PreviewView): string {
  return formatTable(
    [
      { title: "stage", align: "right", text: ({ number }) => String(number) },
      { title: "devices", align: "right", text: ({ devices }) => String(devices) },
      { title: "soak", align: "right", text: ({ soakSeconds }) => timeText(soakSeconds) },
      { title: "ends after", align: "right", text: (stage) => timeText(stage.endsAfterSeconds) },
    ],
    stages.map((stage, index) => ({ ...stage, number: index + 1 })),
  );
}

function peopleLines({ stages }: PreviewView): string[] {
  const waiting = stages.flatMap(({ waitsForPeople }, index) =>
    waitsForPeople ? [String(index + 1)] : [],
  );
  if (waiting.length === 0) return [];
  return [
    `somebody has to let it go on after stage ${waiting.join(", ")}: that time is not counted`,
  ];
}

function oddsLines({ stop, odds }: PreviewView): string[] {
  const percent = (value: number): string => `${Number((value * 100).toFixed(1))} %`;
  return [
    `stops when more than ${percent(stop.limit)} went back, ${percent(stop.confidence)} sure; of a release that is bad on some devices:`,
    formatTable(
      [
        { title: "bad", align: "right", text: ({ defectRate }) => percent(defectRate) },
        { title: "stops", align: "right", text: (one) => percent(one.stop) },
        { title: "hurt, one by one", align: "right", text: (one) => one.hurtOneByOne.toFixed(1) },
        { title: "all at once", align: "right", text: (one) => one.hurtAtOnce.toFixed(1) },
      ],
      odds,
    ),
  ];
}

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** "3 d 15 min": the two largest units. */
function timeText(seconds: number): string {
  const parts: string[] = [];
  let left = seconds;
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${unit}`);
  }
  return parts.length === 0 ? "0 s" : parts.join(" ");
}

import type { Command } from "commander";
import { exitCodes } from "../command/exit.ts";
import { printAnswer } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { rolloutNumber } from "../options/options.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isRollout, type RolloutView, type StageView } from "../server/fleet-views.ts";
import { windowsLines } from "./windows-text.ts";

/** `sluice rollout show`: exit code 1 says that the rollout halted. */
export function registerRolloutShow(group: Command): void {
  withFleetFlags(
    group
      .command("show")
      .description("Show a rollout with its stages; exit code 1 when it halted")
      .argument("<id>", "the rollout's number", rolloutNumber),
  ).action(show);
}

async function show(id: number, flags: FleetFlags, command: Command): Promise<void> {
  const rollout = await new FleetClient(flags).get<RolloutView>(`/rollouts/${id}`, isRollout);
  printAnswer(command, flags, rollout, rolloutText);
  if (rollout.state === "halted") process.exitCode = exitCodes.negative;
}

export function rolloutText(rollout: RolloutView): string {
  const { id, name, releaseVersion, state, eligible, halt } = rollout;
  const lines = [
    `rollout ${id} "${name}" of release ${releaseVersion}: ${state}, ${eligible} devices`,
  ];
  if (halt !== null)
    lines.push(
      `stage ${halt.stage + 1}: ${halt.sentence}`,
      `go on under a limit that accepts this, or end it:`,
      halt.reason === "control-group"
        ? `  sluice rollout resume ${id}`
        : `  sluice rollout resume ${id} ${limitOptions[halt.reason] ?? "--halt-share"} SHARE`,
      `  sluice rollout cancel ${id}`,
    );
  const waiting = rollout.stages.find(({ waitsFor }) => waitsFor !== null);
  if (waiting !== undefined)
    lines.push(`stage ${waiting.stage + 1} waits: ${waiting.waitsFor ?? ""}`);
  const emptied = rollout.stages.find((stage) => stageState(stage) === "emptied");
  if (emptied !== undefined && state === "running")
    lines.push(
      `stage ${emptied.stage + 1} lost its devices before one of them was updated; go on without:`,
      `  sluice rollout advance ${id}`,
    );
  const count =
    (...states: readonly string[]) =>
    ({ counts }: StageView): string =>
      String(states.reduce((sum, name) => sum + (counts[name] ?? 0), 0));
  const apart = apartColumns.filter(([, state]) =>
    rollout.stages.some(({ counts }) => (counts[state] ?? 0) > 0),
  );
  const table = formatTable(
    [
      { title: "stage", align: "right", text: ({ stage }: StageView) => String(stage + 1) },
      { title: "%", align: "right", text: ({ percent }) => String(percent) },
      ...(rollout.stages.some(({ group }) => group !== null)
        ? [{ title: "group", text: ({ group }: StageView) => group ?? "" }]
        : []),
      { title: "state", text: stageState },
      { title: "devices", align: "right", text: ({ members }) => String(members) },
      { title: "updated", align: "right", text: count("updated") },
      {
        title: "under way",
        align: "right",
        text: count("offered", "working", "activating", "trial"),
      },
      { title: "deferred", align: "right", text: count("deferred") },
      { title: "back", align: "right", text: count("rolled-back") },
      { title: "failed", align: "right", text: count("failed", "unproven") },
      ...apart.map(([title, state]) => ({ title, align: "right" as const, text: count(state) })),
    ],
    rollout.stages,
  );
  return [...lines, table, ...windowsLines(rollout.windows), ...outcomeLines(rollout)].join("\n");
}

/** By which a halt of each reason is lifted. */
const limitOptions: Readonly<Record<string, string>> = {
  "rolled-back-share": "--halt-share",
  "failed-share": "--failed-share",
  "silent-share": "--silent-share",
  "health-failed-share": "--health-share",
  "battery-drop-share": "--battery-share",
};

/** Counted apart, and rare: these columns are shown where there is something in them. */
const apartColumns = [
  ["reported", "reported"],
  ["no server", "no-server"],
  ["no link", "no-link"],
  ["silent", "silent"],
  ["stuck", "stuck"],
] as const;

function outcomeLines({ outcomes = [] }: RolloutView): string[] {
  return outcomes.map(
    ({ state, reason, count }) => `${count} ${state}: ${reason ?? "no reason told"}`,
  );
}

function stageState(stage: StageView): string {
  if (stage.completedAtUnixMs !== null) return "complete";
  if (stage.openedAtUnixMs === null) return "closed";
  return stage.members === 0 && stage.joined > 0 ? "emptied" : "open";
}

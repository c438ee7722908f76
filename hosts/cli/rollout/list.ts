import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isRollout, type RolloutView } from "../server/fleet-views.ts";

/** `sluice rollout list` */
export function registerRolloutList(group: Command): void {
  withFleetFlags(group.command("list").description("List the newest rollouts")).action(list);
}

async function list(flags: FleetFlags, command: Command): Promise<void> {
  const page = await new FleetClient(flags).get("/rollouts", isPageOf(isRollout));
  printAnswer(command, flags, page.items, tableOf);
}

function tableOf(rollouts: readonly RolloutView[]): string {
  return formatTable(
    [
      { title: "id", align: "right", text: ({ id }: RolloutView) => String(id) },
      { title: "name", shrinks: true, text: ({ name }) => name },
      { title: "release", text: ({ releaseVersion }) => releaseVersion },
      { title: "state", text: ({ state }) => state },
      {
        title: "stage",
        align: "right",
        text: ({ currentStage, stages }) => `${currentStage + 1}/${stages.length}`,
      },
      { title: "updated", align: "right", text: (rollout) => String(total(rollout, "updated")) },
      {
        title: "rolled back",
        align: "right",
        text: (rollout) => String(total(rollout, "rolled-back")),
      },
      { title: "devices", align: "right", text: ({ eligible }) => String(eligible) },
    ],
    rollouts,
  );
}

function total({ stages }: RolloutView, state: string): number {
  return stages.reduce((sum, { counts }) => sum + (counts[state] ?? 0), 0);
}

import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isPolicy, type PolicyView } from "../server/fleet-views.ts";

/** `sluice policy list` */
export function registerPolicyList(group: Command): void {
  withFleetFlags(
    group
      .command("list")
      .description("List policies: presets, then your own in the order of their coming"),
  ).action(list);
}

async function list(flags: FleetFlags, command: Command): Promise<void> {
  const page = await new FleetClient(flags).get("/policies", isPageOf(isPolicy));
  printAnswer(command, flags, page.items, tableOf);
}

function tableOf(policies: readonly PolicyView[]): string {
  return formatTable(
    [
      { title: "name", text: ({ name }: PolicyView) => name },
      { title: "version", align: "right", text: ({ version }) => String(version) },
      { title: "", text: ({ isPreset }) => (isPreset ? "preset" : "") },
      { title: "stages", text: ({ rules }) => stagesOf(rules["stages"]) },
      { title: "description", shrinks: true, text: ({ description }) => description ?? "" },
    ],
    policies,
  );
}

/** The sizes of the stages, such as "canary, 10 devices, 50 %, 100 %". */
function stagesOf(stages: unknown): string {
  if (!Array.isArray(stages)) return "";
  return stages
    .map(({ percent, count, group }) =>
      group !== undefined
        ? String(group)
        : count !== undefined
          ? `${count} devices`
          : `${percent} %`,
    )
    .join(", ");
}

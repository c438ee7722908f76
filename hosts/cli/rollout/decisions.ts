import type { Command } from "commander";
import { note, printAnswer } from "../command/output.ts";
import { formatTime } from "../command/table.ts";
import { pageLimit, rolloutNumber, wholeNumber } from "../options/options.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type DecisionView, isDecision } from "../server/fleet-views.ts";

interface DecisionsFlags extends FleetFlags {
  readonly limit: number;
  readonly after?: number;
}

/** `sluice rollout decisions` */
export function registerRolloutDecisions(group: Command): void {
  withFleetFlags(
    group
      .command("decisions")
      .description("Show what was decided about a rollout and why, the oldest first")
      .argument("<id>", "the rollout's number", rolloutNumber)
      .option("--limit <number>", "at most this many, up to 500", pageLimit, 500)
      .option(
        "--after <number>",
        "only those after this one",
        wholeNumber({ min: 0, max: 999_999_999_999 }),
      ),
  ).action(show);
}

async function show(id: number, flags: DecisionsFlags, command: Command): Promise<void> {
  const query = new URLSearchParams({ limit: String(flags.limit) });
  if (flags.after !== undefined) query.set("after", String(flags.after));
  const path = `/rollouts/${id}/decisions?${query}`;
  const page = await new FleetClient(flags).get(path, isPageOf(isDecision));
  printAnswer(command, flags, page, ({ items }) => items.map(lineOf).join("\n"));
  if (page.next !== null && flags.json !== true)
    note(command, `there may be more: add --after ${page.next}`);
}

function lineOf({ atUnixMs, kind, sentence }: DecisionView): string {
  return `${formatTime(atUnixMs)}  ${kind}: ${sentence}`;
}

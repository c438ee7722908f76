import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type GroupWindowsView, isGroupWindows } from "./group-windows-view.ts";

/** `sluice window list` */
export function registerWindowList(group: Command): void {
  withFleetFlags(
    group
      .command("list")
      .description("List the groups whose windows every rollout respects, and those windows"),
  ).action(list);
}

async function list(flags: FleetFlags, command: Command): Promise<void> {
  const { items } = await new FleetClient(flags).get("/windows", isPageOf(isGroupWindows));
  printAnswer(command, flags, items, tableOf);
}

function tableOf(items: readonly GroupWindowsView[]): string {
  const text = (value: unknown): string => (value == null ? "" : JSON.stringify(value));
  return formatTable(
    [
      { title: "group", text: ({ group }: GroupWindowsView) => group },
      { title: "zone", text: ({ windows }) => String(windows["timeZone"]) },
      { title: "download", text: ({ windows }) => text(windows["download"]) },
      { title: "install", shrinks: true, text: ({ windows }) => text(windows["install"]) },
    ],
    items,
  );
}

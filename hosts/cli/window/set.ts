import type { Command } from "commander";
import { isJsonObject } from "../../../src/protocol/json.ts";
import { CommandError } from "../command/exit.ts";
import { readJson } from "../command/files.ts";
import { printAnswer } from "../command/output.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { type GroupWindowsView, isGroupWindows } from "./group-windows-view.ts";

interface SetFlags extends FleetFlags {
  readonly windows: string;
  readonly timeZone?: string;
}

/** `sluice window set` */
export function registerWindowSet(group: Command): void {
  withFleetFlags(
    group
      .command("set")
      .description("Set when devices of a group may download and install, in every rollout")
      .argument("<group>", "a group of devices")
      .requiredOption("--windows <file>", "JSON: see docs/windows.md")
      .option("--time-zone <rule>", '"device" for the zone of each device, or a POSIX rule'),
  ).action(set);
}

async function set(group: string, flags: SetFlags, command: Command): Promise<void> {
  const { windows: file, timeZone } = flags;
  const windows = readJson(file, "the windows");
  if (!isJsonObject(windows)) throw new CommandError(`${file} is no JSON object`);
  const set = await new FleetClient(flags).put<GroupWindowsView>(
    `/windows/${encodeURIComponent(group)}`,
    timeZone === undefined ? windows : { ...windows, timeZone },
    isGroupWindows,
  );
  printAnswer(command, flags, set, () => `every rollout respects the windows of ${group} now`);
}

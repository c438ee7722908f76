import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";

/** `sluice window remove` */
export function registerWindowRemove(group: Command): void {
  withFleetFlags(
    group
      .command("remove")
      .description("Take the windows of a group away; those of each rollout count again")
      .argument("<group>", "a group that has windows"),
  ).action(remove);
}

async function remove(name: string, flags: FleetFlags, command: Command): Promise<void> {
  await new FleetClient(flags).delete(`/windows/${encodeURIComponent(name)}`);
  printAnswer(command, flags, { group: name }, ({ group }) => `${group} has no windows any more`);
}

import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "./fleet-client.ts";
import { printAnswer } from "./output.ts";

/** `sluice device remove` */
export function registerDeviceRemove(program: Command): void {
  withFleetFlags(
    commandGroup(program, "device", "The devices of a fleet")
      .command("remove")
      .description("Take a device out of the fleet; its token is void from then on")
      .argument("<id>", "the device"),
  ).action(remove);
}

async function remove(id: string, flags: FleetFlags, command: Command): Promise<void> {
  await new FleetClient(flags).delete(`/devices/${encodeURIComponent(id)}`);
  printAnswer(command, flags, { device: id }, ({ device }) => `${device} is removed`);
}

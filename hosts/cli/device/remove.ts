import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";

/** `sluice device remove` */
export function registerDeviceRemove(group: Command): void {
  withFleetFlags(
    group
      .command("remove")
      .description("Take a device out of the fleet; its token is void from then on")
      .argument("<id>", "the device"),
  ).action(remove);
}

async function remove(id: string, flags: FleetFlags, command: Command): Promise<void> {
  await new FleetClient(flags).delete(`/devices/${encodeURIComponent(id)}`);
  printAnswer(command, flags, { device: id }, ({ device }) => `${device} is removed`);
}

import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";

interface ClearFlags extends FleetFlags {
  readonly release: string;
}

/** `sluice device clear` */
export function registerDeviceClear(group: Command): void {
  withFleetFlags(
    group
      .command("clear")
      .description("Let a device be offered a release again that it rolled back or failed")
      .argument("<id>", "the device")
      .requiredOption("--release <version>", "the release"),
  ).action(clear);
}

async function clear(id: string, flags: ClearFlags, command: Command): Promise<void> {
  const path = `/devices/${encodeURIComponent(id)}/refusals/${encodeURIComponent(flags.release)}`;
  await new FleetClient(flags).delete(path);
  const cleared = { device: id, release: flags.release };
  printAnswer(
    command,
    flags,
    cleared,
    ({ device, release }) => `${device} may be offered ${release} again`,
  );
}

import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "./fleet-client.ts";
import { printAnswer } from "./output.ts";

interface ClearFlags extends FleetFlags {
  readonly release: string;
}

/** `sluice device clear` */
export function registerDeviceClear(program: Command): void {
  withFleetFlags(
    commandGroup(program, "device", "The devices of a fleet")
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

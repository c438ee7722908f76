import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "./fleet-client.ts";
import type { DeviceView } from "./fleet-views.ts";

interface AddFlags extends FleetFlags {
  readonly hardware: string;
  readonly deviceToken?: string;
}

/** `sluice device add` */
export function registerDeviceAdd(program: Command): void {
  withFleetFlags(
    commandGroup(program, "device", "The devices of a fleet")
      .command("add")
      .description("Register a device and print its token, which is told only now")
      .argument("<id>", "the device's id")
      .requiredOption("--hardware <id>", "what it is, such as esp32c3-b")
      .option("--device-token <token>", "a token of your own instead of a random one"),
  ).action(add);
}

async function add(id: string, flags: AddFlags): Promise<void> {
  const { hardware, deviceToken } = flags;
  const added = await new FleetClient(flags).post<DeviceView & { token: string }>("/devices", {
    id,
    hardware,
    ...(deviceToken === undefined ? {} : { token: deviceToken }),
  });
  process.stdout.write(flags.json ? `${JSON.stringify(added)}\n` : `${added.token}\n`);
  process.stderr.write(`${added.id} (${added.hardware}) is registered; keep its token\n`);
}

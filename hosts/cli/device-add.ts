import type { Command } from "commander";
import { isText, objectOf } from "./answer-shape.ts";
import { commandGroup } from "./command-group.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "./fleet-client.ts";
import { deviceId } from "./options.ts";
import { note, printAnswer } from "./output.ts";

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
      .argument("<id>", "the device's id", deviceId)
      .requiredOption("--hardware <id>", "what it is, such as esp32c3-b")
      .option("--device-token <token>", "a token of your own instead of a random one"),
  ).action(add);
}

async function add(id: string, flags: AddFlags, command: Command): Promise<void> {
  const { hardware, deviceToken } = flags;
  const wanted = { id, hardware, ...(deviceToken === undefined ? {} : { token: deviceToken }) };
  const added = await new FleetClient(flags).post<{ token: string }>(
    "/devices",
    wanted,
    objectOf<{ token: string }>({ token: isText }),
  );
  printAnswer(command, flags, added, ({ token }) => token);
  note(command, `${id} (${hardware}) is registered; keep its token`);
}

import type { Command } from "commander";
import type {
  AddedDeviceAnswer,
  NewDeviceBody,
} from "../../fleet/routes/management/schemas/devices.ts";
import { note, printAnswer } from "../command/output.ts";
import { deviceId } from "../options/options.ts";
import { isText, partOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";

interface AddFlags extends FleetFlags {
  readonly hardware: string;
  readonly deviceToken?: string;
}

/** `sluice device add` */
export function registerDeviceAdd(group: Command): void {
  withFleetFlags(
    group
      .command("add")
      .description("Register a device and print its token, which is told only now")
      .argument("<id>", "the device's id", deviceId)
      .requiredOption("--hardware <id>", "what it is, such as esp32c3-b")
      .option("--device-token <token>", "a token of your own instead of a random one"),
  ).action(add);
}

async function add(id: string, flags: AddFlags, command: Command): Promise<void> {
  const { hardware, deviceToken } = flags;
  const wanted: NewDeviceBody = {
    id,
    hardware,
    ...(deviceToken === undefined ? {} : { token: deviceToken }),
  };
  const added = await new FleetClient(flags).post(
    "/devices",
    wanted,
    partOf<AddedDeviceAnswer>()({ token: isText }),
  );
  printAnswer(command, flags, added, ({ token }) => token);
  note(command, `${id} (${hardware}) is registered; keep its token`);
}

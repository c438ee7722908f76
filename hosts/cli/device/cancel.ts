import type { Command } from "commander";
import type { CancelBody, CancelledAnswer } from "../../fleet/routes/management/schemas/devices.ts";
import { printAnswer } from "../command/output.ts";
import { isText, partOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";

interface CancelFlags extends FleetFlags {
  readonly force?: true;
}

/** `sluice device cancel` */
export function registerDeviceCancel(group: Command): void {
  withFleetFlags(
    group
      .command("cancel")
      .description("Take back what a device is to do; its rollout does not offer it again")
      .argument("<id>", "the device")
      .option("--force", "at once, without asking the device"),
  ).action(cancel);
}

async function cancel(id: string, flags: CancelFlags, command: Command): Promise<void> {
  const path = `/devices/${encodeURIComponent(id)}/cancel`;
  const body: CancelBody = { force: flags.force ?? false };
  const answer = await new FleetClient(flags).post(
    path,
    body,
    partOf<CancelledAnswer>()({ status: isText }),
  );
  printAnswer(command, flags, { device: id, ...answer }, ({ status }) =>
    status === "canceled"
      ? `${id}: its action is cancelled`
      : `${id} is asked to cancel at its next poll; --force does not wait for its answer`,
  );
}

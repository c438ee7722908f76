import type { Command } from "commander";
import type { ClearedAnswer } from "../../fleet/routes/management/schemas/rollouts.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { note, printAnswer } from "../command/output.ts";
import { rolloutNumber } from "../options/options.ts";
import { isFlag, isText, listOf, partOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isRollout } from "../server/fleet-views.ts";

interface ClearFlags extends FleetFlags {
  readonly device?: readonly string[];
  readonly rollout?: number;
}

/**
 * `sluice release clear-rollback`: devices may take a release again that they rolled back or
 * refused.
 */
export function registerReleaseClearRollback(group: Command): void {
  withFleetFlags(
    group
      .command("clear-rollback")
      .description("Let devices take a release again that they rolled back or refused")
      .argument("<version>", "the release")
      .option("--device <ids...>", "these devices")
      .option(
        "--rollout <id>",
        "every device of this rollout that went back or failed",
        rolloutNumber,
      ),
  ).action(clear);
}

async function clear(version: string, flags: ClearFlags, command: Command): Promise<void> {
  const { device: ids, rollout } = flags;
  if ((ids === undefined) === (rollout === undefined))
    throw new CommandError(
      "say for whom: either --device ID... or --rollout NUMBER",
      exitCodes.usage,
    );
  const client = new FleetClient(flags);
  const devices =
    ids === undefined
      ? await clearRollout(client, version, rollout ?? 0)
      : await clearDevices(client, version, ids);
  if (flags.json === true || devices.length > 0)
    printAnswer(command, flags, { release: version, devices }, (cleared) =>
      cleared.devices.join("\n"),
    );
  if (flags.json === true) return;
  const count = `${devices.length} ${devices.length === 1 ? "device" : "devices"}`;
  note(
    command,
    devices.length === 0
      ? `nothing to clear: no device went back from ${version} or failed it`
      : `${count} may be offered ${version} again and will take it; a halted rollout still needs \`sluice rollout resume\``,
  );
}

async function clearDevices(
  client: FleetClient,
  version: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  for (const id of ids)
    await client.delete(
      `/devices/${encodeURIComponent(id)}/refusals/${encodeURIComponent(version)}`,
    );
  return ids;
}

const isClearedPage = partOf<ClearedAnswer>()({ devices: listOf(isText), more: isFlag });

async function clearRollout(
  client: FleetClient,
  version: string,
  id: number,
): Promise<readonly string[]> {
  const { releaseVersion } = await client.get(`/rollouts/${id}`, isRollout);
  if (releaseVersion !== version)
    throw new CommandError(
      `rollout ${id} is of ${releaseVersion}, not of ${version}; \`sluice rollout list\` shows them`,
    );
  const devices: string[] = [];
  for (;;) {
    // Each page clears what it lists, so it ends with the devices of the rollout.
    const page = await client.post(`/rollouts/${id}/clear`, {}, isClearedPage);
    devices.push(...page.devices);
    if (!page.more || page.devices.length === 0) return devices;
  }
}

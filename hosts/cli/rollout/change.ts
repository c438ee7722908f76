import type { Command } from "commander";
import type { ResumeBody } from "../../fleet/routes/management/schemas/rollouts.ts";
import { printAnswer } from "../command/output.ts";
import { rolloutNumber, share } from "../options/options.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isRollout, type RolloutView } from "../server/fleet-views.ts";
import { rolloutText } from "./show.ts";

interface ResumeFlags extends FleetFlags {
  readonly haltShare?: number;
  readonly failedShare?: number;
  readonly silentShare?: number;
  readonly healthShare?: number;
  readonly batteryShare?: number;
}

interface ApproveFlags extends FleetFlags {
  readonly by: string;
}

/**
 * `sluice rollout start`, `pause`, `advance`, `approve`, `resume` and `cancel`: one request each.
 */
export function registerRolloutChange(group: Command): void {
  const change = (name: string, description: string): Command =>
    withFleetFlags(
      group
        .command(name)
        .description(description)
        .argument("<id>", "the rollout's number", rolloutNumber),
    );
  change("start", "Open the first stage").action((id: number, flags: FleetFlags, self: Command) =>
    post(id, "start", {}, flags, self),
  );
  change("pause", "Offer the release to nobody else for now").action(
    (id: number, flags: FleetFlags, self: Command) => post(id, "pause", {}, flags, self),
  );
  change("cancel", "End the rollout and take open actions back").action(
    (id: number, flags: FleetFlags, self: Command) => post(id, "cancel", {}, flags, self),
  );
  change("advance", "Go on from a stage that waits for an operator").action(
    (id: number, flags: FleetFlags, self: Command) => post(id, "advance", {}, flags, self),
  );
  change("approve", "Approve that the rollout goes on from its stage")
    .requiredOption("--by <name>", "who approves; nobody counts twice for a stage")
    .action((id: number, flags: ApproveFlags, self: Command) =>
      post(id, "approve", { approver: flags.by }, flags, self),
    );
  change("resume", "Go on after a pause, or after a halt under a new threshold")
    .option("--halt-share <number>", "share of attempts that may roll back from now on", share)
    .option("--failed-share <number>", "share of attempts that may fail from now on", share)
    .option("--silent-share <number>", "share that may go back for silence from now on", share)
    .option("--health-share <number>", "share that may fail a health check from now on", share)
    .option("--battery-share <number>", "share that may lose battery from now on", share)
    .action((id: number, flags: ResumeFlags, self: Command) =>
      post(id, "resume", thresholdOf(flags), flags, self),
    );
}

/** The limits that are given; the others stay as they are. */
function thresholdOf({
  haltShare,
  failedShare,
  silentShare,
  healthShare,
  batteryShare,
}: ResumeFlags): NonNullable<ResumeBody> {
  const threshold = {
    ...(haltShare === undefined ? {} : { rolledBackShare: haltShare }),
    ...(failedShare === undefined ? {} : { failedShare }),
    ...(silentShare === undefined ? {} : { noLinkShare: silentShare }),
    ...(healthShare === undefined ? {} : { healthFailedShare: healthShare }),
    ...(batteryShare === undefined ? {} : { batteryDropShare: batteryShare }),
  };
  return Object.keys(threshold).length === 0 ? {} : { haltThreshold: threshold };
}

async function post(
  id: number,
  name: string,
  body: object,
  flags: FleetFlags,
  command: Command,
): Promise<void> {
  const rollout = await new FleetClient(flags).post<RolloutView>(
    `/rollouts/${id}/${name}`,
    body,
    isRollout,
  );
  printAnswer(command, flags, rollout, rolloutText);
}

import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "./fleet-client.ts";
import { wholeNumber } from "./fleet-serve.ts";
import type { RolloutView } from "./fleet-views.ts";
import { rolloutText } from "./rollout-show.ts";

interface ResumeFlags extends FleetFlags {
  readonly haltShare?: string;
}

/** `sluice rollout start`, `pause`, `resume` and `cancel`: one request each. */
export function registerRolloutChange(program: Command): void {
  const group = commandGroup(program, "rollout", "Bring releases to devices, stage by stage");
  const change = (name: string, description: string): Command =>
    withFleetFlags(
      group.command(name).description(description).argument("<id>", "the rollout's number"),
    );
  change("start", "Open the first stage").action((id: string, flags: FleetFlags) =>
    post(id, "start", {}, flags),
  );
  change("pause", "Offer the release to nobody else for now").action(
    (id: string, flags: FleetFlags) => post(id, "pause", {}, flags),
  );
  change("cancel", "End the rollout and take open actions back").action(
    (id: string, flags: FleetFlags) => post(id, "cancel", {}, flags),
  );
  change("resume", "Go on after a pause, or after a halt under a new threshold")
    .option("--halt-share <number>", "share of attempts that may roll back from now on")
    .action((id: string, flags: ResumeFlags) =>
      post(
        id,
        "resume",
        flags.haltShare === undefined
          ? {}
          : { haltThreshold: { rolledBackShare: Number(flags.haltShare) } },
        flags,
      ),
    );
}

async function post(idText: string, name: string, body: object, flags: FleetFlags): Promise<void> {
  const id = wholeNumber("the rollout", idText, 1, 2 ** 31 - 1);
  const rollout = await new FleetClient(flags).post<RolloutView>(`/rollouts/${id}/${name}`, body);
  process.stdout.write(flags.json ? `${JSON.stringify(rollout)}\n` : rolloutText(rollout));
}

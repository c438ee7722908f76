import type { Command } from "commander";
import { printAnswer } from "../command/output.ts";
import { wholeNumber } from "../options/options.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isPolicy, type PolicyView } from "../server/fleet-views.ts";

interface ShowFlags extends FleetFlags {
  readonly version?: number;
}

/** `sluice policy show`: prints what `policy apply` reads, to be changed and applied again. */
export function registerPolicyShow(group: Command): void {
  withFleetFlags(
    group
      .command("show")
      .description("Print a policy, with its defaults, as `policy apply` reads it")
      .argument("<name>", "the policy")
      .option("--version <n>", "the newest when absent", wholeNumber({ min: 1, max: 999_999_999 })),
  ).action(show);
}

async function show(name: string, flags: ShowFlags, command: Command): Promise<void> {
  const query = flags.version === undefined ? "" : `?version=${flags.version}`;
  const path = `/policies/${encodeURIComponent(name)}${query}`;
  const policy = await new FleetClient(flags).get<PolicyView>(path, isPolicy);
  printAnswer(command, flags, policy, documentOf);
}

function documentOf({ name, description, rules }: PolicyView): string {
  const told = description === null ? {} : { description };
  return JSON.stringify({ name, ...told, ...rules }, null, 2);
}

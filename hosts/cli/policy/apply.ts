import type { Command } from "commander";
import { isJsonObject } from "../../../src/protocol/json.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readJson } from "../command/files.ts";
import { printAnswer } from "../command/output.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isPolicy, type PolicyView } from "../server/fleet-views.ts";

interface ApplyFlags extends FleetFlags {
  readonly name?: string;
}

/** `sluice policy apply` */
export function registerPolicyApply(group: Command): void {
  withFleetFlags(
    group
      .command("apply")
      .description("Keep a policy as the next version of its name")
      .argument("<file>", "JSON: docs/rollouts.md tells the form")
      .option("--name <name>", "under this name; else the one in the file"),
  ).action(apply);
}

async function apply(file: string, flags: ApplyFlags, command: Command): Promise<void> {
  const document = readJson(file, "the policy");
  if (!isJsonObject(document)) throw new CommandError(`${file} is no JSON object`);
  const name = flags.name ?? document["name"];
  if (typeof name !== "string")
    throw new CommandError(
      `${file} has no name: give it one, as "name" or by --name`,
      exitCodes.usage,
    );
  const path = `/policies/${encodeURIComponent(name)}`;
  const policy = await new FleetClient(flags).put<PolicyView>(
    path,
    { ...document, name },
    isPolicy,
  );
  printAnswer(
    command,
    flags,
    policy,
    ({ name: its, version }) => `policy ${its}, version ${version}`,
  );
}

import type { Command } from "commander";
import type { KeyRole } from "../../release/keys/keyring.ts";
import { type FirstKeys, initialize, type TrustRole } from "../../release/trust/changes.ts";
import { lifeDaysDefault } from "../../release/trust/repository.ts";
import { CommandError } from "../command/exit.ts";
import { note } from "../command/output.ts";
import * as parse from "../options/options.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "../options/signer-options.ts";
import {
  addRepositoryOption,
  draftChange,
  publicKeyOf,
  type RepositoryFlags,
} from "./trust-options.ts";

interface InitFlags extends KeyringFlags, RepositoryFlags {
  readonly rootThreshold: number;
  readonly targetsThreshold: number;
  readonly rootDays: number;
  readonly targetsDays: number;
  readonly snapshotDays: number;
  readonly timestampDays: number;
}

/** `sluice trust init` */
export function registerTrustInit(group: Command): void {
  const days = parse.wholeNumber({ min: 1, max: 3650 });
  const count = parse.wholeNumber({ min: 1, max: 16 });
  const command = group
    .command("init")
    .description("Draft the first root and targets from the active keys of the keyring")
    .option("--root-threshold <n>", "root keys that must sign", count, 2)
    .option("--targets-threshold <n>", "targets keys that must sign", count, 1)
    .option("--root-days <n>", "how long a root is valid", days, lifeDaysDefault.root)
    .option("--targets-days <n>", "how long releases are", days, lifeDaysDefault.targets)
    .option("--snapshot-days <n>", "how long a snapshot is", days, lifeDaysDefault.snapshot)
    .option("--timestamp-days <n>", "how long a timestamp is", days, lifeDaysDefault.timestamp);
  addKeyringOptions(addRepositoryOption(command)).action(init);
}

async function init(flags: InitFlags, command: Command): Promise<void> {
  const keyring = openKeyring(flags);
  const of = (role: KeyRole) =>
    keyring.entries
      .filter((entry) => entry.role === role && entry.state === "active")
      .map(publicKeyOf);
  const keys = { root: of("root"), targets: of("targets"), online: of("online") };
  for (const role of ["root", "targets", "online"] as const) refuseTooFew(role, keys, flags);
  const first: FirstKeys = {
    keys,
    thresholds: { root: flags.rootThreshold, targets: flags.targetsThreshold, online: 1 },
    lifeDays: {
      root: flags.rootDays,
      targets: flags.targetsDays,
      snapshot: flags.snapshotDays,
      timestamp: flags.timestampDays,
    },
    now: Date.now(),
  };
  await draftChange(command, flags, (repository) => initialize(repository, first));
  note(command, 'sign them: "sluice trust sign --signer key:NAME", once for each key');
}

function refuseTooFew(role: TrustRole, keys: FirstKeys["keys"], flags: InitFlags): void {
  const needed = { root: flags.rootThreshold, targets: flags.targetsThreshold, online: 1 }[role];
  const there = keys[role].length;
  if (there >= needed) return;
  throw new CommandError(
    `${flags.keyring} has ${there} active ${role} keys and needs ${needed}; make one with "sluice keys create --role ${role} --name NAME"`,
  );
}

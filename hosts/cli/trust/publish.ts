import type { Command } from "commander";
import type {
  MissingAnswer,
  NewMetadataBody,
  TrustAnswer,
} from "../../fleet/routes/management/schemas/trust.ts";
import { fileOf, type TargetsDocument, type TrustDocument } from "../../release/trust/document.ts";
import { fileNameOf, type TrustRepository } from "../../release/trust/repository.ts";
import { verifyTrust } from "../../release/trust/verify.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { note, printJson } from "../command/output.ts";
import {
  type Checked,
  isFlag,
  isNumber,
  isText,
  listOf,
  orNull,
  partOf,
} from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { delegatedOf } from "./refresh.ts";
import { addRepositoryOption, openRepository, type RepositoryFlags } from "./trust-options.ts";

const isTrust = partOf<TrustAnswer>()({
  ready: isFlag,
  problem: orNull(isText),
  roles: listOf(partOf<TrustAnswer["roles"][number]>()({ role: isText, version: isNumber })),
});

type TrustView = Checked<typeof isTrust>;
type Answer = TrustView | MissingAnswer;

/** `sluice trust publish` */
export function registerTrustPublish(group: Command): void {
  const command = group
    .command("publish")
    .description("Give what the offline keys signed, and its files, to a fleet server");
  withFleetFlags(addRepositoryOption(command)).action(publish);
}

async function publish(flags: FleetFlags & RepositoryFlags, command: Command): Promise<void> {
  const repository = openRepository(flags);
  const { roots, targets } = repository;
  const delegated = delegatedOf(repository);
  const set = { roots, targets, delegated, snapshot: null, timestamp: null };
  const [problem] = verifyTrust(set, Date.now()).problems;
  if (problem !== undefined)
    throw new CommandError(
      `devices would refuse it: ${problem.role}: ${problem.problem}`,
      exitCodes.negative,
    );
  const client = new FleetClient(flags);
  const served = await client.get("/trust", isTrust);
  const documents = newDocuments(repository, [...delegated.values()], served);
  const { snapshot, timestamp } = repository.lifeDays;
  const body: NewMetadataBody = { documents, lifeDays: { snapshot, timestamp } };
  const first = await client.postFor<Answer>("/trust/metadata", body, [409]);
  const missing = "missing" in first ? first.missing : [];
  for (const { name, sha256 } of missing) {
    const bytes = repository.target(name, sha256);
    if (bytes === null)
      throw new CommandError(`the file of ${name} is not in ${flags.repository}; restore it`);
    await client.postBytes(`/trust/targets?sha256=${sha256}`, bytes);
    note(command, `sent ${name}: ${bytes.length} bytes`);
  }
  const view = (
    missing.length === 0 ? first : await client.post<Answer>("/trust/metadata", body)
  ) as TrustView;
  if (flags.json === true) printJson(command, view);
  else for (const { role, version } of view.roles) note(command, `${role} version ${version}`);
  if (!view.ready) note(command, `warning: ${view.problem ?? "the server has no root"}`);
}

/** The roots that the server does not have, and the current documents of the other roles. */
function newDocuments(
  repository: TrustRepository,
  delegated: readonly TargetsDocument[],
  served: TrustView,
): Record<string, string> {
  const rootVersion = served.roles.find(({ role }) => role === "root")?.version ?? 0;
  const roots = repository.roots.filter(({ signed }) => signed.version > rootVersion);
  const { targets } = repository;
  const documents: TrustDocument[] = [...roots, ...(targets === null ? [] : [targets])];
  return Object.fromEntries(
    [...documents, ...delegated].map((one) => [fileNameOf(one), fileOf(one).toString("utf8")]),
  );
}

import type { Command } from "commander";
import type { TargetsDocument } from "../../release/trust/document.ts";
import { describeExpiry, type Expiry } from "../../release/trust/expiry.ts";
import type { TrustRepository } from "../../release/trust/repository.ts";
import { isTargetFile, type TrustProblem, verifyTrust } from "../../release/trust/verify.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { note, print, printJson } from "../command/output.ts";
import { formatTable } from "../command/table.ts";
import { delegatedOf } from "./refresh.ts";
import {
  addRepositoryOption,
  describeDraft,
  openRepository,
  type RepositoryFlags,
} from "./trust-options.ts";

/** `sluice trust verify` */
export function registerTrustVerify(group: Command): void {
  const command = group
    .command("verify")
    .description("Check everything that is signed as a device will; ends with 0 or 1")
    .option("--json", "as JSON");
  addRepositoryOption(command).action(verify);
}

function verify(flags: RepositoryFlags & { json?: true }, command: Command): void {
  const repository = openRepository(flags);
  const delegated = delegatedOf(repository);
  const { roots, targets } = repository;
  const report = verifyTrust(
    {
      roots,
      targets,
      delegated,
      snapshot: repository.current("snapshot"),
      timestamp: repository.current("timestamp"),
    },
    Date.now(),
  );
  const problems = [...report.problems, ...fileProblems(repository, delegated)];
  const drafts = repository.drafts.map((draft) => describeDraft(repository, draft));
  if (flags.json === true) printJson(command, { problems, roles: report.roles, drafts });
  else {
    if (report.roles.length > 0) print(command, tableOf(report.roles));
    for (const expiry of report.roles) {
      const line = describeExpiry(expiry);
      if (line !== "") note(command, `warning: ${line}`);
    }
    for (const draft of drafts) note(command, `draft: ${draft}`);
  }
  if (problems.length === 0) return;
  const lines = problems.map(({ role, problem }) => `${role}: ${problem}`);
  throw new CommandError(lines.join("\nsluice: "), exitCodes.negative);
}

/** Files that targets name and that are not here as they were signed. */
function fileProblems(
  repository: TrustRepository,
  delegated: ReadonlyMap<string, TargetsDocument>,
): TrustProblem[] {
  const problems: TrustProblem[] = [];
  for (const [role, { signed }] of delegated)
    for (const [name, target] of Object.entries(signed.targets)) {
      const bytes = repository.target(name, target.hashes.sha256);
      if (bytes === null) problems.push({ role, problem: `the file of ${name} is missing` });
      else if (!isTargetFile(bytes, target))
        problems.push({ role, problem: `the file of ${name} is not the one that was signed` });
    }
  return problems;
}

function tableOf(roles: readonly Expiry[]): string {
  return formatTable<Expiry>(
    [
      { title: "role", text: ({ role }) => role },
      { title: "version", align: "right", text: ({ version }) => String(version) },
      { title: "expires", text: ({ expiresUnixMs }) => new Date(expiresUnixMs).toISOString() },
      { title: "left", align: "right", text: ({ lifeLeftPercent }) => `${lifeLeftPercent} %` },
    ],
    roles,
  );
}

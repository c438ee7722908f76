import type { Command } from "commander";
import { renew } from "../../release/trust/changes.ts";
import type { TargetsDocument } from "../../release/trust/document.ts";
import { expiryLevel } from "../../release/trust/expiry.ts";
import { signOnline } from "../../release/trust/online.ts";
import type { TrustRepository } from "../../release/trust/repository.ts";
import { CommandError } from "../command/exit.ts";
import { note } from "../command/output.ts";
import {
  addSignerOptions,
  type OpenKey,
  openMetadataSigners,
  reportingSigners,
  type SignerFlags,
  signersFor,
} from "../options/signer-options.ts";
import {
  addRepositoryOption,
  changeRepository,
  draftChange,
  openRepository,
  type RepositoryFlags,
} from "./trust-options.ts";

type RefreshFlags = SignerFlags & RepositoryFlags & { readonly always?: true; readonly due?: true };

/** `sluice trust refresh` */
export function registerTrustRefresh(group: Command): void {
  const command = group
    .command("refresh")
    .description(
      "Sign snapshot and timestamp with the online key where they are due; or draft roles anew",
    )
    .argument("[roles...]", "root, targets or delegated roles to draft with a new life")
    .option("--due", "draft all of them of whose life less than half is left")
    .option("--always", "sign them even when they are good for longer");
  addSignerOptions(addRepositoryOption(command)).action(refresh);
}

async function refresh(
  roles: readonly string[],
  flags: RefreshFlags,
  command: Command,
): Promise<void> {
  if (roles.length > 0 || flags.due === true)
    return draftChange(command, flags, (repository) => {
      const wanted = flags.due === true ? [...new Set([...roles, ...dueRoles(repository)])] : roles;
      if (wanted.length === 0) note(command, "every role has more than half of its life left");
      return renew(repository, wanted, Date.now());
    });
  signedOffline(openRepository(flags)); // before anybody is asked for a passphrase
  const keys = await openMetadataSigners(flags);
  if (keys.length === 0)
    throw new CommandError("give the online key: --signer key:NAME, or --key PEM", 2);
  await changeRepository(flags, "refresh", (repository) =>
    refreshOnline(repository, keys, flags, command),
  );
}

function signedOffline({ root, targets }: TrustRepository) {
  if (root !== null && targets !== null) return { root, targets };
  throw new CommandError("root and targets have to be signed first; see the drafts with verify");
}

async function refreshOnline(
  repository: TrustRepository,
  keys: readonly OpenKey[],
  flags: RefreshFlags,
  command: Command,
): Promise<void> {
  const result = await reportingSigners(() =>
    signOnline(
      {
        ...signedOffline(repository),
        delegated: delegatedOf(repository),
        snapshot: repository.current("snapshot"),
        timestamp: repository.current("timestamp"),
      },
      {
        signersFor: (purpose) => signersFor(keys, purpose),
        now: Date.now(),
        lifeDays: repository.lifeDays,
        always: flags.always === true,
      },
    ),
  );
  if (!result.ok) throw new CommandError(result.message);
  // The snapshot first: a timestamp must never name one that is not there.
  if (result.signed.includes("snapshot")) repository.publish(result.snapshot);
  if (result.signed.includes("timestamp")) repository.publish(result.timestamp);
  for (const role of ["snapshot", "timestamp"] as const) {
    const { version, expires } = result[role].signed;
    const news = result.signed.includes(role) ? "signed" : "still good";
    note(command, `${role} version ${version} is ${news}, valid to ${expires}`);
  }
}

/** The offline roles that are not good any more, but for those that are drafted already. */
function dueRoles(repository: TrustRepository): string[] {
  return ["root", "targets", ...repository.delegatedRoles].filter((role) => {
    const document = repository.draft(role) === null ? repository.current(role) : null;
    return document !== null && expiryLevel(document, Date.now()).level !== "good";
  });
}

/** The signed documents of all delegated roles. */
export function delegatedOf(repository: TrustRepository): Map<string, TargetsDocument> {
  const delegated = new Map<string, TargetsDocument>();
  for (const role of repository.delegatedRoles) {
    const document = repository.current(role);
    if (document !== null) delegated.set(role, document as TargetsDocument);
  }
  return delegated;
}

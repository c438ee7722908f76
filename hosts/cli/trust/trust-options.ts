import { type Command, InvalidArgumentError } from "commander";
import { type KeyringEntry, keyRoles } from "../../release/keys/keyring.ts";
import { pointOfPem, sha256 } from "../../release/keys/signer.ts";
import {
  type ChangeResult,
  type PublicKey,
  type TrustRole,
  trustRoles,
} from "../../release/trust/changes.ts";
import {
  expiryOf,
  payloadOf,
  type RootDocument,
  type TargetsDocument,
  type TrustDocument,
} from "../../release/trust/document.ts";
import { TrustRepository } from "../../release/trust/repository.ts";
import { rolesFor, type SignedDraft } from "../../release/trust/signing.ts";
import { environmentError } from "../command/environment-error.ts";
import { CommandError } from "../command/exit.ts";
import { isFolder } from "../command/files.ts";
import { note } from "../command/output.ts";
import { configured } from "../options/configuration.ts";
import { type KeyringFlags, openKeyring } from "../options/signer-options.ts";

export interface RepositoryFlags {
  readonly repository: string;
}

/** `--repository`, which may also come from the environment. */
export function addRepositoryOption(command: Command): Command {
  const folder = configured("SLUICE_TRUST", ({ trust }) => trust) ?? "trust";
  return command.option(
    "--repository <folder>",
    "folder of the signed metadata; else SLUICE_TRUST",
    folder,
  );
}

export function openRepository(flags: RepositoryFlags): TrustRepository {
  const opened = TrustRepository.open(flags.repository);
  if (!opened.ok) throw new CommandError(opened.message);
  return opened.repository;
}

/** Does the work on the repository while no other command changes it. */
export async function changeRepository<T>(
  { repository: folder }: RepositoryFlags,
  purpose: string,
  work: (repository: TrustRepository) => T | Promise<T>,
): Promise<T> {
  // A folder that was mistyped must not come to be.
  if (purpose !== "init" && !isFolder(folder))
    throw new CommandError(`${folder} has no root; run "sluice trust init" first`);
  try {
    return await TrustRepository.change(folder, `sluice trust ${purpose}`, (opened) => {
      if (!opened.ok) throw new CommandError(opened.message);
      return work(opened.repository);
    });
  } catch (error) {
    throw environmentError(error);
  }
}

/** Drafts a change, and tells what waits for signatures. */
export function draftChange(
  command: Command,
  flags: RepositoryFlags,
  change: (repository: TrustRepository) => ChangeResult,
): Promise<void> {
  return changeRepository(flags, command.name(), (repository) =>
    tellDrafts(command, repository, change(repository)),
  );
}

/** Parses a role that people give keys to. */
export function trustRole(text: string): TrustRole {
  const found = trustRoles.find((role) => role === text);
  if (found === undefined)
    throw new InvalidArgumentError(`Must be one of ${trustRoles.join(", ")}.`);
  return found;
}

/** A key of the keyring by its name, for the role it was made for. */
export function namedKey(name: string, role: TrustRole, flags: KeyringFlags): PublicKey {
  const found = openKeyring(flags).find(name);
  if (!found.ok) throw new CommandError(found.message);
  const { entry } = found;
  if (entry.role !== role)
    throw new CommandError(
      `the key "${name}" is for ${entry.role}, not for ${role}; roles are ${keyRoles.join(", ")}`,
    );
  return publicKeyOf(entry);
}

export function publicKeyOf(entry: KeyringEntry): PublicKey {
  const publicKey = pointOfPem(entry.publicPem);
  if (publicKey === null) throw new TypeError("a keyring holds P-256 keys only");
  return { keyId: entry.keyId, publicKey };
}

/** Ends the command when a change was refused; else tells what waits for signatures. */
export function tellDrafts(
  command: Command,
  repository: TrustRepository,
  result: ChangeResult,
): void {
  if (!result.ok) throw new CommandError(result.message);
  for (const role of result.drafts) {
    const draft = repository.draft(role);
    if (draft !== null) note(command, `draft: ${describeDraft(repository, draft)}`);
  }
}

/** "root version 2, 1 of 2 signatures: keys ..., valid to 2027-01-01". */
export function describeDraft(repository: TrustRepository, draft: TrustDocument): string {
  const until = new Date(expiryOf(draft)).toISOString().slice(0, 10);
  const needs = rolesFor(repository, draft)
    .map(({ keyids, threshold }) => {
      const given = draft.signatures.filter(({ keyid }) => keyids.includes(keyid)).length;
      return `${given} of ${threshold} signatures`;
    })
    .join(", and of its own keys ");
  const { version } = draft.signed;
  return `${draft.role} version ${version}, ${needs}; ${contentOf(draft)}; valid to ${until}`;
}

/** What a signer ought to know before signing. */
export function contentOf(draft: TrustDocument): string {
  if (draft.role === "root") {
    const { roles } = (draft as RootDocument).signed;
    const of = (role: "root" | "targets" | "timestamp"): string =>
      `${roles[role].threshold} of ${roles[role].keyids.length}`;
    return `keys: root ${of("root")}, targets ${of("targets")}, online ${of("timestamp")}`;
  }
  const { targets, delegations } = (draft as TargetsDocument).signed;
  const names = Object.keys(targets);
  const roles = delegations?.roles.map(({ name }) => name) ?? [];
  const list = names.length > 8 ? `${names.slice(0, 8).join(", ")}, ...` : names.join(", ");
  const delegated = roles.length === 0 ? "" : `; delegates to ${roles.join(", ")}`;
  return `${names.length} targets${list === "" ? "" : `: ${list}`}${delegated}`;
}

/** The SHA-256 that gets signed, for comparing on another screen. */
export function payloadDigest(draft: TrustDocument): string {
  return sha256(payloadOf(draft)).toString("hex");
}

export function tellSigned(
  command: Command,
  repository: TrustRepository,
  told: readonly SignedDraft[],
): void {
  for (const { role, version, isPublished } of told) {
    const draft = repository.draft(role);
    if (isPublished || draft === null) note(command, `${role} version ${version} counts now`);
    else note(command, `waits: ${describeDraft(repository, draft)}`);
  }
}

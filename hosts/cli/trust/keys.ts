import type { Command } from "commander";
import { addKey, removeKey, setThreshold, type TrustRole } from "../../release/trust/changes.ts";
import * as parse from "../options/options.ts";
import { addKeyringOptions, type KeyringFlags } from "../options/signer-options.ts";
import {
  addRepositoryOption,
  draftChange,
  namedKey,
  type RepositoryFlags,
  trustRole,
} from "./trust-options.ts";

type KeyFlags = RepositoryFlags & KeyringFlags;

/** `sluice trust add-key`, `remove-key` and `set-threshold`: each drafts the next root. */
export function registerTrustKeys(group: Command): void {
  const changes = [
    ["add-key", "Draft a root in which a key of the keyring counts for a role", addKeyOf],
    ["remove-key", "Draft a root in which a key does not count for a role any more", removeKeyOf],
  ] as const;
  for (const [name, description, change] of changes) {
    const command = group
      .command(name)
      .description(description)
      .argument("<role>", "root, targets or online", trustRole)
      .argument("<name>", "the key, by its name in the keyring");
    addKeyringOptions(addRepositoryOption(command)).action(change);
  }
  const threshold = group
    .command("set-threshold")
    .description("Draft a root in which so many keys of a role must sign")
    .argument("<role>", "root, targets or online", trustRole)
    .argument("<n>", "how many", parse.wholeNumber({ min: 1, max: 16 }));
  addRepositoryOption(threshold).action(
    (role: TrustRole, count: number, flags: RepositoryFlags, self: Command) =>
      draftChange(self, flags, (repository) => setThreshold(repository, role, count, Date.now())),
  );
}

function addKeyOf(role: TrustRole, name: string, flags: KeyFlags, self: Command): Promise<void> {
  const key = namedKey(name, role, flags);
  return draftChange(self, flags, (repository) => addKey(repository, role, key, Date.now()));
}

function removeKeyOf(role: TrustRole, name: string, flags: KeyFlags, self: Command): Promise<void> {
  const { keyId } = namedKey(name, role, flags);
  return draftChange(self, flags, (repository) => removeKey(repository, role, keyId, Date.now()));
}

import { InvalidArgumentError } from "commander";
import {
  type KeyRole,
  Keyring,
  type KeyringChange,
  type KeyringEntry,
  keyRoles,
} from "../../release/keys/keyring.ts";
import { environmentError } from "../command/environment-error.ts";
import { CommandError } from "../command/exit.ts";
import type { KeyringFlags } from "../options/signer-options.ts";

/** Parses a `--role`. */
export function keyRole(text: string): KeyRole {
  const found = keyRoles.find((role) => role === text);
  if (found === undefined) throw new InvalidArgumentError(`Must be one of ${keyRoles.join(", ")}.`);
  return found;
}

/**
 * Changes the keyring while no other command can, and answers the entry that the change is about.
 * A refusal ends the command.
 */
export async function changeKeyring(
  { keyring: folder }: KeyringFlags,
  purpose: string,
  change: (keyring: Keyring) => KeyringChange,
): Promise<KeyringEntry> {
  try {
    const changed = await Keyring.change(folder, purpose, change);
    if (changed.ok) return changed.entry;
    throw new CommandError(changed.message);
  } catch (error) {
    throw environmentError(error, `cannot change the keyring ${folder}`);
  }
}

import { InvalidArgumentError } from "commander";
import {
  type KeyRole,
  type Keyring,
  type KeyringEntry,
  type KeyringResult,
  keyRoles,
} from "../release/keys/keyring.ts";
import { CommandError } from "./exit.ts";

/** Parses a `--role`. */
export function keyRole(text: string): KeyRole {
  const found = keyRoles.find((role) => role === text);
  if (found === undefined) throw new InvalidArgumentError(`Must be one of ${keyRoles.join(", ")}.`);
  return found;
}

/** Makes a change, writes the keyring down, and answers the entry. Failures end the command. */
export function storeKey(
  change: () => KeyringResult<{ readonly keyring: Keyring; readonly entry: KeyringEntry }>,
): KeyringEntry {
  try {
    const made = change();
    if (!made.ok) throw new CommandError(made.message);
    made.keyring.save();
    return made.entry;
  } catch (error) {
    throw asCommandError(error);
  }
}

/** Writes a changed keyring down. */
export function storeKeyring(keyring: Keyring): void {
  try {
    keyring.save();
  } catch (error) {
    throw asCommandError(error);
  }
}

/** An error of the file system is the user's to know; every other one is a defect. */
function asCommandError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined || error instanceof CommandError
    ? error
    : new CommandError(`cannot write the keyring: ${message}`);
}

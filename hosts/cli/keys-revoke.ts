import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { storeKeyring } from "./keyring-changes.ts";
import { note } from "./output.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "./signer-options.ts";

/** `sluice keys revoke` */
export function registerKeysRevoke(program: Command): void {
  const command = commandGroup(program, "keys", "Make, keep and replace the keys that sign")
    .command("revoke")
    .description("Never sign with a key again: it was lost or stolen")
    .argument("<name>", "the key")
    .requiredOption("--reason <text>", "what happened, for the record");
  addKeyringOptions(command).action(revoke);
}

function revoke(name: string, flags: KeyringFlags & { reason: string }, command: Command): void {
  const keyring = openKeyring(flags);
  const found = keyring.find(name);
  if (!found.ok) throw new CommandError(found.message);
  const { state, role } = found.entry;
  if (state === "revoked") throw new CommandError(`the key "${name}" is revoked already`);
  if (flags.reason.trim() === "") throw new CommandError("--reason is empty", exitCodes.usage);
  storeKeyring(keyring.withEntry(name, { state: "revoked", reason: flags.reason }));
  note(command, `${name} signs nothing any more`);
  note(
    command,
    role === "image"
      ? "bootloaders go on accepting it: docs/keys.md says what can be done and what cannot"
      : `devices refuse it once they have the root of "sluice trust remove-key ${role} ${name}"`,
  );
}

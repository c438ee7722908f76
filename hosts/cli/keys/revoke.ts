import type { Command } from "commander";
import { CommandError, exitCodes } from "../command/exit.ts";
import { note } from "../command/output.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "../options/signer-options.ts";
import { changeKeyring } from "./keyring-changes.ts";

/** `sluice keys revoke` */
export function registerKeysRevoke(group: Command): void {
  const command = group
    .command("revoke")
    .description("Never sign with a key again: it was lost or stolen")
    .argument("<name>", "the key")
    .requiredOption("--reason <text>", "what happened, for the record");
  addKeyringOptions(command).action(revoke);
}

async function revoke(
  name: string,
  flags: KeyringFlags & { reason: string },
  command: Command,
): Promise<void> {
  if (flags.reason.trim() === "") throw new CommandError("--reason is empty", exitCodes.usage);
  const found = openKeyring(flags).find(name); // a keyring that has no such key is not touched
  if (!found.ok) throw new CommandError(found.message);
  const { role } = await changeKeyring(flags, "sluice keys revoke", (keyring) =>
    keyring.revoke(name, flags.reason),
  );
  note(command, `${name} signs nothing any more`);
  note(
    command,
    role === "image"
      ? "bootloaders go on accepting it: docs/keys.md says what can be done and what cannot"
      : `devices refuse it once they have the root of "sluice trust remove-key ${role} ${name}"`,
  );
}

import type { Command } from "commander";
import type { KeyRole } from "../../release/keys/keyring.ts";
import { CommandError } from "../command/exit.ts";
import { note, print } from "../command/output.ts";
import { newPassphrase } from "../options/passphrase.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "../options/signer-options.ts";
import { changeKeyring } from "./keyring-changes.ts";

/** `sluice keys rotate` */
export function registerKeysRotate(group: Command): void {
  const command = group
    .command("rotate")
    .description("Make the successor of a key; the old one may still sign its own replacement")
    .argument("<name>", "the key to replace")
    .requiredOption("--as <name>", "the name of its successor");
  addKeyringOptions(command).action(rotate);
}

async function rotate(
  name: string,
  flags: KeyringFlags & { as: string },
  command: Command,
): Promise<void> {
  const keyring = openKeyring(flags);
  const found = keyring.find(name);
  if (!found.ok) throw new CommandError(found.message);
  const { role } = found.entry;
  // A rotation that was interrupted may have left the successor there already.
  const passphrase = keyring.find(flags.as).ok
    ? ""
    : await newPassphrase(flags, `a passphrase for ${flags.as}`);
  const entry = await changeKeyring(flags, "sluice keys rotate", (current) =>
    current.rotate(name, flags.as, Date.now(), passphrase),
  );
  note(command, `${flags.as} is there and ${name} is retired`);
  note(command, nextStep(role, name, flags.as));
  print(command, entry.keyId);
}

function nextStep(role: KeyRole, old: string, successor: string): string {
  if (role === "image")
    return "bootloaders know only the keys that they were built with: see docs/keys.md before you sign with it";
  return `devices learn of it by "sluice trust add-key ${role} ${successor}" and "sluice trust remove-key ${role} ${old}"`;
}

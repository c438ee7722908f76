import type { Command } from "commander";
import { decryptPrivateKey, isEncryptedPem } from "../../release/keys/encrypted-key.ts";
import { publicHalf, publicPemFromPem, publicPemOfKey } from "../../release/pem-keys.ts";
import { CommandError } from "../command/exit.ts";
import { readText, writeResult } from "../command/files.ts";
import { print } from "../command/output.ts";
import { readPassphrase } from "../options/passphrase.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "../options/signer-options.ts";
import { unusableKey } from "../options/signing-keys.ts";

interface PublicFlags extends KeyringFlags {
  readonly out?: string;
}

/** `sluice keys public` */
export function registerKeysPublic(group: Command): void {
  const command = group
    .command("public")
    .description("Show the public half of a key as PEM: what the bootloader is built with")
    .argument("<key>", "a private or public PEM, or key:NAME of the keyring")
    .option("--out <file>", "write it to a file instead of stdout");
  addKeyringOptions(command).action(show);
}

async function show(key: string, flags: PublicFlags, command: Command): Promise<void> {
  const pem = key.startsWith("key:") ? named(key.slice(4), flags) : await ofFile(key, flags);
  if (flags.out === undefined) print(command, pem.trimEnd());
  else writeResult(flags.out, pem);
}

function named(name: string, flags: PublicFlags): string {
  const found = openKeyring(flags).find(name);
  if (!found.ok) throw new CommandError(found.message);
  return found.entry.publicPem;
}

async function ofFile(file: string, flags: PublicFlags): Promise<string> {
  const pem = readText(file, "the key");
  if (isEncryptedPem(pem)) {
    const key = decryptPrivateKey(pem, await readPassphrase(flags, `the passphrase of ${file}`));
    if (key === null)
      throw new CommandError(`the passphrase does not open ${file}, or it is damaged`);
    const half = publicHalf(key);
    if (half === null) throw unusableKey(file, "not-p256");
    return publicPemOfKey(half);
  }
  const found = publicPemFromPem(pem);
  if (!found.ok) throw unusableKey(file, found.reason);
  return found.publicPem;
}

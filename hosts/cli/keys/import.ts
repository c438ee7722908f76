import { createPrivateKey, type KeyObject } from "node:crypto";
import type { Command } from "commander";
import { parseSignerAddress } from "../../release/keys/address.ts";
import { decryptPrivateKey, isEncryptedPem } from "../../release/keys/encrypted-key.ts";
import { pkcs11PublicKey } from "../../release/keys/external-signer.ts";
import type { KeyRole, KeyringEntry } from "../../release/keys/keyring.ts";
import { signerFromKey } from "../../release/pem-keys.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readText } from "../command/files.ts";
import { note, print } from "../command/output.ts";
import { newPassphrase, readPassphrase } from "../options/passphrase.ts";
import {
  addKeyringOptions,
  type KeyringFlags,
  openKeyring,
  reportingSigners,
} from "../options/signer-options.ts";
import { readPublicPoint, refuseWithoutPrivateKey } from "../options/signing-keys.ts";
import { changeKeyring, keyRole } from "./keyring-changes.ts";

interface ImportFlags extends KeyringFlags {
  readonly name: string;
  readonly role: KeyRole;
  readonly file?: string;
  readonly signer?: string;
  readonly public?: string;
}

/** `sluice keys import` */
export function registerKeysImport(group: Command): void {
  const command = group
    .command("import")
    .description(
      "Add a key that exists: a file, one in a token or behind a command, or a public one",
    )
    .requiredOption("--name <name>", "its name in the keyring, such as root-2")
    .requiredOption("--role <role>", "root, targets, online or image", keyRole)
    .option("--file <pem>", "a private key; its copy in the keyring is encrypted")
    .option("--signer <address>", "where the private key stays: pkcs11:URI or exec:COMMAND")
    .option("--public <pem>", "the public key: alone, when somebody else holds the private one");
  addKeyringOptions(command).action(importKey);
}

async function importKey(flags: ImportFlags, command: Command): Promise<void> {
  if (flags.file !== undefined && (flags.signer !== undefined || flags.public !== undefined))
    throw new CommandError("give --file alone, or --signer and --public", exitCodes.usage);
  const entry =
    flags.file === undefined ? await importPublic(flags) : await importPrivate(flags.file, flags);
  note(command, `${entry.name} is in ${flags.keyring} for ${entry.role}`);
  print(command, entry.keyId);
}

async function importPrivate(file: string, flags: ImportFlags): Promise<KeyringEntry> {
  const key = await readPrivateKey(readText(file, "the key"), file, flags);
  if (!signerFromKey(key).ok)
    throw new CommandError(`${file} is no ECDSA P-256 key, the only kind that devices verify`);
  refuseName(flags);
  const passphrase = await newPassphrase(flags, `a passphrase for ${flags.name}`);
  const { name, role } = flags;
  return changeKeyring(flags, "sluice keys import", (keyring) =>
    keyring.addPrivate({ name, role, now: Date.now() }, key, passphrase),
  );
}

async function readPrivateKey(pem: string, file: string, flags: ImportFlags): Promise<KeyObject> {
  if (isEncryptedPem(pem)) {
    const key = decryptPrivateKey(pem, await readPassphrase(flags, `the passphrase of ${file}`));
    if (key !== null) return key;
    throw new CommandError(`the passphrase does not open ${file}, or it is damaged`);
  }
  refuseWithoutPrivateKey("--file", file, pem);
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL tells only which of its parsers gave up last.
    throw new CommandError(`${file} is no private key in PEM that can be read`);
  }
}

async function importPublic(flags: ImportFlags): Promise<KeyringEntry> {
  const { name, role, signer = null } = flags;
  const publicKey = await reportingSigners(() => publicKeyOf(flags));
  refuseName(flags);
  return changeKeyring(flags, "sluice keys import", (keyring) =>
    keyring.addPublic({ name, role, publicKey, signer, now: Date.now() }),
  );
}

/** Before anything is asked for or made. */
function refuseName(flags: ImportFlags): void {
  const problem = openKeyring(flags).problemOf(flags.name);
  if (problem !== null) throw new CommandError(problem.message);
}

async function publicKeyOf(flags: ImportFlags): Promise<Uint8Array> {
  const parsed = flags.signer === undefined ? null : parseSignerAddress(flags.signer);
  if (parsed !== null && !parsed.ok)
    throw new CommandError(`--signer: ${parsed.message}`, exitCodes.usage);
  const address = parsed?.address ?? null;
  if (address !== null && address.kind !== "pkcs11" && address.kind !== "command")
    throw new CommandError("--signer takes pkcs11: or exec: here; --file imports files", 2);
  if (flags.public === undefined) {
    if (address?.kind === "pkcs11") return pkcs11PublicKey(address);
    throw new CommandError("give --public PEM, the public half of the key", exitCodes.usage);
  }
  return readPublicPoint("--public", flags.public);
}

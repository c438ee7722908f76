import { createPrivateKey } from "node:crypto";
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { encryptPrivateKey } from "../../release/keys/encrypted-key.ts";
import type { KeyRole } from "../../release/keys/keyring.ts";
import { createKeyPair } from "../../release/pem-keys.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { writeNew, writeResult } from "../command/files.ts";
import { note, print } from "../command/output.ts";
import { newPassphrase } from "../options/passphrase.ts";
import { addKeyringOptions, type KeyringFlags, openKeyring } from "../options/signer-options.ts";
import { changeKeyring, keyRole } from "./keyring-changes.ts";

interface CreateFlags extends KeyringFlags {
  readonly out?: string;
  readonly encrypt?: true;
  readonly public?: string;
  readonly name?: string;
  readonly role?: KeyRole;
}

/** `sluice keys create` */
export function registerKeysCreate(group: Command): void {
  const command = group
    .command("create")
    .description("Make a P-256 key: in the keyring, or as a file of its own with --out")
    .option("--name <name>", "its name in the keyring, such as root-1")
    .option("--role <role>", "root, targets, online or image", keyRole)
    .option("--out <file>", "a file instead: PKCS#8 PEM, readable by you alone, never overwritten")
    .option("--encrypt", "encrypt that file with a passphrase; keys of the keyring always are")
    .option("--public <file>", "also write the public key, SubjectPublicKeyInfo PEM");
  addKeyringOptions(command).action(create);
}

async function create(flags: CreateFlags, command: Command): Promise<void> {
  if (flags.out !== undefined) return createFile(flags.out, flags, command);
  const { name, role } = flags;
  if (name === undefined || role === undefined)
    throw new CommandError(
      "give --name and --role for a key of the keyring, or --out for a file of its own",
      exitCodes.usage,
    );
  const problem = openKeyring(flags).problemOf(name); // before anybody is asked for a passphrase
  if (problem !== null) throw new CommandError(problem.message);
  const passphrase = await newPassphrase(flags, `a passphrase for ${name}`);
  const entry = await changeKeyring(flags, "sluice keys create", (keyring) =>
    keyring.create({ name, role, now: Date.now() }, passphrase),
  );
  if (flags.public !== undefined) writeResult(flags.public, entry.publicPem);
  note(command, `${name} is in ${flags.keyring} for ${role}; keep a copy of the folder elsewhere`);
  print(command, entry.keyId);
}

async function createFile(out: string, flags: CreateFlags, command: Command): Promise<void> {
  if (flags.name !== undefined || flags.role !== undefined)
    throw new CommandError("--out makes a file, --name and --role a key of the keyring", 2);
  const pair = createKeyPair();
  const encrypts =
    flags.encrypt === true ||
    flags.passphraseFile !== undefined ||
    flags.passphraseEnv !== undefined;
  const text = encrypts
    ? encryptPrivateKey(
        createPrivateKey(pair.privatePem),
        await newPassphrase(flags, `a passphrase for ${out}`),
      )
    : pair.privatePem;
  // The public half first: a key of which nobody has told must not be left behind.
  if (flags.public !== undefined) {
    refuseTaken(out);
    writeResult(flags.public, pair.publicPem);
  }
  writeNew(out, text, 0o600);
  note(command, `private key in ${out}; keep it off the machines that serve devices`);
  if (!encrypts) note(command, "it is not encrypted: --encrypt asks for a passphrase");
  if (flags.public === undefined) print(command, pair.publicPem.trimEnd());
}

/** Before a public half is written that could be that of no key. */
function refuseTaken(out: string): void {
  if (existsSync(out))
    throw new CommandError(
      `cannot create ${out}: it exists and is not overwritten; choose another name or move it away`,
    );
}

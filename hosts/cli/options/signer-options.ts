import { dirname, join } from "node:path";
import type { Command } from "commander";
import { parseSignerAddress, type SignerAddress } from "../../release/keys/address.ts";
import { AuditLog, AuditLogUnwritableError, recordedSigner } from "../../release/keys/audit-log.ts";
import { Keyring, type KeyringEntry } from "../../release/keys/keyring.ts";
import { openSigner } from "../../release/keys/open-signer.ts";
import { pointOfPem, type Signer, SignerError } from "../../release/keys/signer.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { makeFolder } from "../command/files.ts";
import { configured } from "./configuration.ts";
import * as parse from "./options.ts";
import { addPassphraseOptions, type PassphraseFlags, readPassphrase } from "./passphrase.ts";
import { readPublicPoint } from "./signing-keys.ts";

export interface KeyringFlags extends PassphraseFlags {
  readonly keyring: string;
}

export interface SignerFlags extends KeyringFlags {
  /** Private keys in files. */
  readonly key: readonly string[];
  /** Addresses of any kind. */
  readonly signer: readonly string[];
  /** Public keys of those signers that cannot tell theirs, in the order of the signers. */
  readonly signerPublic: readonly string[];
  readonly auditLog?: string;
}

/** A signer and the log that is told of each of its uses. */
export interface OpenKey {
  readonly signer: Signer;
  readonly log: AuditLog;
}

/** `--keyring`, which may also come from the environment, and the passphrase options. */
export function addKeyringOptions(command: Command): Command {
  const folder = configured("SLUICE_KEYRING", ({ keyring }) => keyring) ?? "keys";
  command.option("--keyring <folder>", "folder of the keys; else SLUICE_KEYRING", folder);
  return addPassphraseOptions(command);
}

/** Everything by which a command finds the keys that it signs with. */
export function addSignerOptions(command: Command): Command {
  const text = (value: string): string => value;
  command
    .option(
      "-k, --key <pem>",
      "private P-256 key; twice for two signatures",
      parse.collect(text),
      [],
    )
    .option(
      "--signer <address>",
      "key:NAME of the keyring, file:PEM, pkcs11:URI or exec:COMMAND; may be repeated",
      parse.collect(text),
      [],
    )
    .option(
      "--signer-public <pem>",
      "public key of an exec: signer; repeated in their order",
      parse.collect(text),
      [],
    )
    .option("--audit-log <file>", "told of every use; else audit.jsonl beside the key");
  return addKeyringOptions(command);
}

export function openKeyring(flags: KeyringFlags): Keyring {
  const opened = Keyring.open(flags.keyring);
  if (!opened.ok) throw new CommandError(opened.message);
  return opened.keyring;
}

/**
 * Opens every signer of an image that the flags name, in order: `--key` first. Keys of the keyring
 * that are for something else than images are refused.
 */
export function openImageSigners(flags: SignerFlags): Promise<OpenKey[]> {
  for (const address of addressesOf(flags))
    if (address.kind === "keyring") refuseOtherRole(address, flags);
  return openSigners(flags);
}

/** The same for metadata, whose own roles say which keys may sign; keys of images may not. */
export function openMetadataSigners(flags: SignerFlags): Promise<OpenKey[]> {
  for (const address of addressesOf(flags)) {
    const found = address.kind === "keyring" ? openKeyring(flags).find(address.name) : null;
    if (found?.ok === true && found.entry.role === "image")
      throw new CommandError(`the key "${found.entry.name}" is for images, not for metadata`);
  }
  return openSigners(flags);
}

async function openSigners(flags: SignerFlags): Promise<OpenKey[]> {
  return openAddresses(addressesOf(flags), flags, flags.signerPublic, "--signer-public");
}

async function openAddresses(
  addresses: readonly SignerAddress[],
  flags: KeyringFlags & { auditLog?: string },
  publicFiles: readonly string[],
  publicOption: string,
): Promise<OpenKey[]> {
  const publicPems = [...publicFiles];
  const opened: OpenKey[] = [];
  for (const address of addresses) {
    const isCommand = address.kind === "command";
    const file = isCommand ? publicPems.shift() : undefined;
    const given = file === undefined ? null : readPublicPoint(publicOption, file);
    opened.push(await openAddress(address, flags, given));
  }
  if (publicPems.length > 0)
    throw new CommandError(`${publicOption} is given without an exec: signer`, exitCodes.usage);
  return opened;
}

function addressesOf(flags: SignerFlags): SignerAddress[] {
  const files = flags.key.map((path): SignerAddress => ({ kind: "file", path }));
  return [...files, ...flags.signer.map(addressOf)];
}

/** Opens signers by their addresses, for a program that keeps them and a log of its own. */
export async function openSignersAt(
  addresses: readonly string[],
  flags: KeyringFlags,
  publicFiles: readonly string[],
): Promise<Signer[]> {
  const parsed = addresses.map(addressOf);
  const opened = await openAddresses(parsed, flags, publicFiles, "--online-key-public");
  return opened.map(({ signer }) => signer);
}

/** The signers for one purpose, which stands in the audit log. */
export function signersFor(keys: readonly OpenKey[], purpose: string): Signer[] {
  return keys.map(({ signer, log }) => recordedSigner(signer, log, purpose));
}

/** Lets the failures of tokens, commands and the audit log end the command as expected failures. */
export async function reportingSigners<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SignerError) throw new CommandError(error.message);
    if (error instanceof AuditLogUnwritableError)
      throw new CommandError(`${error.message}; give --audit-log`);
    throw error;
  }
}

function refuseOtherRole(address: { readonly name: string }, flags: SignerFlags): void {
  const found = openKeyring(flags).find(address.name);
  // An unknown name is told where it is opened.
  if (!found.ok || found.entry.role === "image") return;
  const { name, role } = found.entry;
  throw new CommandError(
    `the key "${name}" is for ${role}, not for images; make one with "sluice keys create --role image"`,
  );
}

function addressOf(text: string): SignerAddress {
  const parsed = parseSignerAddress(text);
  if (!parsed.ok) throw new CommandError(`--signer: ${parsed.message}`, exitCodes.usage);
  return parsed.address;
}

async function openAddress(
  address: SignerAddress,
  flags: KeyringFlags & { auditLog?: string },
  given: Uint8Array | null,
): Promise<OpenKey> {
  const named = address.kind === "keyring" ? namedEntry(openKeyring(flags), address.name) : null;
  const place = named?.place ?? (address.kind === "keyring" ? null : address);
  if (place === null) throw new TypeError("a name was not looked up");
  const publicKey = named === null ? given : pointOfPem(named.entry.publicPem);
  const opened = await reportingSigners(() =>
    openSigner(place, { publicKey, passphrase: (what) => readPassphrase(flags, what) }),
  );
  if (!opened.ok) throw new CommandError(opened.message);
  const log = new AuditLog(auditLogPath(address, flags));
  return { signer: opened.signer, log };
}

function namedEntry(keyring: Keyring, name: string) {
  const found = keyring.find(name);
  if (!found.ok) throw new CommandError(found.message);
  const { entry } = found;
  const place = keyring.addressOf(entry);
  if (entry.state === "revoked")
    throw new CommandError(`the key "${name}" is revoked (${entry.reason}) and signs nothing`);
  if (place === null) throw new CommandError(heldElsewhere(entry));
  return { entry, place };
}

function heldElsewhere({ name }: KeyringEntry): string {
  return `the private half of "${name}" is not here: use "sluice trust export-payload" and "import-signature"`;
}

function auditLogPath(address: SignerAddress, flags: KeyringFlags & { auditLog?: string }): string {
  const given = flags.auditLog ?? process.env["SLUICE_AUDIT_LOG"];
  if (given !== undefined) return given;
  if (address.kind === "file") return join(dirname(address.path), "audit.jsonl");
  makeFolder(flags.keyring); // a token's log is where its name would be
  return join(flags.keyring, "audit.jsonl");
}

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { withFileLock } from "../../files/file-lock.ts";
import { createFile, replaceFile } from "../../files/replace-file.ts";
import { signerFromKey } from "../pem-keys.ts";
import { parseSignerAddress, type SignerAddress } from "./address.ts";
import { encryptPrivateKey } from "./encrypted-key.ts";
import { pointOfPem, publicPemOf, tufKeyId } from "./signer.ts";

/**
 * root: says which keys count. targets: signs releases. online: snapshot, timestamp and director
 * documents. image: MCUboot images.
 */
export const keyRoles = ["root", "targets", "online", "image"] as const;
export type KeyRole = (typeof keyRoles)[number];

/**
 * retired: replaced, may sign its own replacement still. revoked: lost or stolen, signs nothing.
 */
export type KeyState = "active" | "retired" | "revoked";

export interface KeyringEntry {
  readonly name: string;
  readonly role: KeyRole;
  /** The id of the key, as TUF names it. */
  readonly keyId: string;
  readonly publicPem: string;
  /** Where the private key is; a relative file lies in the keyring. Null: with somebody else. */
  readonly signer: string | null;
  readonly state: KeyState;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly replacedBy: string | null;
  /** Why it was revoked. */
  readonly reason: string | null;
}

/**
 * `malformed`: keyring.json is none of ours. `name-invalid`, `name-taken`, `key-taken`: the same
 * key is in there already. `unknown-key`: no key of that name. `not-active`: it was retired or
 * revoked.
 */
export type KeyringRefusal =
  | "malformed"
  | "name-invalid"
  | "name-taken"
  | "key-taken"
  | "unknown-key"
  | "not-active";

export type KeyringResult<T> =
  | ({ readonly ok: true } & T)
  | { readonly ok: false; readonly reason: KeyringRefusal; readonly message: string };

const fileName = "keyring.json";
const auditFileName = "audit.jsonl";
const keysMax = 256;
/** Nobody types or touches anything while the keyring is held. */
const lockWaitMsMax = 30_000;

/** A changed keyring, and the entry that the change is about. */
export type KeyringChange = KeyringResult<{
  readonly keyring: Keyring;
  readonly entry: KeyringEntry;
}>;

/** What a new key is to be. */
export interface NewKey {
  readonly name: string;
  readonly role: KeyRole;
  readonly now: number;
}

/**
 * A folder of keys: `keyring.json` with everything public, encrypted private keys beside it, and
 * the audit log. The file is replaced whole, under a lock: a power cut leaves the old one or the
 * new one, and of two changes at once none is lost.
 */
export class Keyring {
  readonly folder: string;
  readonly entries: readonly KeyringEntry[];

  private constructor(folder: string, entries: readonly KeyringEntry[]) {
    this.folder = folder;
    this.entries = entries;
  }

  /** A folder that is not there is an empty keyring. Throws other errors of the file system. */
  static open(folder: string): KeyringResult<{ readonly keyring: Keyring }> {
    const path = join(folder, fileName);
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return { ok: true, keyring: new Keyring(folder, []) };
    }
    const entries = parseKeyring(text);
    if (entries !== null) return { ok: true, keyring: new Keyring(folder, entries) };
    return refuse("malformed", `${path} is no keyring: restore it from its backup`);
  }

  /**
   * Reads the keyring, changes it and writes it down while no other process can. Throws errors of
   * the file system, and `FileHeldError` when another process holds it for too long.
   */
  static async change(
    folder: string,
    purpose: string,
    change: (keyring: Keyring) => KeyringChange,
  ): Promise<KeyringChange> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const options = { purpose, waitMsMax: lockWaitMsMax };
    return withFileLock(join(folder, fileName), options, () => {
      const opened = Keyring.open(folder);
      if (!opened.ok) return opened;
      const changed = change(opened.keyring);
      if (changed.ok) changed.keyring.#save();
      return changed;
    });
  }

  get auditLogPath(): string {
    return join(this.folder, auditFileName);
  }

  find(name: string): KeyringResult<{ readonly entry: KeyringEntry }> {
    const entry = this.entries.find((one) => one.name === name);
    if (entry !== undefined) return { ok: true, entry };
    const known = this.entries.map((one) => one.name).join(", ") || "none at all";
    return refuse("unknown-key", `${this.folder} has no key "${name}", only: ${known}`);
  }

  /** Where the private half of an entry is, with its file's path. */
  addressOf(entry: KeyringEntry): Exclude<SignerAddress, { kind: "keyring" }> | null {
    if (entry.signer === null) return null;
    const parsed = parseSignerAddress(entry.signer);
    if (!parsed.ok || parsed.address.kind === "keyring") return null;
    const { address } = parsed;
    if (address.kind !== "file" || isAbsolute(address.path)) return address;
    return { kind: "file", path: join(this.folder, address.path) };
  }

  /** What speaks against a new key of that name, or null. */
  problemOf(name: string): Extract<KeyringChange, { ok: false }> | null {
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name))
      return refuse(
        "name-invalid",
        `"${name}" is no name of a key: up to 64 lower-case letters, digits, ".", "_", "-"`,
      );
    if (this.entries.some((one) => one.name === name))
      return refuse("name-taken", `${this.folder} has a key "${name}" already`);
    if (this.entries.length < keysMax) return null;
    return refuse("name-taken", `a keyring holds at most ${keysMax} keys`);
  }

  /** Makes a key, encrypts it, and adds it. */
  create(wanted: NewKey, passphrase: string): KeyringChange {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    return this.addPrivate(wanted, privateKey, passphrase);
  }

  /**
   * Adds a private key of the user's, encrypted anew. Throws TypeError on another kind than P-256.
   * Its file is on the disk before the keyring can name it; a power cut in between leaves a file
   * that no entry names, which the next key of that name moves aside.
   */
  addPrivate(wanted: NewKey, privateKey: KeyObject, passphrase: string): KeyringChange {
    const found = signerFromKey(privateKey);
    if (!found.ok) throw new TypeError("only ECDSA P-256 keys may be added");
    const file = `${wanted.name}.pem`;
    const { publicKey } = found.signer;
    const made = this.addPublic({ ...wanted, publicKey, signer: `file:${file}` });
    if (!made.ok) return made;
    const path = join(this.folder, file);
    if (existsSync(path)) renameSync(path, `${path}.unlisted-${wanted.now}`);
    createFile(path, encryptPrivateKey(privateKey, passphrase), 0o600);
    return made;
  }

  /**
   * The successor of a key, made unless it is there, and the old one retired: in one change. Asked
   * for again it answers the same, whatever came in between.
   */
  rotate(name: string, as: string, now: number, passphrase: string): KeyringChange {
    const found = this.find(name);
    if (!found.ok) return found;
    const { role, state, replacedBy } = found.entry;
    const there = this.entries.find((one) => one.name === as);
    const isDone = state === "retired" && replacedBy === as;
    if (state !== "active" && !isDone)
      return refuse("not-active", `the key "${name}" is ${state} already`);
    if (there !== undefined && !isSuccessor(there, found.entry))
      return refuse("name-taken", `${this.folder} has a key "${as}" already, ${told(there)}`);
    const made: KeyringChange =
      there === undefined
        ? this.create({ name: as, role, now }, passphrase)
        : { ok: true, keyring: this, entry: there };
    if (!made.ok) return made;
    return { ...made, keyring: made.keyring.#with(name, { state: "retired", replacedBy: as }) };
  }

  /** A key that signs nothing from now on. */
  revoke(name: string, reason: string): KeyringChange {
    const found = this.find(name);
    if (!found.ok) return found;
    if (found.entry.state === "revoked")
      return refuse("not-active", `the key "${name}" is revoked already`);
    const keyring = this.#with(name, { state: "revoked", reason });
    return { ...keyring.find(name), keyring } as KeyringChange;
  }

  /** Adds a key whose private half is elsewhere: in a token, behind a command, with a person. */
  addPublic(
    wanted: NewKey & { readonly publicKey: Uint8Array; readonly signer: string | null },
  ): KeyringChange {
    const { name, role, publicKey, signer } = wanted;
    const problem = this.problemOf(name);
    if (problem !== null) return problem;
    const keyId = tufKeyId(publicKey);
    const same = this.entries.find((one) => one.keyId === keyId);
    if (same !== undefined) return refuse("key-taken", `that key is "${same.name}" already`);
    const entry: KeyringEntry = {
      name,
      role,
      keyId,
      publicPem: publicPemOf(publicKey),
      signer,
      state: "active",
      createdAt: new Date(wanted.now).toISOString(),
      replacedBy: null,
      reason: null,
    };
    return { ok: true, keyring: new Keyring(this.folder, [...this.entries, entry]), entry };
  }

  #with(
    name: string,
    change: Partial<Pick<KeyringEntry, "state" | "replacedBy" | "reason">>,
  ): Keyring {
    const entries = this.entries.map((one) => (one.name === name ? { ...one, ...change } : one));
    return new Keyring(this.folder, entries);
  }

  #save(): void {
    const json = JSON.stringify({ format: 1, keys: this.entries }, null, 2);
    replaceFile(join(this.folder, fileName), `${json}\n`);
  }
}

/** What a rotation that was interrupted left: the same role, and not used up itself. */
function isSuccessor(there: KeyringEntry, old: KeyringEntry): boolean {
  return there.name !== old.name && there.role === old.role && there.state === "active";
}

function told({ role, state }: KeyringEntry): string {
  return `${state} and for ${role}: give --as another name`;
}

function parseKeyring(text: string): KeyringEntry[] | null {
  let json: { format?: unknown; keys?: unknown } | null;
  try {
    json = JSON.parse(text) as typeof json;
  } catch {
    return null; // the caller tells the file
  }
  if (json?.format !== 1 || !Array.isArray(json.keys) || json.keys.length > keysMax) return null;
  return json.keys.every(isEntry) ? (json.keys as KeyringEntry[]) : null;
}

function isEntry(value: Record<string, unknown> | null): boolean {
  if (value === null || typeof value !== "object") return false;
  const { name, role, keyId, publicPem, state, createdAt } = value;
  if (typeof publicPem !== "string" || typeof name !== "string") return false;
  if (typeof createdAt !== "string") return false;
  if (!["active", "retired", "revoked"].includes(String(state))) return false;
  const isTextOrNull = (one: unknown): boolean => one === null || typeof one === "string";
  const texts = [value["signer"], value["replacedBy"], value["reason"]];
  if (!keyRoles.includes(role as KeyRole) || !texts.every(isTextOrNull)) return false;
  const point = pointOfPem(publicPem);
  return point !== null && tufKeyId(point) === keyId;
}

function refuse(reason: KeyringRefusal, message: string) {
  return { ok: false, reason, message } as const;
}

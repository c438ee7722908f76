import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
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
  /** As TUF names it. */
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

/**
 * A folder of keys: `keyring.json` with everything public, encrypted private keys beside it, and
 * the audit log. The file is replaced whole: a power cut leaves the old one or the new one.
 */
export class Keyring {
  readonly folder: string;
  readonly entries: readonly KeyringEntry[];

  private constructor(folder: string, entries: readonly KeyringEntry[]) {
    this.folder = folder;
    this.entries = entries;
  }

  /** A folder that is not there is an empty keyring. */
  static open(folder: string): KeyringResult<{ readonly keyring: Keyring }> {
    const path = join(folder, fileName);
    if (!existsSync(path)) return { ok: true, keyring: new Keyring(folder, []) };
    const entries = parseKeyring(readFileSync(path, "utf8"));
    if (entries !== null) return { ok: true, keyring: new Keyring(folder, entries) };
    return refuse("malformed", `${path} is no keyring: restore it from its backup`);
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

  /** Makes a key, encrypts it, and adds it. */
  create(
    wanted: { readonly name: string; readonly role: KeyRole; readonly now: number },
    passphrase: string,
  ): KeyringResult<{ readonly keyring: Keyring; readonly entry: KeyringEntry }> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    return this.addPrivate(wanted, privateKey, passphrase);
  }

  /**
   * Adds a private key of the user's, encrypted anew. Throws TypeError on another kind than P-256.
   */
  addPrivate(
    wanted: { readonly name: string; readonly role: KeyRole; readonly now: number },
    privateKey: KeyObject,
    passphrase: string,
  ): KeyringResult<{ readonly keyring: Keyring; readonly entry: KeyringEntry }> {
    const found = signerFromKey(privateKey);
    if (!found.ok) throw new TypeError("only ECDSA P-256 keys may be added");
    const signer = `file:${wanted.name}.pem`;
    const made = this.addPublic({ ...wanted, publicKey: found.signer.publicKey, signer });
    if (!made.ok) return made;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const text = encryptPrivateKey(privateKey, passphrase);
    writeFileSync(join(this.folder, `${wanted.name}.pem`), text, { flag: "wx", mode: 0o600 });
    return made;
  }

  /** Adds a key whose private half is elsewhere: in a token, behind a command, with a person. */
  addPublic(wanted: {
    readonly name: string;
    readonly role: KeyRole;
    readonly publicKey: Uint8Array;
    readonly signer: string | null;
    readonly now: number;
  }): KeyringResult<{ readonly keyring: Keyring; readonly entry: KeyringEntry }> {
    const { name, role, publicKey, signer } = wanted;
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name))
      return refuse(
        "name-invalid",
        `"${name}" is no name of a key: up to 64 lower-case letters, digits, ".", "_", "-"`,
      );
    if (this.entries.some((one) => one.name === name))
      return refuse("name-taken", `${this.folder} has a key "${name}" already`);
    if (this.entries.length >= keysMax)
      return refuse("name-taken", `a keyring holds at most ${keysMax} keys`);
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

  /** The same keyring with one entry changed. */
  withEntry(
    name: string,
    change: Partial<Pick<KeyringEntry, "state" | "replacedBy" | "reason">>,
  ): Keyring {
    const entries = this.entries.map((one) => (one.name === name ? { ...one, ...change } : one));
    return new Keyring(this.folder, entries);
  }

  save(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, fileName);
    const temporary = `${path}.${process.pid}.part`;
    writeFileSync(temporary, `${JSON.stringify({ format: 1, keys: this.entries }, null, 2)}\n`);
    renameSync(temporary, path);
  }
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

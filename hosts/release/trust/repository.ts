import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withFileLock } from "../../files/file-lock.ts";
import { replaceFile, replaceFileMeanwhile } from "../../files/replace-file.ts";
import {
  fileOf,
  type RootDocument,
  readDocument,
  readRoot,
  type TargetsDocument,
  type TrustDocument,
} from "./document.ts";

/** How long each kind of document is valid, in days. */
export interface LifeDays {
  readonly root: number;
  readonly targets: number;
  readonly snapshot: number;
  readonly timestamp: number;
}

export const lifeDaysDefault: LifeDays = { root: 365, targets: 180, snapshot: 7, timestamp: 1 };
export const dayMs = 24 * 60 * 60 * 1000;

export type RepositoryResult =
  | { readonly ok: true; readonly repository: TrustRepository }
  | {
      readonly ok: false;
      readonly reason: "not-a-repository" | "malformed";
      readonly message: string;
    };

const filesMax = 100_000;
/** How often a reader that meets a change tries; each change takes away few files. */
const loadTriesMax = 8;
/** Longer than a person may take to touch the token of an online key. */
const lockWaitMsMax = 150_000;

/**
 * A folder with everything that is signed: `metadata/` as it is served (`2.root.json`,
 * `timestamp.json`), `drafts/` with what waits for signatures, `targets/` with the files,
 * `settings.json`. Each file is replaced whole; a power cut leaves the old or the new one. Whoever
 * changes it does so in `change`: of two changes at once none is lost.
 */
export class TrustRepository {
  readonly folder: string;
  readonly #documents = new Map<string, Map<number, TrustDocument>>();
  readonly #drafts = new Map<string, TrustDocument>();
  #lifeDays: LifeDays = lifeDaysDefault;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** A folder that is not there, or empty, is a repository without any document. */
  static open(folder: string): RepositoryResult {
    for (let tries = 1; ; tries += 1) {
      const repository = new TrustRepository(folder);
      try {
        const problem = repository.#load();
        return problem === null
          ? { ok: true, repository }
          : { ok: false, reason: "malformed", message: problem };
      } catch (error) {
        // A draft that was listed is signed and gone before it is read.
        const isGone = (error as NodeJS.ErrnoException).code === "ENOENT";
        if (!isGone || tries === loadTriesMax) throw error;
      }
    }
  }

  /**
   * Opens the repository and does the work while no other process changes it. Throws errors of the
   * file system, and `FileHeldError` when another process holds it for too long.
   */
  static async change<T>(
    folder: string,
    purpose: string,
    work: (opened: RepositoryResult) => T | Promise<T>,
  ): Promise<T> {
    mkdirSync(folder, { recursive: true });
    const options = { purpose, waitMsMax: lockWaitMsMax };
    return withFileLock(join(folder, "metadata"), options, () =>
      work(TrustRepository.open(folder)),
    );
  }

  get lifeDays(): LifeDays {
    return this.#lifeDays;
  }

  setLifeDays(lifeDays: LifeDays): void {
    this.#lifeDays = lifeDays;
    this.#write("settings.json", settingsOf(lifeDays));
  }

  /** The same without holding the thread, for servers. */
  async setLifeDaysMeanwhile(lifeDays: LifeDays): Promise<void> {
    await this.#writeMeanwhile("settings.json", settingsOf(lifeDays));
    this.#lifeDays = lifeDays;
  }

  /** The versions of the root in order, from the first. */
  get roots(): readonly RootDocument[] {
    const byVersion = [...(this.#documents.get("root")?.values() ?? [])] as RootDocument[];
    return byVersion.sort((a, b) => a.signed.version - b.signed.version);
  }

  /** The newest root, or null before the first one is signed. */
  get root(): RootDocument | null {
    return this.roots.at(-1) ?? null;
  }

  get targets(): TargetsDocument | null {
    return this.current("targets") as TargetsDocument | null;
  }

  /** The newest signed document of a role. */
  current(role: string): TrustDocument | null {
    const versions = this.#documents.get(role);
    return versions?.get(Math.max(...versions.keys())) ?? null;
  }

  /** One version of a role. */
  at(role: string, version: number): TrustDocument | null {
    return this.#documents.get(role)?.get(version) ?? null;
  }

  draft(role: string): TrustDocument | null {
    return this.#drafts.get(role) ?? null;
  }

  /** In the order in which they have to be published. */
  get drafts(): readonly TrustDocument[] {
    const rank = (role: string): number => (role === "root" ? 0 : role === "targets" ? 1 : 2);
    return [...this.#drafts.values()].sort(
      (a, b) => rank(a.role) - rank(b.role) || (a.role < b.role ? -1 : 1),
    );
  }

  /** What comes next for a role: its draft if there is one, else what counts now. */
  latest(role: string): TrustDocument | null {
    return this.draft(role) ?? this.current(role);
  }

  /** The names of the delegated roles of the current targets. */
  get delegatedRoles(): readonly string[] {
    return delegatedRolesOf(this.targets);
  }

  putDraft(document: TrustDocument): void {
    this.#drafts.set(document.role, document);
    this.#write(join("drafts", `${document.role}.json`), fileOf(document));
  }

  dropDraft(role: string): void {
    this.#drafts.delete(role);
    rmSync(join(this.folder, "drafts", `${role}.json`), { force: true });
  }

  /** Makes a document count; its draft, if there is one, goes. */
  publish(document: TrustDocument): void {
    this.#write(join("metadata", fileNameOf(document)), fileOf(document));
    this.#remember(document);
    this.dropDraft(document.role);
  }

  /** The same without holding the thread, for servers; they have no drafts. */
  async publishMeanwhile(document: TrustDocument): Promise<void> {
    await this.#writeMeanwhile(join("metadata", fileNameOf(document)), fileOf(document));
    this.#remember(document);
  }

  /** A file that targets name, under its hash as clients ask for it (clause 5.7.3). */
  putTarget(name: string, sha256: string, bytes: Uint8Array): void {
    this.#write(join("targets", hashedName(name, sha256)), Buffer.from(bytes));
  }

  /** Null when it is not here. */
  target(name: string, sha256: string): Buffer | null {
    try {
      return readFileSync(join(this.folder, "targets", hashedName(name, sha256)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  #remember(document: TrustDocument): void {
    const versions = this.#documents.get(document.role) ?? new Map<number, TrustDocument>();
    versions.set(document.signed.version, document);
    this.#documents.set(document.role, versions);
  }

  /** Answers what is wrong with the folder, or null. */
  #load(): string | null {
    for (const name of this.#list("metadata")) {
      const [, version, role = ""] =
        /^(?:(\d{1,10})\.)?([a-z0-9][a-z0-9._-]*)\.json$/.exec(name) ?? [];
      const path = join(this.folder, "metadata", name);
      const document =
        role === "root" ? readRoot(readFileSync(path)) : readDocument(role, readFileSync(path));
      if (document === null) return `${path} is no metadata of ours; restore it from its backup`;
      if (fileNameOf(document) !== name)
        return `${path} is version ${document.signed.version} (${version ?? "none"} in its name)`;
      this.#remember(document);
    }
    for (const name of this.#list("drafts")) {
      const path = join(this.folder, "drafts", name);
      const role = name.replace(/\.json$/, "");
      const document = readDocument(role, readFileSync(path));
      if (document === null) return `${path} is no draft; delete it and make the change again`;
      this.#drafts.set(role, document);
    }
    return this.#loadSettings();
  }

  #loadSettings(): string | null {
    const path = join(this.folder, "settings.json");
    try {
      const { lifeDays } = JSON.parse(readFileSync(path, "utf8")) as { lifeDays: LifeDays };
      const days = [lifeDays.root, lifeDays.targets, lifeDays.snapshot, lifeDays.timestamp];
      if (!days.every((value) => Number.isFinite(value) && value > 0)) throw new TypeError();
      this.#lifeDays = lifeDays;
      return null;
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
      return isAbsent ? null : `${path} has no "lifeDays" with root, targets, snapshot, timestamp`;
    }
  }

  #list(part: string): string[] {
    try {
      const names = readdirSync(join(this.folder, part)).filter((name) =>
        /^[^.].*\.json$/.test(name),
      );
      if (names.length > filesMax) throw new RangeError(`${this.folder} has too many files`);
      return names.sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  #write(name: string, bytes: Buffer): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    replaceFile(path, bytes);
  }

  async #writeMeanwhile(name: string, bytes: Buffer): Promise<void> {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await replaceFileMeanwhile(path, bytes);
  }
}

function settingsOf(lifeDays: LifeDays): Buffer {
  return Buffer.from(`${JSON.stringify({ lifeDays }, null, 2)}\n`);
}

/** `2.root.json`, or `timestamp.json`, which alone has no version in its name (clause 5.4.1). */
export function fileNameOf({ role, signed }: TrustDocument): string {
  return role === "timestamp" ? "timestamp.json" : `${signed.version}.${role}.json`;
}

/** `esp32c3-b/1.2.3.img` becomes `esp32c3-b/HASH.1.2.3.img`. */
export function hashedName(name: string, sha256: string): string {
  const at = name.lastIndexOf("/") + 1;
  return `${name.slice(0, at)}${sha256}.${name.slice(at)}`;
}

export function delegatedRolesOf(targets: TargetsDocument | null): readonly string[] {
  return targets?.signed.delegations?.roles.map(({ name }) => name) ?? [];
}

import { open, rm } from "node:fs/promises";
import type { DigestHex } from "../../../src/protocol/digest.ts";
import { faultOf } from "../terms/faults.ts";
import type { Fleet } from "./fleet.ts";

/** Why a device would not be served whole now. */
export interface ReadinessProblem {
  /** One word of a closed set. */
  readonly reason: string;
  /** What it is and the next step. */
  readonly message: string;
}

/** Files looked for at a time; the others have their turn at the next check. */
const filesPerCheckMax = 500;
/** Two of the largest images; what was read is not read again before it changes. */
const readPerCheckBytesMax = 32 * 1024 * 1024;
const missingToldMax = 5;
const checkEveryMs = 10_000;

/**
 * Would a device be served whole? What is written is tried by writing, what is served by looking
 * for it; the rest is what the last attempts came to. Checks are seconds apart, whoever asks.
 */
export class Readiness {
  readonly #fleet: Fleet;
  readonly #everyMs: number;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | null = null;
  #found: readonly ReadinessProblem[] = [];
  #missing = new Map<string, string>();
  #nextFile = 0;

  constructor(fleet: Fleet, everyMs = checkEveryMs) {
    this.#fleet = fleet;
    this.#everyMs = everyMs;
  }

  /** The problems that the last check found, and what failed since. */
  get problems(): readonly ReadinessProblem[] {
    const { database, mark, trust } = this.#fleet;
    const ofDatabase = [database.problem, mark?.problem() ?? null].filter((one) => one !== null);
    const all = [...ofDatabase, ...this.#found, ...(trust?.problems ?? [])];
    const reasons = new Set<string>();
    return all
      .filter(({ reason }) => !reasons.has(reason) && reasons.add(reason))
      .map(({ reason, message }) => ({ reason, message }));
  }

  /** Checks again when the last one is old, or found something. */
  async check(): Promise<readonly ReadinessProblem[]> {
    const everyMs = this.#found.length > 0 ? Math.min(1000, this.#everyMs) : this.#everyMs;
    if (performance.now() - this.#checkedAtMs >= everyMs)
      this.#checking ??= this.#look().finally(() => {
        this.#checkedAtMs = performance.now();
        this.#checking = null;
      });
    await this.#checking;
    return this.problems;
  }

  async #look(): Promise<void> {
    const found = [await this.#tryWriting(), await this.#lookForFiles()];
    this.#fleet.trust?.checkLog();
    this.#found = found.filter((one) => one !== null);
  }

  async #tryWriting(): Promise<ReadinessProblem | null> {
    const path = this.#fleet.artifacts.probePath;
    try {
      await this.#fleet.artifacts.makeFolder();
      const file = await open(path, "w", 0o600);
      try {
        await file.writeFile("Sluice writes this to see whether it can.\n");
        await file.sync();
      } finally {
        await file.close();
        await rm(path, { force: true });
      }
      return null;
    } catch (error) {
      const fault = faultOf(error);
      if (fault === null) throw error;
      return fault;
    }
  }

  /**
   * Images of rollouts, of which only a cancelled one serves nobody any more, and what signed
   * targets name.
   */
  async #lookForFiles(): Promise<ReadinessProblem | null> {
    const wanted = this.#wantedFiles();
    for (const name of this.#missing.keys()) if (!wanted.has(name)) this.#missing.delete(name);
    const all = [...wanted];
    const count = Math.min(all.length, filesPerCheckMax);
    const budget = { bytes: readPerCheckBytesMax };
    for (let looked = 0; looked < count; looked += 1) {
      const [sha256, { bytes, name }] = all[(this.#nextFile + looked) % all.length] ?? all[0]!;
      if (await this.#isHere(sha256, bytes, budget)) this.#missing.delete(sha256);
      else this.#missing.set(sha256, name);
    }
    this.#nextFile = all.length === 0 ? 0 : (this.#nextFile + count) % all.length;
    if (this.#missing.size === 0) return null;
    const names = [...this.#missing].slice(0, missingToldMax);
    const told = names.map(([sha256, name]) => `${name} (${sha256.slice(0, 12)}...)`).join(", ");
    return {
      reason: "artifact-missing",
      message: `${this.#missing.size} published files are missing, cut off or damaged, such as ${told}: restore them, or publish the same bytes again`,
    };
  }

  async #isHere(sha256: string, bytes: number, budget: { bytes: number }): Promise<boolean> {
    try {
      return await this.#fleet.artifacts.isWhole(sha256 as DigestHex, bytes, budget);
    } catch (error) {
      if (faultOf(error) === null) throw error;
      return false;
    }
  }

  #wantedFiles(): Map<string, { readonly bytes: number; readonly name: string }> {
    const { memory, trust } = this.#fleet;
    const wanted = new Map<string, { bytes: number; name: string }>();
    for (const { state, releaseId } of memory.rollouts.values()) {
      if (state === "cancelled") continue;
      for (const image of memory.releases.get(releaseId)?.images ?? [])
        wanted.set(image.fileHash, { bytes: image.fileBytes, name: image.fileName });
    }
    for (const [name, { hashes, length }] of trust?.targets ?? [])
      wanted.set(hashes.sha256, { bytes: length, name });
    return wanted;
  }
}

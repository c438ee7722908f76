import { readFileSync } from "node:fs";
import { replaceFileMeanwhile } from "../../files/replace-file.ts";
import { faultOf } from "../terms/faults.ts";

/** The file beside the database that tells how far its service time was. */
export function servedMarkFile(databaseFile: string): string {
  return `${databaseFile}.served`;
}

interface Mark {
  readonly serviceMs: number;
  /**
   * How much of it the database did not know when it was found to be older; null while it is not.
   */
  readonly lostMs: number | null;
}

/**
 * Tells a database that came back alone from an older copy. How far service time is stands in the
 * database and, once that is on the disk, in a file beside it: a database that knows less of it
 * than the file was replaced. A power cut at any point leaves the file behind the database, or torn
 * or missing, which says nothing; a copy of the whole folder has both. That it was found is kept in
 * the file until somebody removes it.
 */
export class ServedMark {
  readonly #file: string;
  #lostMs: number | null;

  /** `serviceMs` is what the database knows; null for a new one. */
  constructor(databaseFile: string, serviceMs: number | null) {
    this.#file = servedMarkFile(databaseFile);
    const mark = readMark(this.#file);
    const lostMs = (mark?.serviceMs ?? 0) - (serviceMs ?? 0);
    this.#lostMs = mark?.lostMs ?? (lostMs > 0 ? lostMs : null);
  }

  /** What is wrong with the database, or null. */
  problem(): { readonly reason: "database-older"; readonly message: string } | null {
    if (this.#lostMs === null || readMark(this.#file) === null) {
      this.#lostMs = null; // somebody removed the mark
      return null;
    }
    const message =
      `the database is an older copy: it knows ${describeLost(this.#lostMs)} of service less than ${this.#file}. ` +
      "Restore the whole folder from one backup; if this copy is all there is, remove that file: " +
      "devices and releases added since are gone, and ids and versions go on past those given out";
    return { reason: "database-older", message };
  }

  /**
   * Service time is so far, and that is on the disk; a disk that refuses leaves the mark behind.
   */
  async advance(serviceMs: number): Promise<void> {
    this.problem();
    const mark: Mark = { serviceMs, lostMs: this.#lostMs };
    try {
      await replaceFileMeanwhile(this.#file, Buffer.from(`${JSON.stringify(mark)}\n`));
    } catch (error) {
      if (faultOf(error) === null) throw error;
    }
  }
}

function readMark(file: string): Mark | null {
  try {
    const { serviceMs, lostMs } = JSON.parse(readFileSync(file, "utf8")) as Partial<Mark>;
    if (typeof serviceMs !== "number") return null;
    return { serviceMs, lostMs: typeof lostMs === "number" ? lostMs : null };
  } catch {
    return null;
  }
}

function describeLost(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

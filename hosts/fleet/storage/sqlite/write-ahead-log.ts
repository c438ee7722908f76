import { type FileHandle, open } from "node:fs/promises";
import { Thread } from "../../../threads/thread.ts";
import type { CheckpointAnswer, CheckpointQuestion } from "./checkpoint-thread.ts";

/** The length at which SQLite makes a checkpoint by itself: 1,000 pages of 4 KiB. */
const checkpointBytes = 4 * 1024 * 1024;
/** Commits between two looks at the file's length. */
const commitsPerLook = 16;

/**
 * Brings what SQLite wrote into the write-ahead log to the disk, and from there into the database,
 * without holding the thread that serves: `fsync` may take long on a disk that is busy. The
 * connections of that thread commit without a sync (`synchronous = normal`) and never checkpoint;
 * see docs/decisions/commits-are-synced-elsewhere.md.
 */
export class WriteAheadLog {
  readonly #file: string;
  readonly #thread = new Thread<CheckpointQuestion, CheckpointAnswer>(
    new URL("./checkpoint-thread.ts", import.meta.url),
    "writes the log into the database",
  );
  #log: FileHandle | null = null;
  #commits = 0;
  #dueBytes = checkpointBytes;
  #copying: Promise<void> | null = null;
  #mayReset = false;
  #isClosed = false;

  constructor(databaseFile: string) {
    this.#file = databaseFile;
  }

  /** What was committed is on the disk once this has answered. Throws errors of the file system. */
  async sync(): Promise<void> {
    this.#log ??= await open(`${this.#file}-wal`, "r+");
    await this.#log.sync();
  }

  /**
   * Called after each unit of work, while no other one is under way: lets a long log be copied into
   * the database meanwhile, and waits only for the end of it, which needs the lock of writers.
   */
  async keepShort(): Promise<void> {
    this.#commits += 1;
    if (this.#mayReset) {
      this.#mayReset = false;
      const { isEmpty } = await this.#ask("reset");
      // Somebody reads what is in it, such as a backup: it grows, and is tried again later.
      const { size } = isEmpty ? { size: 0 } : await this.#look();
      this.#dueBytes = size + checkpointBytes;
    }
    if (this.#copying !== null || this.#commits % commitsPerLook !== 0) return;
    if ((await this.#look()).size < this.#dueBytes) return;
    this.#copying = this.#ask("copy").then(() => {
      this.#copying = null;
      this.#mayReset = true;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#copying;
    await this.#thread.close();
    await this.#log?.close();
    this.#log = null;
  }

  async #look(): Promise<{ readonly size: number }> {
    // A file that cannot be looked at cannot be synced either, which is told there.
    return (await this.#log?.stat().catch(() => null)) ?? { size: 0 };
  }

  /**
   * A thread that fails has copied nothing, which is safe: the log is longer until the next try.
   */
  async #ask(step: CheckpointQuestion["step"]): Promise<CheckpointAnswer> {
    if (this.#isClosed) return { isEmpty: false };
    try {
      return await this.#thread.ask({ file: this.#file, step });
    } catch {
      return { isEmpty: false };
    }
  }
}

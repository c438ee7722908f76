import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";

/** Another process has the lock, and still had it at the end of the wait. */
export class FileHeldError extends Error {
  override readonly name = "FileHeldError";
}

export interface LockOptions {
  /** What the holder does, for whoever waits: "sluice keys create". */
  readonly purpose: string;
  /** How long to wait for the one who has it; 0 asks once. */
  readonly waitMsMax: number;
}

/** A lock that is held. */
export interface FileLock {
  release(): void;
}

const triesMsBetween = 20;

/**
 * Takes the lock beside a file or in a folder: `.NAME.lock`, which stays and is empty. The lock is
 * the kernel's (by way of SQLite, which asks for it on every system), so that it ends with its
 * process, however that ends; nobody has to judge whether a holder still lives. `.NAME.holder`
 * tells people who has it.
 *
 * The folder must be there. Throws `FileHeldError` after the wait, and errors of the file system as
 * they are.
 */
export async function lockFile(path: string, options: LockOptions): Promise<FileLock> {
  const folder = dirname(path);
  const lockPath = join(folder, `.${basename(path)}.lock`);
  const holderPath = join(folder, `.${basename(path)}.holder`);
  const start = performance.now();
  for (;;) {
    const lock = tryLock(lockPath);
    if (lock !== null) {
      const words = `${options.purpose}, process ${process.pid} on ${hostname()}`;
      return held(lock, holderPath, words);
    }
    if (performance.now() - start >= options.waitMsMax)
      throw new FileHeldError(
        `${path} is in use by ${holderOf(holderPath)}; wait until that ends, or end it`,
      );
    await setTimeout(triesMsBetween);
  }
}

/** Does the work while the lock is held. */
export async function withFileLock<T>(
  path: string,
  options: LockOptions,
  work: () => T | Promise<T>,
): Promise<T> {
  const lock = await lockFile(path, options);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** Null when somebody else has it. */
function tryLock(lockPath: string): DatabaseSync | null {
  makeWritable(lockPath);
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(lockPath);
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database?.close();
    const { errcode, message } = error as Error & { errcode?: number };
    if (errcode === sqliteBusy) return null;
    throw new FileHeldError(
      `${lockPath} cannot be locked (${message}): if it is no empty file, delete it while nothing of ours runs here; else this file system has no locks`,
    );
  }
}

const sqliteBusy = 5;

/**
 * SQLite would tell only that it cannot; this tells why. A file that is there is not opened: closing
 * it would let go of every lock that this process has on it.
 */
function makeWritable(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    accessSync(path, constants.W_OK);
  }
}

function held(database: DatabaseSync, holderPath: string, words: string): FileLock {
  try {
    writeFileSync(holderPath, `${words}\n`, { mode: 0o600 });
  } catch (error) {
    database.close();
    throw error;
  }
  let isHeld = true;
  return {
    release() {
      if (!isHeld) return;
      isHeld = false;
      try {
        rmSync(holderPath, { force: true });
      } finally {
        database.close();
      }
    },
  };
}

function holderOf(holderPath: string): string {
  try {
    return readFileSync(holderPath, "utf8").trim() || "another process";
  } catch {
    return "another process"; // it has just taken it, or has just let go
  }
}

import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  realpathSync,
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
 * Two who ask at the same moment may refuse each other: none of them has it until one tells its
 * name.
 */
const unnamedMsMax = 5000;

/**
 * Takes the lock beside a file or in a folder: `.NAME.lock`, which stays and is empty. The lock is
 * the kernel's (by way of SQLite, which asks for it on every system), so that it ends with its
 * process, however that ends; nobody has to judge whether a holder still lives. `.NAME.holder`
 * tells people who has it.
 *
 * A file that is reached by several paths has one lock, beside the file itself.
 *
 * The folder must be there. Throws `FileHeldError` after the wait, and errors of the file system as
 * they are.
 */
export async function lockFile(path: string, options: LockOptions): Promise<FileLock> {
  const real = realPathOf(path);
  const lockPath = join(dirname(real), `.${basename(real)}.lock`);
  const holderPath = join(dirname(real), `.${basename(real)}.holder`);
  const start = performance.now();
  for (;;) {
    const lock = tryLock(lockPath);
    if (lock !== null) {
      const words = `${options.purpose}, process ${process.pid} on ${hostname()}`;
      return held(lock, holderPath, words);
    }
    const waitedMs = performance.now() - start;
    const holder = holderOf(holderPath);
    const waitMsMax = Math.max(options.waitMsMax, holder === null ? unnamedMsMax : 0);
    if (waitedMs >= waitMsMax)
      throw new FileHeldError(
        `${path} is in use by ${holder ?? "another process"}; wait until that ends, or end it`,
      );
    await setTimeout(triesMsBetween * (0.5 + Math.random())); // not in step with who asks as well
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
    if (errcode === sqliteFull) throw noSpaceFor(lockPath);
    throw new FileHeldError(
      `${lockPath} cannot be locked (${message}): if it is no empty file, delete it while nothing of ours runs here; else this file system has no locks`,
    );
  }
}

const sqliteBusy = 5;
const sqliteFull = 13;

/** The error with which a file system refuses to write a file when its disk is full. */
function noSpaceFor(path: string): NodeJS.ErrnoException {
  const error = new Error(`ENOSPC: no space left on device, write '${path}'`);
  return Object.assign(error, { code: "ENOSPC", syscall: "write", path });
}

/**
 * SQLite would tell only that it cannot; this tells why. A file that is there is not opened:
 * closing it would let go of every lock that this process has on it.
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

/**
 * Null while nobody tells a name who lives: one has just taken it, has just let go, or was killed.
 */
function holderOf(holderPath: string): string | null {
  let words: string;
  try {
    words = readFileSync(holderPath, "utf8").trim();
  } catch {
    return null; // it is not there now; why the lock is not had, the lock itself tells
  }
  const [, id, host] = /, process (\d{1,10}) on (\S+)$/.exec(words) ?? [];
  const isGone = id !== undefined && host === hostname() && !isAlive(Number(id));
  return words === "" || isGone ? null : words;
}

function isAlive(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** A file that is not there yet is where its folder really is. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return path; // the lock will tell
    return join(realpathSync(dirname(path)), basename(path));
  }
}

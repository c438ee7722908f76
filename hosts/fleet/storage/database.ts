import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { Kysely, Migrator, type Transaction } from "kysely";
import { migrationNames, migrationProvider } from "../migrations/index.ts";
import { type Fault, faultOf, isLocked, TooBusyError, UnsyncedError } from "../terms/faults.ts";
import {
  checkDatabase,
  checkFileIsDatabase,
  checkTables,
  DatabaseRefusedError,
} from "./sqlite/database-check.ts";
import { nodeSqliteDialect } from "./sqlite/dialect.ts";
import { beginGeneration, checkLogFits, isLogEmpty } from "./sqlite/generation.ts";
import {
  leaveCheckpointsToThread,
  leaveSyncingToThread,
  neverWaitForLock,
  readDataVersion,
  useWriteAheadLog,
  waitForLock,
} from "./sqlite/statements.ts";
import { WriteAheadLog } from "./sqlite/write-ahead-log.ts";
import type { Tables } from "./tables.ts";

/** What repositories take: the database, or one transaction of it. */
export type Queries = Kysely<Tables> | Transaction<Tables>;

/** One transaction and what must happen in memory once it is durable. */
export interface UnitOfWork {
  readonly db: Transaction<Tables>;
  readonly nowUnixMs: number;
  /**
   * Runs after the commit and before any other unit of work; never after a rollback. What answers
   * a promise is waited for, and lets others have their turn meanwhile.
   */
  onCommit(run: () => void | Promise<void>): void;
}

/**
 * `off` leaves the writing to the operating system: for simulations, whose servers only this
 * process can lose.
 */
export type Durability = "full" | "off";

/**
 * The server's SQLite file. Units of work run one after another, each in a transaction that is on
 * the disk when `write` answers, so nothing that was acknowledged is lost when the process is
 * killed or the power goes.
 */
export class FleetDatabase {
  /** For reading what is committed, also while a unit of work is under way. */
  readonly queries: Kysely<Tables>;
  private readonly writer: Kysely<Tables>;
  private readonly clock: { unixMs(): number };
  /** Null where nothing needs to be on a disk. */
  private readonly log: WriteAheadLog | null;
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private fault: Fault | null = null;
  /** Why a commit may not be on the disk: this process writes nothing more. */
  private unsynced: UnsyncedError | null = null;
  private dataVersion = -1;

  /** Null for a database that this process alone can read. */
  readonly file: string | null;

  private constructor(
    connections: { readonly reader: Kysely<Tables>; readonly writer: Kysely<Tables> },
    clock: { unixMs(): number },
    { log, file }: { readonly log: WriteAheadLog | null; readonly file: string },
  ) {
    this.file = file === inMemory ? null : file;
    this.queries = connections.reader;
    this.writer = connections.writer;
    this.clock = clock;
    this.log = log;
  }

  /**
   * Opens or creates the file and brings its tables up to date. `:memory:` is a database that
   * vanishes.
   */
  static async open(
    file: string,
    clock: { unixMs(): number },
    durability: Durability = "full",
  ): Promise<FleetDatabase> {
    if (file !== inMemory) {
      checkFileIsDatabase(file);
      checkLogFits(file);
      keepPrivate(file);
    }
    const isNewLog = isLogEmpty(file);
    const writer = connect(file, durability, "check");
    try {
      await migrate(writer, file);
      if (isNewLog) await beginGeneration(writer);
    } catch (error) {
      await writer.destroy();
      throw error;
    }
    const reader = file === inMemory ? writer : connect(file, durability);
    for (const one of new Set([reader, writer])) await neverWaitForLock(one);
    const log = file === inMemory || durability === "off" ? null : new WriteAheadLog(file);
    if (log !== null) {
      await leaveSyncingToThread(writer);
      for (const one of [reader, writer]) await leaveCheckpointsToThread(one);
    }
    return new FleetDatabase({ reader, writer }, clock, { log, file });
  }

  /** Why a unit of work could not be written, until `noteWritten`; or null. */
  get problem(): Fault | null {
    return this.fault;
  }

  /** Something was written, which not every unit of work does: the problem is over. */
  noteWritten(): void {
    this.fault = null;
  }

  /**
   * Runs one unit of work after those before it. A throw undoes all of it. While another program
   * holds the lock, it waits without holding up anything else, and gives up after `lockedMsMax`.
   */
  write<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    if (this.waiting >= waitingMax)
      return Promise.reject(new TooBusyError(`${waitingMax} changes wait already; ask again`));
    this.waiting += 1;
    const deadlineMs = performance.now() + lockedMsMax;
    const result = this.last.then(() => this.transact(work, deadlineMs));
    this.last = result
      .then(
        () => this.ended(null),
        (error) => this.ended(error), // the caller gets it; the next unit must run all the same
      )
      .then(() => this.log?.keepShort());
    return result;
  }

  /** Closes once everything that waits is written, or at once. */
  async close(when: "written" | "now" = "written"): Promise<void> {
    if (when === "written") await this.last;
    await this.log?.close();
    if (this.queries !== this.writer) await this.queries.destroy();
    await this.writer.destroy();
  }

  /**
   * After a failed sync nobody knows what of the log is on the disk, and the next sync would not
   * tell (Linux takes the pages for written): what is in memory must not go on from there.
   */
  private async bringToDisk(): Promise<void> {
    if (this.log === null || !(await this.hasChanged())) return;
    try {
      await this.log.sync();
    } catch (error) {
      this.unsynced = new UnsyncedError((error as Error).message);
      throw this.unsynced;
    }
  }

  /** Did the other connection commit something since this was asked last? */
  private async hasChanged(): Promise<boolean> {
    const before = this.dataVersion;
    this.dataVersion = await readDataVersion(this.queries);
    return this.dataVersion !== before;
  }

  private ended(error: unknown): void {
    this.waiting -= 1;
    const fault = faultOf(error);
    if (fault !== null) this.fault = fault;
  }

  private async transact<T>(
    work: (unit: UnitOfWork) => Promise<T>,
    deadlineMs: number,
  ): Promise<T> {
    const afterwards: (() => void | Promise<void>)[] = [];
    let hasBegun = false;
    const attempt = (): Promise<T> =>
      this.writer.transaction().execute((db) => {
        hasBegun = true;
        return work({
          db,
          nowUnixMs: this.clock.unixMs(),
          onCommit: (run) => void afterwards.push(run),
        });
      });
    for (;;)
      try {
        if (this.unsynced !== null) throw this.unsynced;
        const result = await attempt();
        await this.bringToDisk();
        for (const run of afterwards) {
          const running = run();
          if (running !== undefined) await running; // else nobody sees a part of what changed
        }
        return result;
      } catch (error) {
        const mayWait = !hasBegun && isLocked(error) && performance.now() < deadlineMs;
        if (!mayWait) throw error;
        await pause(lockedPauseMs);
      }
  }
}

/** How long a change waits for the lock of another program, counted from when it was asked for. */
const lockedMsMax = 5000;
const lockedPauseMs = 25;
/** Changes that wait for their turn; each is a request whose body is read already. */
const waitingMax = 10_000;
/** While the server starts, it serves nobody, and may wait for the lock as it is. */
const startBusyMs = 5000;

/** Brings the tables up to date; what else they lack afterwards, something else took away. */
async function migrate(db: Kysely<Tables>, file: string): Promise<void> {
  const provider = migrationProvider;
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (isOfTables(error))
    throw new DatabaseRefusedError(`${file} is damaged (${error.message}); restore a backup`);
  if (error !== undefined) throw error;
  if (file === inMemory) return;
  const whole = new DatabaseSync(inMemory);
  const here = new DatabaseSync(file, { readOnly: true });
  try {
    const dialect = nodeSqliteDialect(whole, { yields: false });
    await new Migrator({ db: new Kysely<Tables>({ dialect }), provider }).migrateToLatest();
    checkTables(here, whole, file);
  } finally {
    here.close();
    whole.close();
  }
}

/** SQLITE_ERROR, the only code of a statement that the tables do not fit. */
function isOfTables(error: unknown): error is Error {
  return error instanceof Error && (error as { errcode?: number }).errcode === 1;
}

/** For its owner alone; SQLite gives the files beside it the same rights. */
function keepPrivate(file: string): void {
  closeSync(openSync(file, "a", 0o600));
  for (const end of ["", "-wal", "-shm"]) if (existsSync(file + end)) chmodSync(file + end, 0o600);
}

/** A database in memory belongs to one connection, which then reads and writes. */
const inMemory = ":memory:";

function connect(
  file: string,
  durability: Durability,
  first: "check" | "trust" = "trust",
): Kysely<Tables> {
  const connection = new DatabaseSync(file);
  try {
    waitForLock(connection, startBusyMs);
    if (first === "check" && file !== inMemory) checkDatabase(connection, file, migrationNames);
    useWriteAheadLog(connection, durability);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new Kysely<Tables>({
    dialect: nodeSqliteDialect(connection, { yields: durability === "full" && file !== inMemory }),
  });
}

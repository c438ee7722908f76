import { DatabaseSync } from "node:sqlite";
import { Kysely, Migrator, type Transaction } from "kysely";
import { migrationProvider } from "../migrations/index.ts";
import { nodeSqliteDialect } from "./sqlite-dialect.ts";
import type { Tables } from "./tables.ts";

/** What repositories take: the database, or one transaction of it. */
export type Queries = Kysely<Tables> | Transaction<Tables>;

/** One transaction and what must happen in memory once it is durable. */
export interface UnitOfWork {
  readonly db: Transaction<Tables>;
  readonly nowUnixMs: number;
  /** Runs after the commit and before any other unit of work; never after a rollback. */
  onCommit(run: () => void): void;
}

/** `off` leaves the writing to the operating system: for simulations, whose servers only this process can lose. */
export type Durability = "full" | "off";

/**
 * The server's SQLite file. Units of work run one after another, each in a transaction that is on the disk when `write`
 * answers (WAL with synchronous FULL), so nothing that was acknowledged is lost when the process is killed.
 */
export class FleetDatabase {
  /** For reading what is committed, also while a unit of work is under way. */
  readonly queries: Kysely<Tables>;
  private readonly writer: Kysely<Tables>;
  private readonly clock: { unixMs(): number };
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    connections: { readonly reader: Kysely<Tables>; readonly writer: Kysely<Tables> },
    clock: { unixMs(): number },
  ) {
    this.queries = connections.reader;
    this.writer = connections.writer;
    this.clock = clock;
  }

  /** Opens or creates the file and brings its tables up to date. `:memory:` is a database that vanishes. */
  static async open(
    file: string,
    clock: { unixMs(): number },
    durability: Durability = "full",
  ): Promise<FleetDatabase> {
    const writer = connect(file, durability);
    const migrator = new Migrator({ db: writer, provider: migrationProvider });
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) {
      await writer.destroy();
      throw error;
    }
    const reader = file === inMemory ? writer : connect(file, durability);
    return new FleetDatabase({ reader, writer }, clock);
  }

  /** Runs one unit of work after those before it. A throw undoes all of it. */
  write<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.transact(work));
    this.last = result.catch(() => {}); // the caller gets the error; the next unit must run all the same
    return result;
  }

  async close(): Promise<void> {
    await this.last;
    if (this.queries !== this.writer) await this.queries.destroy();
    await this.writer.destroy();
  }

  private async transact<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const afterwards: (() => void)[] = [];
    const result = await this.writer.transaction().execute((db) =>
      work({
        db,
        nowUnixMs: this.clock.unixMs(),
        onCommit: (run) => void afterwards.push(run),
      }),
    );
    for (const run of afterwards) run();
    return result;
  }
}

/** A database in memory belongs to one connection, which then reads and writes. */
const inMemory = ":memory:";

function connect(file: string, durability: Durability): Kysely<Tables> {
  const connection = new DatabaseSync(file);
  try {
    connection.exec("pragma journal_mode = wal");
    connection.exec(`pragma synchronous = ${durability}`);
    connection.exec("pragma foreign_keys = on");
    connection.exec("pragma busy_timeout = 5000");
  } catch (error) {
    connection.close();
    throw error;
  }
  return new Kysely<Tables>({ dialect: nodeSqliteDialect(connection) });
}

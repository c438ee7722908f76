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

/**
 * The server's SQLite file. Units of work run one after another, each in a transaction that is on the disk when `write`
 * answers (WAL with synchronous FULL), so nothing that was acknowledged is lost when the process is killed.
 */
export class FleetDatabase {
  readonly queries: Kysely<Tables>;
  private readonly connection: DatabaseSync;
  private readonly clock: { unixMs(): number };
  private last: Promise<unknown> = Promise.resolve();

  private constructor(connection: DatabaseSync, clock: { unixMs(): number }) {
    this.connection = connection;
    this.clock = clock;
    this.queries = new Kysely<Tables>({ dialect: nodeSqliteDialect(connection) });
  }

  /** Opens or creates the file and brings its tables up to date. `:memory:` is a database that vanishes. */
  static async open(file: string, clock: { unixMs(): number }): Promise<FleetDatabase> {
    const connection = new DatabaseSync(file);
    connection.exec("pragma journal_mode = wal");
    connection.exec("pragma synchronous = full");
    connection.exec("pragma foreign_keys = on");
    connection.exec("pragma busy_timeout = 5000");
    const database = new FleetDatabase(connection, clock);
    const migrator = new Migrator({ db: database.queries, provider: migrationProvider });
    const { error } = await migrator.migrateToLatest();
    if (error !== undefined) {
      connection.close();
      throw error;
    }
    return database;
  }

  /** Runs one unit of work after those before it. A throw undoes all of it. */
  write<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.transact(work));
    this.last = result.catch(() => {}); // the caller gets the error; the next unit must run all the same
    return result;
  }

  /** Rows written since the file was opened: tests hold idle polls against it. */
  rowsWritten(): number {
    const row = this.connection.prepare("select total_changes() as rows").get();
    return Number(row?.["rows"]);
  }

  async close(): Promise<void> {
    await this.last;
    await this.queries.destroy();
  }

  private async transact<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const afterwards: (() => void)[] = [];
    const result = await this.queries.transaction().execute((db) =>
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

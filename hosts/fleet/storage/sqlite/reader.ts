import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { type CompiledQuery, Kysely } from "kysely";
import { nodeSqliteDialect } from "./dialect.ts";

/** How long it tries again where another program has the lock. */
const busyMs = 5000;

/** One look at the file of a server that may go on writing it, for a thread that may scan. */
export class SnapshotReader<Tables> {
  readonly db: Kysely<Tables>;
  readonly #connection: DatabaseSync;

  /** All that it reads is of one moment. */
  constructor(file: string) {
    const connection = new DatabaseSync(file, { readOnly: true });
    try {
      connection.exec(`pragma busy_timeout = ${busyMs}`);
      connection.exec("begin");
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#connection = connection;
    this.db = new Kysely<Tables>({ dialect: nodeSqliteDialect(connection, { yields: false }) });
  }

  /**
   * Takes the `key` and the `row` of a query's rows as they are found: SQLite would sort them to
   * group them, which takes three times as long.
   */
  each({ sql, parameters }: CompiledQuery, take: (key: string, row: number) => void): void {
    this.#connection.aggregate("taken", {
      start: 0,
      step: (start, key, row) => {
        take(key as string, row as number);
        return start;
      },
    });
    const statement = this.#connection.prepare(`select taken("key", "row") from (${sql})`);
    statement.get(...(parameters as SQLInputValue[]));
  }

  close(): Promise<void> {
    return this.db.destroy();
  }
}

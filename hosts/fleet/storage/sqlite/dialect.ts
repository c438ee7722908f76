import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import {
  CompiledQuery,
  type DatabaseConnection,
  type QueryResult,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
} from "kysely";
import { isLocked } from "../../terms/faults.ts";
import { leaveTurn } from "../../time/slices.ts";

/**
 * Prepared statements kept; Kysely writes the same text for the same query, so the set is small.
 */
const statementsMax = 256;
/** A locked database is asked again after this time, outside of transactions. */
const lockedPauseMs = 25;
const lockedTriesMax = 200;

export interface SqliteOptions {
  /** Others have their turn between queries. Off for simulations, which nobody waits beside. */
  readonly yields: boolean;
}

/**
 * Kysely's SQLite dialect over Node's own `DatabaseSync`, with the prepared statements kept. Its
 * calls hold the thread that they run on, so that none of them may wait: the lock of another
 * program is asked for again later, and queries in a row make room for others.
 */
export function nodeSqliteDialect(database: DatabaseSync, options: SqliteOptions): SqliteDialect {
  return new PatientDialect({ database: preparing(database) }, database, options);
}

function preparing(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, PreparedStatement>();
  return {
    close: () => database.close(),
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      if (statements.size >= statementsMax) statements.clear();
      const prepared = new PreparedStatement(database.prepare(sql));
      statements.set(sql, prepared);
      return prepared;
    },
  };
}

class PatientDialect extends SqliteDialect {
  readonly #make: () => PatientDriver;

  constructor(config: SqliteDialectConfig, database: DatabaseSync, options: SqliteOptions) {
    super(config);
    this.#make = () => new PatientDriver(config, database, options);
  }

  override createDriver(): PatientDriver {
    return this.#make();
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }
}

/** SQLite changes tables in transactions: of migrations that are cut, all are done or none. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class PatientDriver extends SqliteDriver {
  readonly #database: DatabaseSync;
  readonly #options: SqliteOptions;
  #connection: DatabaseConnection | null = null;

  constructor(config: SqliteDialectConfig, database: DatabaseSync, options: SqliteOptions) {
    super(config);
    this.#database = database;
    this.#options = options;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const plain = await super.acquireConnection();
    this.#connection ??= new PatientConnection(plain, this.#database, this.#options);
    return this.#connection;
  }

  /** Takes the lock at once: a transaction that has it is stopped by nobody on its way. */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  /** SQLite has rolled back by itself what a full disk stopped; the cause must not be lost then. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isTransaction) await super.rollbackTransaction(connection);
  }
}

class PatientConnection implements DatabaseConnection {
  readonly #plain: DatabaseConnection;
  readonly #database: DatabaseSync;
  readonly #yields: boolean;

  constructor(plain: DatabaseConnection, database: DatabaseSync, options: SqliteOptions) {
    this.#plain = plain;
    this.#database = database;
    this.#yields = options.yields;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#yields) await leaveTurn();
    for (let tries = 1; ; tries += 1)
      try {
        return await this.#plain.executeQuery<R>(query);
      } catch (error) {
        // Who begins a transaction waits by itself, until a time of its own.
        const isAlone = !this.#database.isTransaction && !query.sql.startsWith("begin");
        if (!isAlone || !isLocked(error) || tries === lockedTriesMax) throw error;
        await pause(lockedPauseMs);
      }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize?: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#plain.streamQuery<R>(query, chunkSize ?? 1);
  }
}

class PreparedStatement {
  /** True when the statement answers with rows. */
  readonly reader: boolean;
  private readonly statement: StatementSync;

  constructor(statement: StatementSync) {
    this.statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]): unknown[] {
    return this.statement.all(...(parameters as SQLInputValue[]));
  }

  run(parameters: readonly unknown[]): {
    changes: number | bigint;
    lastInsertRowid: number | bigint;
  } {
    return this.statement.run(...(parameters as SQLInputValue[]));
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.statement.iterate(...(parameters as SQLInputValue[]));
  }
}

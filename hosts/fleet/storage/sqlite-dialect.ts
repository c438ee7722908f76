import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { SqliteDialect } from "kysely";

/** Prepared statements kept; Kysely writes the same text for the same query, so the set is small. */
const statementsMax = 256;

/**
 * Kysely's SQLite dialect over Node's own `DatabaseSync`: the few calls it makes on its driver, with the prepared
 * statements kept.
 */
export function nodeSqliteDialect(database: DatabaseSync): SqliteDialect {
  const statements = new Map<string, PreparedStatement>();
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        const known = statements.get(sql);
        if (known !== undefined) return known;
        if (statements.size >= statementsMax) statements.clear();
        const prepared = new PreparedStatement(database.prepare(sql));
        statements.set(sql, prepared);
        return prepared;
      },
    },
  });
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

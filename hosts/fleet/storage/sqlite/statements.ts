import type { DatabaseSync } from "node:sqlite";
import { type Expression, type Kysely, type RawBuilder, sql } from "kysely";

/**
 * What the storage asks for in words that SQLite alone knows. Another database gets a file like
 * this one beside its dialect; every other query of the storage is Kysely's, or standard SQL.
 */

/** How long a statement of this connection holds its thread while another program has the lock. */
export function waitForLock(connection: DatabaseSync, ms: number): void {
  connection.exec(`pragma busy_timeout = ${ms}`);
}

/** Commits go to a log beside the file; `full` has each on the disk when it is done. */
export function useWriteAheadLog(connection: DatabaseSync, synchronous: "full" | "off"): void {
  connection.exec("pragma journal_mode = wal");
  connection.exec(`pragma synchronous = ${synchronous}`);
  connection.exec("pragma foreign_keys = on");
}

/** A statement that meets the lock of another program fails at once. */
export async function neverWaitForLock<T>(db: Kysely<T>): Promise<void> {
  await sql`pragma busy_timeout = 0`.execute(db);
}

/** Commits are in the log and not yet on the disk: a thread of its own brings them there. */
export async function leaveSyncingToThread<T>(writer: Kysely<T>): Promise<void> {
  await sql`pragma synchronous = normal`.execute(writer);
}

/** The log grows until a thread of its own copies it into the file. */
export async function leaveCheckpointsToThread<T>(db: Kysely<T>): Promise<void> {
  await sql`pragma wal_autocheckpoint = 0`.execute(db);
}

/** A number that changes when another connection has committed something. */
export async function readDataVersion<T>(db: Kysely<T>): Promise<number> {
  const { rows } = await sql<{ data_version: number }>`pragma data_version`.execute(db);
  return rows[0]?.data_version ?? 0;
}

/** A number that the file carries beside its tables; 0 in a new file. */
export async function readFileMark<T>(db: Kysely<T>): Promise<number> {
  const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(db);
  return rows[0]?.user_version ?? 0;
}

export async function writeFileMark<T>(db: Kysely<T>, mark: number): Promise<void> {
  await sql`pragma user_version = ${sql.lit(mark)}`.execute(db);
}

/** Moves the ids of a table on where the last one given out then stays below `below`. */
export async function moveSequenceOn<T>(
  db: Kysely<T>,
  table: string,
  count: number,
  below = Number.MAX_SAFE_INTEGER,
): Promise<void> {
  await sql`update sqlite_sequence set seq = seq + ${count}
    where name = ${table} and seq + ${count} < ${below}`.execute(db);
}

/** Rows that `limit` lets through where a query has an offset and no bound of its own. */
export const everyRow = -1;

/** Texts to look for, whatever their number: one parameter carries them all. */
export function listOf(texts: readonly string[]): RawBuilder<string> {
  return sql`(select value from json_each(${JSON.stringify(texts)}))`;
}

/** Rows to insert, whatever their number: one parameter carries them all. */
export function rowsOf(
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): RawBuilder<unknown> {
  const picked = columns.map(
    (column, place) => sql`value ->> ${sql.lit(place)} as ${sql.ref(column)}`,
  );
  return sql`(select ${sql.join(picked)} from json_each(${JSON.stringify(rows)}))`;
}

/** A member of a text of JSON; null where the text is no JSON, or lacks the member. */
export function jsonMember(text: Expression<unknown>, name: string): RawBuilder<unknown> {
  return sql`case when json_valid(${text}) then json_extract(${text}, ${`$.${name}`}) end`;
}

/** Bytes of texts together, as they are stored; a null has none. */
export function bytesOf(texts: readonly Expression<unknown>[]): RawBuilder<number> {
  return sql`(${sql.join(
    texts.map((text) => sql`coalesce(octet_length(${text}), 0)`),
    sql` + `,
  )})`;
}

/** Does a text consist of the parts in their order, with any text between one and the next? */
export function hasForm(text: Expression<unknown>, parts: readonly string[]): RawBuilder<boolean> {
  const pattern = parts.map((part) => part.replaceAll(/[*?[]/g, "[$&]")).join("*");
  return sql`${text} glob ${pattern}`;
}

/** The number of a row, which grows with the age of the table's rows. */
export function rowNumber(table: string): RawBuilder<number> {
  return sql<number>`${sql.ref(`${table}.rowid`)}`;
}

/** Values as one text, a JSON array. */
export function textList(values: readonly Expression<unknown>[]): RawBuilder<string> {
  return sql<string>`json_array(${sql.join(values)})`;
}

/** The values of a group of rows as one text, a JSON array. */
export function textListOf(value: Expression<unknown>): RawBuilder<string> {
  return sql<string>`json_group_array(${value})`;
}

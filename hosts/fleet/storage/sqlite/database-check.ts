import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";

/** A file that this server must not work on. */
export class DatabaseRefusedError extends Error {
  override readonly name = "DatabaseRefusedError";
}

/** "SQLite format 3" and a zero byte (sqlite.org/fileformat.html, 1.3). */
const magic = Buffer.from("SQLite format 3\0");
const headBytes = 100;
/** A whole check reads all of the file, which is too long for a large one. */
const wholeCheckBytesMax = 64 * 1024 * 1024;

/** Refuses what is there and is no SQLite database, before SQLite touches it. */
export function checkFileIsDatabase(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === false)
    throw new DatabaseRefusedError(
      `${file} is a folder, or no file: move it away, or restore a backup`,
    );
  const head = readHead(file);
  if (head === null || head.length === 0) return;
  if (!head.subarray(0, magic.length).equals(magic))
    throw new DatabaseRefusedError(
      `${file} is no SQLite database: it is damaged or another program's; restore a backup or give another --data`,
    );
  const { size } = statSync(file);
  const bytes = bytesOf(head);
  const hasFrames = (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (!hasFrames && size < bytes)
    throw new DatabaseRefusedError(
      `${file} is cut off: it has ${size} of its ${bytes} bytes; restore a backup`,
    );
}

/** How long the file is by its header (1.3.2, 1.3.8); without a WAL that is how long it must be. */
function bytesOf(head: Buffer): number {
  if (head.length < headBytes || !head.subarray(24, 28).equals(head.subarray(92, 96))) return 0;
  const pageBytes = head.readUInt16BE(16);
  return head.readUInt32BE(28) * (pageBytes === 1 ? 65_536 : pageBytes);
}

/** Refuses a database that is damaged, of another program, or of a newer server. */
export function checkDatabase(
  database: DatabaseSync,
  file: string,
  migrations: readonly string[],
): void {
  if (statSync(file).size <= wholeCheckBytesMax) {
    const found = String(database.prepare("pragma quick_check(1)").get()?.["quick_check"]);
    if (found !== "ok")
      throw new DatabaseRefusedError(
        `${file} is damaged (${found.replaceAll(/\s+/g, " ").slice(0, 200)}); restore a backup`,
      );
  }
  const tables = database
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    .all()
    .map(({ name }) => String(name));
  if (tables.length === 0) return;
  if (!tables.includes("kysely_migration"))
    throw new DatabaseRefusedError(
      `${file} is another program's database (its first table is ${tables[0]}); give another --data`,
    );
  const applied = database
    .prepare("select name from kysely_migration order by name")
    .all()
    .map(({ name }) => String(name));
  const unknown = applied.filter((name) => !migrations.includes(name));
  if (unknown.length > 0)
    throw new DatabaseRefusedError(
      `${file} is of a newer server (its tables went through ${unknown[0]}); start that version, or restore a backup of this one's`,
    );
  const passedOver = migrations.find((name, index) => applied[index] !== name);
  if (passedOver !== undefined && applied.length > migrations.indexOf(passedOver))
    throw new DatabaseRefusedError(
      `${file} is damaged (its tables did not go through ${passedOver}, which comes before ${applied.at(-1)}); restore a backup`,
    );
}

const columnsMax = 5;

/** Refuses a database that lacks what one of this server has: something else changed it. */
export function checkTables(database: DatabaseSync, whole: DatabaseSync, file: string): void {
  const here = new Set(columnsOf(database));
  const missing = columnsOf(whole).filter((column) => !here.has(column));
  if (missing.length > 0)
    throw new DatabaseRefusedError(
      `${file} is damaged (it lacks ${missing.slice(0, columnsMax).join(", ")}); restore a backup`,
    );
}

function columnsOf(database: DatabaseSync): string[] {
  return database
    .prepare(
      "select t.name || '.' || c.name as name from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table'",
    )
    .all()
    .map(({ name }) => String(name));
}

function readHead(file: string): Buffer | null {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const head = Buffer.alloc(headBytes);
    return head.subarray(0, readSync(handle, head, 0, head.length, 0));
  } finally {
    closeSync(handle);
  }
}

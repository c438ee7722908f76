import { closeSync, openSync, readSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { type Kysely, sql } from "kysely";
import { DatabaseRefusedError } from "./database-check.ts";

/** Where a file's header has its application id (sqlite.org/fileformat.html, 1.3.14). */
const generationAt = 68;
const generationMax = 0x7fff_ffff;

/**
 * Begins a generation: a log that starts anew counts one up in the head of the database, so that
 * the file is of the log's generation or of the one before, and a copy of another age is told.
 */
export async function beginGeneration<T>(db: Kysely<T>): Promise<void> {
  const { rows } = await sql<{ application_id: number }>`pragma application_id`.execute(db);
  const next = nextGeneration(rows[0]?.application_id ?? 0);
  await sql`pragma application_id = ${sql.lit(next)}`.execute(db);
}

/** The same by a thread that has a connection of its own. */
export function beginGenerationHere(database: DatabaseSync): void {
  const { application_id: before } = database.prepare("pragma application_id").get() ?? {};
  database.exec(`pragma application_id = ${nextGeneration(Number(before))}`);
}

function nextGeneration(generation: number): number {
  return (generation % generationMax) + 1;
}

/** A log that is not empty goes on in its generation. */
export function isLogEmpty(file: string): boolean {
  return (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/**
 * Refuses a database beside the log of a newer one: SQLite would take the log's pages into it.
 * Reads only, so that whoever restores the right file finds both as they were.
 */
export function checkLogFits(file: string): void {
  if (isLogEmpty(file)) return;
  const ofFile = generationOfFile(file);
  if (ofFile === null) return; // it is refused for what it is
  const ofLog = generationWithLog(file);
  if (ofLog === null || ofLog === ofFile || ofLog === nextGeneration(ofFile)) return;
  throw new DatabaseRefusedError(
    `${file} is a copy of another age than its log (${file}-wal): restore both from one backup, or move the log and ${file}-shm away to start from this copy alone`,
  );
}

function generationOfFile(file: string): number | null {
  const handle = openSync(file, "r");
  try {
    const head = Buffer.alloc(generationAt + 4);
    return readSync(handle, head, 0, head.length, 0) === head.length
      ? head.readUInt32BE(generationAt)
      : null;
  } finally {
    closeSync(handle);
  }
}

/** Null where SQLite cannot read it, which is told when the server opens it. */
function generationWithLog(file: string): number | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    return Number(database.prepare("pragma application_id").get()?.["application_id"]);
  } catch {
    return null;
  } finally {
    database?.close();
  }
}

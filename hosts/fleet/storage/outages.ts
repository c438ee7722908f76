import type { Queries } from "./database.ts";

/** A time in which devices could not rely on the server. */
export interface Outage {
  readonly fromUnixMs: number;
  readonly toUnixMs: number;
  /** `stopped`: no server ran. `late`: it ran and came to nothing. `failing`: it answered with errors. */
  readonly cause: "stopped" | "late" | "failing";
}

const aliveRow = 1;

/** When the server last noted that it runs; null for a new database. */
export async function readAlive(db: Queries): Promise<number | null> {
  const row = await db.selectFrom("server_alive").select("at").executeTakeFirst();
  return row?.at ?? null;
}

export async function writeAlive(db: Queries, atUnixMs: number): Promise<void> {
  await db
    .insertInto("server_alive")
    .values({ id: aliveRow, at: atUnixMs })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ at: atUnixMs }))
    .execute();
}

/** Oldest first. */
export async function listOutages(db: Queries, limit: number): Promise<Outage[]> {
  const rows = await db
    .selectFrom("server_outages")
    .selectAll()
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
  return rows
    .reverse()
    .map(({ from_at, to_at, cause }) => ({ fromUnixMs: from_at, toUnixMs: to_at, cause }));
}

/** Keeps the newest `keptMax`. */
export async function addOutage(db: Queries, outage: Outage, keptMax: number): Promise<void> {
  const { fromUnixMs, toUnixMs, cause } = outage;
  const { id } = await db
    .insertInto("server_outages")
    .values({ from_at: fromUnixMs, to_at: toUnixMs, cause })
    .returning("id")
    .executeTakeFirstOrThrow();
  await db
    .deleteFrom("server_outages")
    .where("id", "<=", id - keptMax)
    .execute();
}

import type { Queries } from "./database.ts";

/** A time in which devices could not rely on the server. */
export interface Outage {
  readonly fromUnixMs: number;
  readonly toUnixMs: number;
  /** When it ended, as service time. */
  readonly toServiceMs: number;
  /**
   * `stopped`: no server ran. `late`: it ran and came to nothing. `failing`: it answered with
   * errors.
   */
  readonly cause: "stopped" | "late" | "failing";
}

const aliveRow = 1;

/** When the server last noted that it runs, by both clocks. */
export interface Alive {
  readonly unixMs: number;
  readonly serviceMs: number;
}

/** Null for a new database. */
export async function readAlive(db: Queries): Promise<Alive | null> {
  const row = await db.selectFrom("server_alive").selectAll().executeTakeFirst();
  return row === undefined ? null : { unixMs: row.at, serviceMs: row.service_ms ?? row.at };
}

export async function writeAlive(db: Queries, { unixMs, serviceMs }: Alive): Promise<void> {
  const times = { at: unixMs, service_ms: serviceMs };
  await db
    .insertInto("server_alive")
    .values({ id: aliveRow, ...times })
    .onConflict((conflict) => conflict.column("id").doUpdateSet(times))
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
  return rows.reverse().map(({ from_at, to_at, service_ms, cause }) => ({
    fromUnixMs: from_at,
    toUnixMs: to_at,
    toServiceMs: service_ms ?? to_at,
    cause,
  }));
}

/** Keeps the newest `keptMax`. */
export async function addOutage(db: Queries, outage: Outage, keptMax: number): Promise<void> {
  const { fromUnixMs, toUnixMs, toServiceMs, cause } = outage;
  const { id } = await db
    .insertInto("server_outages")
    .values({ from_at: fromUnixMs, to_at: toUnixMs, service_ms: toServiceMs, cause })
    .returning("id")
    .executeTakeFirstOrThrow();
  await db
    .deleteFrom("server_outages")
    .where("id", "<=", id - keptMax)
    .execute();
}

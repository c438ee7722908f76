import type { FleetDatabase } from "../storage/database.ts";
import {
  findDirectorTime,
  latestToldTime,
  listDirectorKeys,
  listToldFrom,
  writeDirectorTime,
} from "../storage/director-times.ts";
import type { FleetClock } from "../time/clock.ts";

/** What a document says of itself. */
export interface DirectorTime {
  readonly version: number;
  /** Whole seconds. */
  readonly timeUnixMs: number;
}

/** Devices that were told a time which documents do not reach. */
export interface DevicesAhead {
  readonly count: number;
  readonly latestUnixMs: number;
  /** A few of them. */
  readonly deviceIds: readonly string[];
}

const shownMax = 5;

/**
 * What each device was told last, so that it is never told less, whatever the wall clock does: a
 * device takes no lower version and no earlier time again. Both are made of the wall clock, which
 * moves them past what a lost disk had; while the clock is behind what a device was told, its
 * version grows by one, and its time stands still. See
 * docs/decisions/director-after-a-wrong-clock.md.
 */
export class DirectorTimes {
  readonly #database: FleetDatabase;
  readonly #clock: FleetClock;

  constructor(database: FleetDatabase, clock: FleetClock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** For the next document to this device; it is on the disk when this answers. */
  async next(deviceId: string, directorKeyIds: readonly string[]): Promise<DirectorTime> {
    const nowUnixMs = this.#clock.unixMs();
    if (nowUnixMs < 0 || nowUnixMs > unixMsMax)
      throw new RangeError(`${nowUnixMs} is no time of this server: set its clock`);
    return this.#database.write(async ({ db }) => {
      const before = await findDirectorTime(db, deviceId);
      const seconds = Math.floor(nowUnixMs / 1000);
      const remembers = before !== null && isRemembered(before.director_keys, directorKeyIds);
      const told = {
        version: Math.max(seconds, (before?.version ?? 0) + 1),
        timeUnixMs: Math.max(seconds * 1000, remembers ? before.told_time : 0),
      };
      await writeDirectorTime(db, {
        device_id: deviceId,
        version: told.version,
        told_time: told.timeUnixMs,
        director_keys: textOf(directorKeyIds),
      });
      return told;
    });
  }

  /** The latest time before `beforeUnixMs` that any device was told that goes by it still; or 0. */
  async latest(directorKeyIds: readonly string[], beforeUnixMs: number): Promise<number> {
    let latest = 0;
    for (const keys of await this.#remembered(directorKeyIds))
      latest = Math.max(
        latest,
        (await latestToldTime(this.#database.queries, keys, beforeUnixMs)) ?? 0,
      );
    return latest;
  }

  /** Devices that were told `fromUnixMs` or a later time and go by it still; null for none. */
  async ahead(directorKeyIds: readonly string[], fromUnixMs: number): Promise<DevicesAhead | null> {
    const found = [];
    for (const keys of await this.#remembered(directorKeyIds))
      found.push(...(await listToldFrom(this.#database.queries, keys, fromUnixMs)));
    if (found.length === 0) return null;
    return {
      count: found.length,
      latestUnixMs: found.reduce((latest, { told_time }) => Math.max(latest, told_time), 0),
      deviceIds: found.slice(0, shownMax).map(({ device_id }) => device_id),
    };
  }

  async #remembered(directorKeyIds: readonly string[]): Promise<string[]> {
    const known = await listDirectorKeys(this.#database.queries);
    return known.filter((keys) => isRemembered(keys, directorKeyIds));
  }
}

/** One line for logs and operators. */
export function describeAhead(ahead: DevicesAhead, endUnixMs: number): string {
  const { count, latestUnixMs, deviceIds } = ahead;
  const minute = (unixMs: number) => new Date(unixMs).toISOString().slice(0, 16).replace("T", " ");
  return (
    `${count} device${count === 1 ? "" : "s"} (${deviceIds.join(", ")}${count > deviceIds.length ? ", ..." : ""}) ` +
    `learnt from a wrong clock that it is ${minute(latestUnixMs)} UTC, and install nothing that the offline keys ` +
    `signed until ${minute(endUnixMs)}: sign that anew for longer, or give the root another online key`
  );
}

/** The end of what documents can tell, with room for the life of one. */
const unixMsMax = Date.UTC(9999, 0, 1);

function textOf(keyIds: readonly string[]): string {
  return [...keyIds].sort().join(",");
}

/**
 * A device forgets what was said with a key that the root takes away: src/trust/director-memory.ts.
 */
function isRemembered(keys: string, directorKeyIds: readonly string[]): boolean {
  return keys.split(",").every((keyId) => directorKeyIds.includes(keyId));
}

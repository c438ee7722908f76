import { limits } from "../limits.ts";
import type { FleetDatabase } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import { addOutage, listOutages, type Outage, readAlive, writeAlive } from "../storage/outages.ts";
import { moveIdsOn } from "../storage/sequences.ts";

/** The server notes this often that it runs. */
const aliveEveryMs = 10_000;
/** A server that was away for longer than this may have cost a device its trial. */
const stoppedMinMs = 2 * aliveEveryMs;
/** Ticks that are due once a second and come this late mean that requests waited as long. */
const lateMinMs = 15_000;
/** Failures within this time of each other are one outage. */
const failingGapMs = 60_000;

/**
 * When the server itself was down, late or failing: a device that missed its heartbeat then says nothing about its
 * release. What happened before a restart is in the database, so that devices that report afterwards still count right.
 */
export class Outages {
  readonly #database: FleetDatabase;
  readonly #ticksEveryMs: number | null;
  #known: readonly Outage[];
  #aliveAtUnixMs: number;
  #failing: { fromUnixMs: number; toUnixMs: number } | null = null;
  #lastTickAtUnixMs: number | null = null;

  private constructor(
    database: FleetDatabase,
    known: readonly Outage[],
    times: { readonly aliveAtUnixMs: number; readonly ticksEveryMs: number | null },
  ) {
    this.#database = database;
    this.#known = known;
    this.#aliveAtUnixMs = times.aliveAtUnixMs;
    this.#ticksEveryMs = times.ticksEveryMs;
  }

  /** `ticksEveryMs` is how often the owner of the server ticks, or null when nobody can be late. */
  static async open(
    database: FleetDatabase,
    nowUnixMs: number,
    ticksEveryMs: number | null,
  ): Promise<Outages> {
    const before = await readAlive(database.queries);
    const known = await listOutages(database.queries, limits.outagesKeptMax);
    const times = { aliveAtUnixMs: nowUnixMs, ticksEveryMs };
    const outages = new Outages(database, known, times);
    const wasAway = before !== null && nowUnixMs - before >= stoppedMinMs;
    if (wasAway) {
      await outages.#keep({ fromUnixMs: before, toUnixMs: nowUnixMs, cause: "stopped" });
      // The same as after a stop is what a database shows that came back from a backup.
      await database.write((unit) => moveIdsOn(unit.db, nowUnixMs - before));
    }
    await outages.#noteAlive(nowUnixMs);
    return outages;
  }

  /** Was there one that ended at or after this time? */
  since(unixMs: number): boolean {
    if (this.#failing !== null && this.#failing.toUnixMs >= unixMs) return true;
    return this.#known.some(({ toUnixMs }) => toUnixMs >= unixMs);
  }

  list(): readonly Outage[] {
    return this.#known;
  }

  /** A request of a device failed by a defect or a broken disk of the server. */
  noteFailure(nowUnixMs: number): void {
    const before = this.#failing;
    const fromUnixMs =
      before !== null && nowUnixMs - before.toUnixMs <= failingGapMs
        ? before.fromUnixMs
        : nowUnixMs;
    this.#failing = { fromUnixMs, toUnixMs: nowUnixMs };
  }

  /** Called by every tick. */
  async tick(nowUnixMs: number): Promise<void> {
    const last = this.#lastTickAtUnixMs;
    this.#lastTickAtUnixMs = nowUnixMs;
    const lateMs = last === null || this.#ticksEveryMs === null ? 0 : nowUnixMs - last;
    if (last !== null && lateMs >= lateMinMs + (this.#ticksEveryMs ?? 0))
      await this.#keep({ fromUnixMs: last, toUnixMs: nowUnixMs, cause: "late" });
    const failing = this.#failing;
    if (failing !== null && nowUnixMs - failing.toUnixMs > failingGapMs) {
      await this.#keep({ ...failing, cause: "failing" });
      if (this.#failing === failing) this.#failing = null;
    }
    const isDue = nowUnixMs - this.#aliveAtUnixMs >= aliveEveryMs;
    // While nothing can be written, each tick tries whether it can be again.
    if (isDue || this.#database.problem !== null) await this.#noteAlive(nowUnixMs);
  }

  /** A server that closes was there until now. */
  async close(nowUnixMs: number): Promise<void> {
    const failing = this.#failing;
    if (failing !== null) await this.#keep({ ...failing, cause: "failing" });
    this.#failing = null;
    await this.#noteAlive(nowUnixMs);
  }

  async #noteAlive(nowUnixMs: number): Promise<void> {
    this.#aliveAtUnixMs = nowUnixMs;
    await this.#database.write((unit) => writeAlive(unit.db, nowUnixMs));
    this.#database.noteWritten();
  }

  async #keep(outage: Outage): Promise<void> {
    await this.#database.write(async (unit) => {
      await addOutage(unit.db, outage, limits.outagesKeptMax);
      const details = { ...outage };
      await addEvent(unit.db, { kind: "server-outage", details }, unit.nowUnixMs);
      unit.onCommit(() => {
        this.#known = [...this.#known, outage].slice(-limits.outagesKeptMax);
      });
    });
  }
}

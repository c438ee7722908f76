import type { FleetDatabase } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import {
  type Alive,
  addOutage,
  listOutages,
  type Outage,
  readAlive,
  writeAlive,
} from "../storage/outages.ts";
import { moveIdsOn } from "../storage/sequences.ts";
import type { ServedMark } from "../storage/served-mark.ts";
import { limits } from "../terms/limits.ts";
import type { FleetClock } from "../time/clock.ts";
import type { ServiceTime } from "../time/service-time.ts";

/** The server notes this often that it runs. */
const aliveEveryMs = 10_000;
/** A server that was away for longer than this may have cost a device its trial. */
const stoppedMinMs = 2 * aliveEveryMs;
/** Failures within this time of each other are one outage. */
const failingGapMs = 60_000;

interface OutageTools {
  readonly clock: FleetClock;
  readonly time: ServiceTime;
  /** Null for a database that can be lost. */
  readonly mark: ServedMark | null;
}

interface Failing {
  readonly from: Alive;
  readonly to: Alive;
}

/**
 * When the server itself was down, late or failing: a device that missed its heartbeat then says
 * nothing about its release. What happened before a restart is in the database, so that devices
 * that report afterwards still count right. Outages are compared by service time; their wall times
 * are for people, and may be wrong as that clock is.
 */
export class Outages {
  readonly #database: FleetDatabase;
  readonly #clock: FleetClock;
  readonly #time: ServiceTime;
  readonly #mark: ServedMark | null;
  #known: readonly Outage[];
  #alive: Alive;
  #lastTick: Alive;
  #failing: Failing | null = null;

  private constructor(
    database: FleetDatabase,
    known: readonly Outage[],
    { clock, time, mark }: OutageTools,
  ) {
    this.#database = database;
    this.#known = known;
    this.#clock = clock;
    this.#time = time;
    this.#mark = mark;
    this.#alive = this.#now();
    this.#lastTick = this.#alive;
  }

  static async open(database: FleetDatabase, tools: OutageTools): Promise<Outages> {
    const before = await readAlive(database.queries);
    const known = await listOutages(database.queries, limits.outagesKeptMax);
    const outages = new Outages(database, known, tools);
    if (before !== null) await outages.#noteStop(before);
    await outages.#noteAlive();
    return outages;
  }

  /** Was there one that ended at or after this service time? */
  since(serviceMs: number): boolean {
    if (this.#failing !== null && this.#failing.to.serviceMs >= serviceMs) return true;
    return this.#known.some(({ toServiceMs }) => toServiceMs >= serviceMs);
  }

  list(): readonly Outage[] {
    return this.#known;
  }

  /** A request of a device failed by a defect or a broken disk of the server. */
  noteFailure(): void {
    const [before, now] = [this.#failing, this.#now()];
    const isSame = before !== null && now.serviceMs - before.to.serviceMs <= failingGapMs;
    this.#failing = { from: isSame ? before.from : now, to: now };
  }

  /** Called by every tick; answers by how much the wall clock was set, or null. */
  async tick(): Promise<number | null> {
    const last = this.#lastTick;
    const { isLate, clockStepMs } = this.#time.tick();
    const now = this.#now();
    this.#lastTick = now;
    if (clockStepMs !== null) await this.#tellStep(clockStepMs);
    if (isLate) await this.#keep({ from: last, to: now }, "late");
    const failing = this.#failing;
    if (failing !== null && now.serviceMs - failing.to.serviceMs > failingGapMs) {
      await this.#keep(failing, "failing");
      if (this.#failing === failing) this.#failing = null;
    }
    const isDue = now.serviceMs - this.#alive.serviceMs >= aliveEveryMs;
    // While nothing can be written, each tick tries whether it can be again.
    if (isDue || this.#database.problem !== null) await this.#noteAlive();
    return clockStepMs;
  }

  /** A server that closes was there until now. */
  async close(): Promise<void> {
    const failing = this.#failing;
    if (failing !== null) await this.#keep(failing, "failing");
    this.#failing = null;
    await this.#noteAlive();
  }

  #now(): Alive {
    return { unixMs: this.#clock.unixMs(), serviceMs: this.#time.nowMs() };
  }

  /**
   * A wall clock that went back in between cannot say for how long the server was away: it was. A
   * server that was killed wrote its time some seconds before, so the outage reaches as far into
   * the service time after it.
   */
  async #noteStop(before: Alive): Promise<void> {
    const now = this.#now();
    const awayMs = now.unixMs - before.unixMs;
    if (awayMs >= 0 && awayMs < stoppedMinMs) return;
    if (awayMs < 0) await this.#tellStep(awayMs);
    const to = { unixMs: now.unixMs, serviceMs: before.serviceMs + aliveEveryMs };
    await this.#keep({ from: before, to }, "stopped");
    // The same as after a stop is what a database shows that came back from a backup.
    await this.#database.write((unit) => moveIdsOn(unit.db, awayMs));
  }

  async #tellStep(stepMs: number): Promise<void> {
    await this.#database.write((unit) =>
      addEvent(unit.db, { kind: "clock-stepped", details: { stepMs } }, unit.nowUnixMs),
    );
  }

  async #noteAlive(): Promise<void> {
    const now = this.#now();
    this.#alive = now;
    await this.#database.write((unit) => writeAlive(unit.db, now));
    await this.#mark?.advance(now.serviceMs);
    this.#database.noteWritten();
  }

  async #keep({ from, to }: Failing, cause: Outage["cause"]): Promise<void> {
    const times = { fromUnixMs: from.unixMs, toUnixMs: to.unixMs };
    const outage: Outage = { ...times, toServiceMs: to.serviceMs, cause };
    await this.#database.write(async (unit) => {
      await addOutage(unit.db, outage, limits.outagesKeptMax);
      const details = { ...times, cause };
      await addEvent(unit.db, { kind: "server-outage", details }, unit.nowUnixMs);
      unit.onCommit(() => {
        this.#known = [...this.#known, outage].slice(-limits.outagesKeptMax);
      });
    });
  }
}

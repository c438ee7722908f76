import type { ActionRow } from "../storage/actions.ts";
import type { DeviceRow } from "../storage/devices.ts";
import type { DeviceId } from "../terms/names.ts";
import { undecided } from "./plan.ts";
import { type NextWake, wakeOfRow } from "./wake-times.ts";

/** What a base poll tells the device to do now. */
export type Instruction =
  | { readonly kind: "none" }
  | {
      readonly kind: "install";
      readonly actionId: number;
      readonly etag: number;
      /** What DDI's `maintenanceWindow` says; null where no windows count. */
      readonly windowOpen: boolean | null;
    }
  | { readonly kind: "confirm"; readonly actionId: number; readonly etag: number }
  | { readonly kind: "cancel"; readonly actionId: number };

/** Unix time in milliseconds, from the first instant to the one before the last. */
export interface Interval {
  readonly fromUnixMs: number;
  readonly untilUnixMs: number;
}

/**
 * Does what was decided by windows still hold? Not once one may have opened or closed, and not when
 * the wall clock was set back to before the decision. Null holds at any time.
 */
export function isDecidedAt(decidedWhile: Interval | null, unixMs: number): boolean {
  if (decidedWhile === null) return true;
  return decidedWhile.fromUnixMs <= unixMs && unixMs < decidedWhile.untilUnixMs;
}

/**
 * A device as the server keeps it in memory. Everything but the last contact is also in the
 * database and changes only when a unit of work is durable, so an idle poll needs no SQL.
 */
export interface DeviceEntry {
  readonly id: DeviceId;
  row: DeviceRow;
  action: ActionRow | null;
  instruction: Instruction;
  /**
   * The plan that `instruction` was decided under; another number means that it must be decided
   * again.
   */
  decidedPlan: number;
  /** When it must be decided again by the wall clock: see `isDecidedAt`. */
  decidedWhile: Interval | null;
  /** The last `Sluice-Running` header as it came, to see at a glance that nothing changed. */
  runningHeader: string | null;
  lastSeenAtUnixMs: number | null;
  /** Service time of its last contact; null for one that was not heard of since the start. */
  lastSeenServiceMs: number | null;
  /** When it wakes, as it told and has not done yet. */
  nextWake: NextWake | null;
  /** The mark of the network that it came from last with its own token. */
  knownFrom: number | null;
  /** The answer to a base poll, for the links' base that it was written for. */
  pollAnswer: { readonly baseUrl: string; readonly body: string; readonly etag: string } | null;
}

/**
 * The devices whose next poll is answered without SQL. All of it answers at once, since an idle
 * poll waits for nothing: a source that hears of changes from other servers has them before.
 */
export interface KnownDevices {
  /** Devices that are registered, known here or not. */
  readonly registered: number;
  /** Null for a device that was not heard of since the start; the database may have it. */
  find(id: DeviceId): DeviceEntry | null;
  /** Keeps a device as the database has it; the entry that is there already goes before it. */
  keep(entry: DeviceEntry): DeviceEntry;
  /** A device was registered, or removed; once that is durable. */
  add(entry: DeviceEntry): void;
  /** Devices were registered that are read at their first contact. */
  noteRegistered(count: number): void;
  remove(entry: DeviceEntry): void;
  /** The last contact of a device is due to be written, or was written. */
  noteContactDue(entry: DeviceEntry): void;
  noteContactWritten(entry: DeviceEntry): void;
  /** At most so many devices whose last contact is due. */
  contactsDue(max: number): readonly DeviceEntry[];
  /** Every device whose last contact is newer than the written one, due or not. */
  contactsUnwritten(): readonly DeviceEntry[];
}

/** What one server knows, which nobody else's server changes. */
export class DevicesOfOneServer implements KnownDevices {
  readonly #entries = new Map<DeviceId, DeviceEntry>();
  readonly #contactsDue = new Set<DeviceEntry>();
  #registered: number;

  constructor(registered: number) {
    this.#registered = registered;
  }

  get registered(): number {
    return this.#registered;
  }

  find(id: DeviceId): DeviceEntry | null {
    return this.#entries.get(id) ?? null;
  }

  keep(entry: DeviceEntry): DeviceEntry {
    const known = this.#entries.get(entry.id);
    if (known === undefined) this.#entries.set(entry.id, entry);
    return known ?? entry;
  }

  add(entry: DeviceEntry): void {
    this.#entries.set(entry.id, entry);
    this.#registered += 1;
  }

  noteRegistered(count: number): void {
    this.#registered += count;
  }

  remove(entry: DeviceEntry): void {
    this.#entries.delete(entry.id);
    this.#contactsDue.delete(entry);
    this.#registered -= 1;
  }

  noteContactDue(entry: DeviceEntry): void {
    this.#contactsDue.add(entry);
  }

  noteContactWritten(entry: DeviceEntry): void {
    this.#contactsDue.delete(entry);
  }

  contactsDue(max: number): readonly DeviceEntry[] {
    const due: DeviceEntry[] = [];
    for (const entry of this.#contactsDue) {
      if (due.length === max) break;
      due.push(entry);
    }
    return due;
  }

  contactsUnwritten(): readonly DeviceEntry[] {
    return [...this.#entries.values()].filter(
      ({ lastSeenAtUnixMs, row }) => lastSeenAtUnixMs !== row.last_seen_at,
    );
  }
}

/** A device as it comes from the database, its instruction not decided yet. */
export function newEntry(row: DeviceRow, action: ActionRow | null): DeviceEntry {
  return {
    id: row.id as DeviceId,
    row,
    action,
    instruction: { kind: "none" },
    decidedPlan: undecided,
    decidedWhile: null,
    runningHeader: null,
    lastSeenAtUnixMs: row.last_seen_at,
    lastSeenServiceMs: null,
    nextWake: wakeOfRow(row),
    knownFrom: row.known_from,
    pollAnswer: null,
  };
}

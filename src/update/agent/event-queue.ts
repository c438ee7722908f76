import { isOf, lowerHex } from "../../image/text-parts.ts";
import { type Clock, type KeyValue, type Random, StorageError } from "../../ports/board.ts";
import {
  decodeEvent,
  encodeEvent,
  eventBytesMax,
  type RecordedEvent,
  type UpdateEvent,
  type UpdateEventType,
} from "../../protocol/events.ts";
import {
  encodeJson,
  integerAt,
  type JsonObject,
  objectAt,
  parseJsonObject,
  stringAt,
} from "../../protocol/json.ts";

/** Events that wait, in memory or in the storage. */
export const eventsWaitingMax = 16;
/** Waiting events that the storage keeps, one value each: at most 6.5 KiB. */
export const milestonesKeptMax = 12;
/** Events of one request: at most 2 KiB, which are held while a connection is made. */
export const eventsPerBatchMax = 4;
/** Writes of the storage in one boot, the boot's own number included. */
export const eventWritesPerBootMax = 32;
/**
 * Writes in one boot kept for `lastWords`, so that a long life with many failures cannot use them
 * up.
 */
export const lastWordsWritesReserved = 8;

const recordKey = "events";
const recordFormat = 1;
const recordBytesMax = 128;
const valueBytesMax = eventBytesMax + 32;

/** Told in passing; a restart may lose them, and a full queue drops them first. */
const intermediate: readonly UpdateEventType[] = [
  "update.check.started",
  "update.check.completed",
  "update.download.started",
  "update.download.progress",
  "update.install.started",
];
/** A restart follows them at once. */
const lastWords: readonly UpdateEventType[] = [
  "update.reboot.started",
  "update.health.failed",
  "update.rollback.triggered",
];

/** What the board knows beside the time; null where it does not. */
export interface EventConditions {
  readonly signalDbm: number | null;
  readonly batteryPercent: number | null;
}

export interface EventQueuePorts {
  readonly keyValue: KeyValue;
  readonly clock: Clock;
  readonly random: Random;
}

/** The oldest events, to be sent as they are. */
export interface EventBatch {
  readonly ids: readonly string[];
  /** The numbers of those that are stored. */
  readonly serials: readonly number[];
  /** The body of `POST .../events`. */
  readonly body: Uint8Array;
}

/**
 * An event that waits: the number of a stored one, or the JSON of one that is in memory only. No
 * object for either, because all of them wait during the handshakes of a server that takes nothing.
 */
type Waiting = number | string;

/** The value under `events`. */
interface Stored {
  /** Drawn when the storage was new, so that a lost storage repeats no id. */
  readonly life: string;
  readonly boot: number;
  /** The last serial that the server has. */
  readonly delivered: number;
}

/**
 * Events on their way to the server: in order, each at least once, under ids that never change.
 *
 *   key         value
 *   events      { v, life, boot, delivered }    written once a boot, and after a delivery
 *   event.N     { n: serial, e: event }         N = serial % 12, written over in a circle
 *
 * Intermediate events are in memory only. Every other one, a milestone, is written once, when it
 * happens: a power cut at that write leaves it or not, later ones leave it. One between the
 * server's answer and the write of `delivered` has it sent again under the same id, which the
 * server drops. A full queue drops the oldest intermediate event first; the gap in the sequence
 * tells. A storage that refuses a write leaves the event in memory. There are at most
 * `eventWritesPerBootMax` writes in a boot; an update without failures takes 7 in its first boot
 * and 5 in its second.
 */
export class EventQueue {
  /** `<life>.<boot>` of this boot. */
  readonly bootId: string;
  /** Writes in this boot. */
  writes = 0;
  readonly #ports: EventQueuePorts;
  readonly #conditions: () => EventConditions;
  #stored: Stored;
  #waiting: Waiting[];
  #sequence = 0;
  #nextSerial: number;

  constructor(ports: EventQueuePorts, conditions: () => EventConditions) {
    this.#ports = ports;
    this.#conditions = conditions;
    const found = readRecord(ports.keyValue);
    const next = found ?? { life: drawLife(ports.random), boot: 0, delivered: 0 };
    this.#stored = { ...next, boot: next.boot + 1 };
    // A boot that cannot be counted draws a name of its own, so that its ids are its own as well.
    const isCounted = this.#write(recordKey, encodeRecord(this.#stored), eventWritesPerBootMax);
    if (!isCounted) this.#stored = { ...next, life: drawLife(ports.random) };
    this.bootId = `${this.#stored.life}.${this.#stored.boot}`;
    const kept = readMilestones(ports.keyValue);
    this.#nextSerial = Math.max(this.#stored.delivered, ...kept.map(({ serial }) => serial)) + 1;
    this.#waiting = kept
      .filter(({ serial }) => serial > this.#stored.delivered)
      .map(({ serial }) => serial);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes an event as having happened now; answers its id. */
  add(event: UpdateEvent): string {
    const { clock } = this.#ports;
    this.#sequence += 1;
    const id = `${this.bootId}-${this.#sequence}`;
    const [atUptimeMs, unixMs] = [clock.uptimeMs(), clock.unixMs()];
    const encoded = encodeEvent({ id, event, atUptimeMs, unixMs, ...this.#conditions() });
    const serial = intermediate.includes(event.type) ? null : this.#keep(encoded, event.type);
    this.#waiting.push(serial ?? JSON.stringify(encoded));
    if (this.#waiting.length > eventsWaitingMax) this.#dropOne();
    return id;
  }

  /** The oldest events that wait; the same ones again until they are `delivered`. */
  batch(): EventBatch | null {
    const [ids, serials]: [string[], number[]] = [[], []];
    const parts: string[] = [];
    for (const waiting of this.#waiting.slice(0, eventsPerBatchMax)) {
      const json = this.#jsonOf(waiting);
      // What the storage lost since then cannot be told any more; the gap in the sequence tells.
      if (json === null) this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      else {
        ids.push(idOf(json));
        if (typeof waiting === "number") serials.push(waiting);
        parts.push(json);
      }
    }
    if (ids.length === 0) return null;
    return { ids, serials, body: new TextEncoder().encode(`[${parts.join(",")}]`) };
  }

  /** The server has a batch, or will never take it: its events are forgotten. */
  delivered(batch: EventBatch): void {
    // One that was stored may have been written over meanwhile, and is in memory now.
    this.#waiting = this.#waiting.filter((waiting) =>
      typeof waiting === "number"
        ? !batch.serials.includes(waiting)
        : !batch.ids.includes(idOf(waiting)),
    );
    const delivered = Math.max(this.#stored.delivered, ...batch.serials);
    if (delivered === this.#stored.delivered) return;
    this.#stored = { ...this.#stored, delivered };
    // Not written, they are sent again after a restart, which the server tells by their ids.
    this.#write(recordKey, encodeRecord(this.#stored), ordinaryWritesMax);
  }

  /** Stores a milestone; answers its serial, or null when it is in memory only. */
  #keep(encoded: JsonObject, type: UpdateEventType): number | null {
    const serial = this.#nextSerial;
    const writesMax = lastWords.includes(type) ? eventWritesPerBootMax : ordinaryWritesMax;
    const value = encodeJson({ n: serial, e: encoded });
    const overwritten = this.#waiting.indexOf(serial - milestonesKeptMax);
    const json = overwritten < 0 ? null : this.#jsonOf(serial - milestonesKeptMax);
    if (!this.#write(milestoneKey(serial), value, writesMax)) return null;
    this.#nextSerial += 1;
    if (json !== null) this.#waiting[overwritten] = json;
    else if (overwritten >= 0) this.#waiting.splice(overwritten, 1); // the storage has lost it
    return serial;
  }

  #jsonOf(waiting: Waiting): string | null {
    if (typeof waiting === "string") return waiting;
    const kept = readMilestone(this.#ports.keyValue, waiting % milestonesKeptMax);
    return kept?.serial === waiting ? JSON.stringify(encodeEvent(kept)) : null;
  }

  #dropOne(): void {
    this.#waiting.splice(Math.max(this.#waiting.findIndex(isIntermediate), 0), 1);
  }

  #write(key: string, value: Uint8Array, writesMax: number): boolean {
    if (this.writes >= writesMax) return false;
    try {
      this.#ports.keyValue.write(key, value);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return false;
    }
    this.writes += 1;
    return true;
  }
}

function idOf(json: string): string {
  return (JSON.parse(json) as { readonly id: string }).id;
}

function isIntermediate(waiting: Waiting): boolean {
  if (typeof waiting === "number") return false;
  return intermediate.includes((JSON.parse(waiting) as { readonly type: UpdateEventType }).type);
}

const ordinaryWritesMax = eventWritesPerBootMax - lastWordsWritesReserved;
const serialMax = Number.MAX_SAFE_INTEGER - milestonesKeptMax;

function milestoneKey(serial: number): string {
  return `event.${serial % milestonesKeptMax}`;
}

/** 32 random bits in hex. */
function drawLife(random: Random): string {
  return Math.floor(random.next() * 2 ** 32)
    .toString(16)
    .padStart(8, "0");
}

function encodeRecord(stored: Stored): Uint8Array {
  return encodeJson({ v: recordFormat, ...stored });
}

function readRecord(keyValue: KeyValue): Stored | null {
  const bytes = keyValue.read(recordKey);
  const record = bytes === null ? null : parseJsonObject(bytes, recordBytesMax);
  if (record === null || integerAt(record, "v", recordFormat, recordFormat) === null) return null;
  const life = stringAt(record, "life", 8);
  const boot = integerAt(record, "boot", 0, 0xffff_fffe);
  const delivered = integerAt(record, "delivered", 0, serialMax);
  if (life === null || !isOf(life, lowerHex, 8) || boot === null || delivered === null) return null;
  return { life, boot, delivered };
}

interface Milestone extends RecordedEvent {
  readonly serial: number;
}

/** What the storage holds of earlier boots, oldest first; what cannot be read is not there. */
function readMilestones(keyValue: KeyValue): Milestone[] {
  const kept: Milestone[] = [];
  for (let place = 0; place < milestonesKeptMax; place += 1) {
    const milestone = readMilestone(keyValue, place);
    if (milestone !== null) kept.push(milestone);
  }
  return kept.sort((one, other) => one.serial - other.serial);
}

function readMilestone(keyValue: KeyValue, place: number): Milestone | null {
  const bytes = keyValue.read(milestoneKey(place));
  const value = bytes === null ? null : parseJsonObject(bytes, valueBytesMax);
  const serial = value === null ? null : integerAt(value, "n", 1, serialMax);
  const encoded = value === null ? null : objectAt(value, "e");
  const recorded = encoded === null ? null : decodeEvent(encoded);
  if (serial === null || recorded === null || serial % milestonesKeptMax !== place) return null;
  return { ...recorded, serial };
}

import { digits, isOf, type Part, partsOf, withOnly } from "../image/text-parts.ts";
import {
  integerAt,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  objectAt,
  parseJsonArray,
  stringAt,
} from "./json.ts";

/** Versions and reasons are shortened to this, and to printable ASCII without `"` and `\`. */
export const eventTextCharactersMax = 64;
/** The most that one encoded event takes: it fits a value of the key-value storage. */
export const eventBytesMax = 512;
/** The server takes no more in one request. */
export const eventsPerRequestMax = 64;
const eventsBodyBytesMax = eventsPerRequestMax * (eventBytesMax + 1) + 2;

/** How a field is kept: `version?` is a text or null. */
type FieldKind = "text" | "text?" | "bytes" | "count" | "percent";

/** The 14 events of an update and what each tells beside times, signal and battery. */
const eventFields = {
  "update.check.started": {},
  /** The version that is offered, or null; and why nothing is done about it, or null. */
  "update.check.completed": { version: "text?", reason: "text?" },
  /** `bytes` are in the slot already. */
  "update.download.started": { version: "text", bytes: "bytes", totalBytes: "bytes" },
  "update.download.progress": {
    version: "text",
    percent: "percent",
    bytes: "bytes",
    retries: "count",
  },
  "update.download.completed": { version: "text", bytes: "bytes", retries: "count" },
  "update.download.failed": { version: "text", reason: "text", bytes: "bytes", retries: "count" },
  "update.install.started": { version: "text" },
  "update.install.completed": { version: "text" },
  "update.reboot.started": { fromVersion: "text", toVersion: "text" },
  /** `reason` is the chip's reset reason; `fromVersion` is null when the journal was lost. */
  "update.reboot.completed": { fromVersion: "text?", version: "text", reason: "text" },
  "update.health.ok": { version: "text" },
  "update.health.failed": { version: "text", reason: "text" },
  "update.rollback.triggered": { fromVersion: "text", toVersion: "text?", reason: "text" },
  "update.rollback.completed": { fromVersion: "text?", toVersion: "text", reason: "text" },
} as const satisfies Record<string, Readonly<Record<string, FieldKind>>>;

export type UpdateEventType = keyof typeof eventFields;

type FieldValue<Kind> = Kind extends "text"
  ? string
  : Kind extends "text?"
    ? string | null
    : number;

/** One event, by its `type`. */
export type UpdateEvent = {
  [Type in UpdateEventType]: { readonly type: Type } & {
    readonly [Field in keyof (typeof eventFields)[Type]]: FieldValue<
      (typeof eventFields)[Type][Field]
    >;
  };
}[UpdateEventType];

export const updateEventTypes = Object.keys(eventFields) as readonly UpdateEventType[];

/** An event with what was known when it happened. */
export interface RecordedEvent {
  /** `<bootId>-<sequence>`: the server keeps the first event of an id. */
  readonly id: string;
  readonly event: UpdateEvent;
  readonly atUptimeMs: number;
  /** Null while the clock was not set. */
  readonly unixMs: number | null;
  /** The signal of the radio; null when unknown, or on a wire. */
  readonly signalDbm: number | null;
  readonly batteryPercent: number | null;
}

const idParts: readonly Part[] = [["A-Za-z0-9._:", 1, 64], "-", [digits, 1, 15]];
/** Printable ASCII that JSON does not escape. */
const textCharacters = " !#-[]-~";

const ranges = {
  bytes: { min: 0, max: 0xffff_ffff },
  count: { min: 0, max: 0xffff },
  percent: { min: 0, max: 100 },
  time: { min: 0, max: Number.MAX_SAFE_INTEGER },
  signal: { min: -200, max: 100 },
} as const;
type RangeName = keyof typeof ranges;

/**
 * The form in which `POST .../events` takes an event. What does not fit its bounds is brought into
 * them: telemetry must never be what stops an update.
 */
export function encodeEvent(recorded: RecordedEvent): JsonObject {
  const { type } = recorded.event;
  const fields = Object.entries(eventFields[type]) as [string, FieldKind][];
  const values = recorded.event as unknown as Record<string, string | number | null>;
  const details: [string, JsonValue][] = [
    ["signalDbm", within("signal", recorded.signalDbm)],
    ["batteryPercent", within("percent", recorded.batteryPercent)],
    ...fields.map(([name, kind]): [string, JsonValue] => [
      name,
      fitting(kind, values[name] ?? null),
    ]),
  ];
  return {
    id: recorded.id,
    type,
    atUptimeMs: within("time", recorded.atUptimeMs) ?? 0,
    unixMs: within("time", recorded.unixMs),
    details: Object.fromEntries(details),
  };
}

/**
 * Null for anything that is not an event of a known type within its bounds; unknown fields are
 * ignored.
 */
export function decodeEvent(object: JsonObject): RecordedEvent | null {
  const id = stringAt(object, "id", 80);
  const type = updateEventTypes.find((known) => known === object["type"]);
  const atUptimeMs = rangedAt(object, "atUptimeMs", "time");
  const unixMs = optionalAt(object, "unixMs", "time");
  const details = objectAt(object, "details");
  if (id === null || partsOf(id, idParts) === null || type === undefined || details === null)
    return null;
  const signalDbm = optionalAt(details, "signalDbm", "signal");
  const batteryPercent = optionalAt(details, "batteryPercent", "percent");
  const event = decodeFields(type, details);
  if (atUptimeMs === null || unixMs === undefined || event === null) return null;
  if (signalDbm === undefined || batteryPercent === undefined) return null;
  return { id, event, atUptimeMs, unixMs, signalDbm, batteryPercent };
}

/** The body of `POST .../events`: an array of at most `eventsPerRequestMax`. */
export function encodeEvents(events: readonly RecordedEvent[]): Uint8Array {
  if (events.length > eventsPerRequestMax)
    throw new RangeError(`${events.length} events in one request, may be ${eventsPerRequestMax}`);
  return new TextEncoder().encode(JSON.stringify(events.map(encodeEvent)));
}

/** Null unless every element is an event. */
export function decodeEvents(body: Uint8Array): readonly RecordedEvent[] | null {
  const elements = parseJsonArray(body, eventsBodyBytesMax);
  if (elements === null || elements.length > eventsPerRequestMax) return null;
  const events = elements.map((element) => (isJsonObject(element) ? decodeEvent(element) : null));
  return events.every((event) => event !== null) ? events : null;
}

function decodeFields(type: UpdateEventType, details: JsonObject): UpdateEvent | null {
  const entries: [string, JsonValue][] = [["type", type]];
  for (const [name, kind] of Object.entries(eventFields[type]) as [string, FieldKind][]) {
    const value = fieldAt(details, name, kind);
    if (value === undefined) return null;
    entries.push([name, value]);
  }
  return Object.fromEntries(entries) as unknown as UpdateEvent;
}

/** Undefined for a value that the field cannot have. */
function fieldAt(details: JsonObject, name: string, kind: FieldKind): JsonValue | undefined {
  if (kind !== "text" && kind !== "text?") return rangedAt(details, name, kind) ?? undefined;
  if (kind === "text?" && details[name] === null) return null;
  const text = stringAt(details, name, eventTextCharactersMax);
  return text !== null && isOf(text, textCharacters, 0, eventTextCharactersMax) ? text : undefined;
}

function fitting(kind: FieldKind, value: string | number | null): JsonValue {
  if (kind === "text?" && value === null) return null;
  if (kind !== "text" && kind !== "text?") return within(kind, Number(value)) ?? ranges[kind].min;
  return withOnly(String(value ?? "").slice(0, eventTextCharactersMax), textCharacters);
}

/** The nearest integer of the range; null for null and for what is no number. */
function within(name: RangeName, value: number | null): number | null {
  if (value === null || Number.isNaN(value)) return null;
  const { min, max } = ranges[name];
  return Math.min(max, Math.max(min, Math.round(value))) + 0; // no -0, which JSON writes as 0
}

function rangedAt(object: JsonObject, key: string, name: RangeName): number | null {
  return integerAt(object, key, ranges[name].min, ranges[name].max);
}

/** Null when absent or null, undefined when out of range. */
function optionalAt(object: JsonObject, key: string, name: RangeName): number | null | undefined {
  if (!Object.hasOwn(object, key) || object[key] === null) return null;
  return rangedAt(object, key, name) ?? undefined;
}

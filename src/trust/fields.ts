import { digits, isOf, lowerHex, type Part, partsOf } from "../image/text-parts.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json.ts";

/** The member, own ones only; undefined when it is absent. */
export function member(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The readers below answer null for a member that is absent or of another kind. */
export function objectAt(object: JsonObject, name: string): JsonObject | null {
  const value = member(object, name);
  return isJsonObject(value) ? value : null;
}

export function arrayAt(object: JsonObject, name: string): readonly JsonValue[] | null {
  const value = member(object, name);
  return isJsonArray(value) ? value : null;
}

export function textAt(object: JsonObject, name: string): string | null {
  const value = member(object, name);
  return typeof value === "string" ? value : null;
}

export function integerAt(object: JsonObject, name: string, min: number): number | null {
  const value = member(object, name);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min ? value : null;
}

/** A list of texts, each of them once; null for anything else. */
export function textsAt(object: JsonObject, name: string): readonly string[] | null {
  const array = arrayAt(object, name);
  if (array === null) return null;
  const texts = array.filter((value) => typeof value === "string");
  return texts.length === array.length ? texts : null;
}

/** `YYYY-MM-DDTHH:MM:SSZ` (clause 4.2.3) as milliseconds since 1970. */
export function dateTimeAt(object: JsonObject, name: string): number | null {
  const text = textAt(object, name);
  return text === null ? null : parseDateTime(text);
}

const two: Part = [digits, 2, 2];
const dateTimeParts: readonly Part[] = [
  [digits, 4, 4],
  "-",
  two,
  "-",
  two,
  "T",
  two,
  ":",
  two,
  ":",
  two,
  "Z",
];

export function parseDateTime(text: string): number | null {
  const parts = partsOf(text, dateTimeParts);
  if (parts === null) return null;
  const [year, month, day, hour, minute, second] = parts.map(Number);
  if (year === undefined || month === undefined || day === undefined) return null;
  const unixMs = Date.UTC(year, month - 1, day, hour, minute, second);
  // A day or an hour that does not exist comes out as another.
  return Number.isFinite(unixMs) && formatDateTime(unixMs) === text ? unixMs : null;
}

/** Throws RangeError for a time outside the years 1970 to 9999. */
export function formatDateTime(unixMs: number): string {
  const text = new Date(Math.floor(unixMs / 1000) * 1000).toISOString();
  if (unixMs < 0 || text.length !== 24) throw new RangeError(`${unixMs} is no time of ours`);
  return `${text.slice(0, 19)}Z`;
}

/** 64 lower-case hex digits. */
export function isSha256Hex(text: string | null): text is string {
  return text !== null && isOf(text, lowerHex, 64);
}

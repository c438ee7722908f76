import { executions } from "../../../../src/protocol/executions.ts";
import type { DeviceEvent } from "../../operations/device-data.ts";
import type { Feedback } from "../../operations/report.ts";
import type { AttributeMode } from "../../storage/devices.ts";
import { limits } from "../../terms/limits.ts";
import { cutText } from "../../terms/texts.ts";
import { notReadable, type Problem, tooManyDetails } from "./answers.ts";
import { readDetails } from "./details.ts";

/**
 * Each reads a body once, at the edge; null for anything that is not of its form. Unknown fields
 * are ignored.
 */

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

export function parseFeedback(body: unknown): Parsed<Feedback> {
  const status = objectAt(body, "status");
  if (status === null) return refused("status is missing: give an object");
  const execution = executions.find((name) => name === status["execution"]);
  if (execution === undefined)
    return refused(`status.execution is ${shown(status["execution"])}: ${oneOf(executions)}`);
  const result = objectAt(status, "result")?.["finished"];
  const finished = finishedWords.find((word) => word === result);
  if (finished === undefined)
    return refused(`status.result.finished is ${shown(result)}: ${oneOf(finishedWords)}`);
  const read = readDetails(status["details"], execution);
  if (!read.ok) return { ok: false, problem: tooManyDetails("status.details", read.count) };
  return { ok: true, value: { execution, finished, details: read.details } };
}

export function parseConfirmation(
  body: unknown,
): Parsed<{ readonly confirmed: boolean; readonly details: readonly string[] }> {
  const said = isObject(body) ? body["confirmation"] : undefined;
  if (!isObject(body) || (said !== "confirmed" && said !== "denied"))
    return refused(`confirmation is ${shown(said)}: ${oneOf(["confirmed", "denied"])}`);
  const read = readDetails(body["details"], "closed");
  if (!read.ok) return { ok: false, problem: tooManyDetails("details", read.count) };
  return { ok: true, value: { confirmed: said === "confirmed", details: read.details } };
}

function refused(message: string): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: notReadable(message) };
}

const shownCharactersMax = 60;

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "object" && value !== null) return "an object or a list";
  return cutText(JSON.stringify(String(value)), shownCharactersMax);
}

function oneOf(words: readonly string[]): string {
  return `give one of ${words.join(", ")}`;
}

export function parseAutoConfirm(
  body: unknown,
): { readonly initiator: string | null; readonly remark: string | null } | null {
  if (body === undefined || body === null) return { initiator: null, remark: null };
  if (!isObject(body)) return null;
  const [initiator, remark] = [textAt(body, "initiator"), textAt(body, "remark")];
  return initiator === undefined || remark === undefined ? null : { initiator, remark };
}

/** SWUpdate adds a `status` with `execution: "closed"` that means nothing here. */
export function parseConfigData(
  body: unknown,
): Parsed<{ readonly mode: AttributeMode; readonly data: Readonly<Record<string, string>> }> {
  const mode = attributeModes.find(
    (word) => word === ((isObject(body) && body["mode"]) || "merge"),
  );
  if (!isObject(body) || mode === undefined)
    return refused(
      `mode is ${shown(isObject(body) ? body["mode"] : body)}: ${oneOf(attributeModes)}`,
    );
  const data = objectAt(body, "data");
  if (data === null) return refused("data is missing: give an object of texts");
  const entries = Object.entries(data);
  const { attributesPerDeviceMax, attributeKeyCharactersMax: keyMax } = limits;
  if (entries.length > attributesPerDeviceMax)
    return refused(`data has ${entries.length} keys: give at most ${attributesPerDeviceMax}`);
  for (const [key, value] of entries) {
    if (key.length === 0 || key.length > keyMax)
      return refused(`data has a key of ${key.length} characters: give 1 to ${keyMax}`);
    // `remove` names keys; what it says of their values does not matter
    const problem = mode === "remove" ? null : attributeProblem(value);
    if (problem !== null) return refused(`data.${cutText(key, shownCharactersMax)} ${problem}`);
  }
  const texts = Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
  return { ok: true, value: { mode, data: texts } };
}

const attributeModes = ["merge", "replace", "remove"] as const;

function attributeProblem(value: unknown): string | null {
  const { attributeValueCharactersMax: max } = limits;
  // hawkBit takes numbers and booleans as their text.
  if (!["string", "number", "bigint", "boolean"].includes(typeof value))
    return `is ${shown(value)}: give a text`;
  const { length } = String(value);
  return length <= max ? null : `has ${length} characters: give at most ${max}`;
}

/** `PUT installedBase`: what a device says that somebody else installed on it. */
export function parseInstalled(
  body: unknown,
): { readonly name: string; readonly version: string } | null {
  if (!isObject(body)) return null;
  const [name, version] = [textAt(body, "name"), textAt(body, "version")];
  if (typeof name !== "string" || typeof version !== "string") return null;
  return name === "" || version === "" ? null : { name, version };
}

export function parseEvents(body: unknown): readonly DeviceEvent[] | null {
  if (!Array.isArray(body) || body.length > limits.eventsPerRequestMax) return null;
  const events = body.map(parseEvent);
  return events.every((event) => event !== null) ? events : null;
}

function parseEvent(value: unknown): DeviceEvent | null {
  if (!isObject(value)) return null;
  const { type } = value;
  const id = parseEventId(value["id"]);
  if (id === null) return null;
  if (typeof type !== "string" || !/^[A-Za-z][A-Za-z0-9.-]{0,47}$/.test(type)) return null;
  const atUptimeMs = timeAt(value, "atUptimeMs");
  const unixMs = timeAt(value, "unixMs");
  const details = parseEventDetails(value["details"]);
  if (atUptimeMs === undefined || unixMs === undefined || details === null) return null;
  return { id, type, atUptimeMs, unixMs, details };
}

/** `<bootId>-<sequence>`, in one spelling: a sequence with zeros in front is the same one. */
function parseEventId(value: unknown): string | null {
  const match =
    typeof value === "string" ? /^([A-Za-z0-9._:]{1,64})-(\d{1,15})$/.exec(value) : null;
  return match === null ? null : `${match[1]}-${Number(match[2])}`;
}

function parseEventDetails(value: unknown): DeviceEvent["details"] | null {
  if (value === undefined) return {};
  if (!isObject(value)) return null;
  const entries = Object.entries(value);
  if (entries.length > limits.eventDetailsMax) return null;
  for (const [key, detail] of entries) {
    if (key.length === 0 || key.length > limits.attributeKeyCharactersMax) return null;
    if (typeof detail === "string" && detail.length > limits.eventValueCharactersMax) return null;
    if (detail !== null && !["string", "number", "boolean"].includes(typeof detail)) return null;
  }
  return value as DeviceEvent["details"];
}

const finishedWords = ["none", "success", "failure"] as const;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectAt(value: unknown, key: string): Record<string, unknown> | null {
  const inner = isObject(value) ? value[key] : null;
  return isObject(inner) ? inner : null;
}

/** Undefined for a value that is no text of bearable length; null for an absent one. */
function textAt(value: Record<string, unknown>, key: string): string | null | undefined {
  const text = value[key] ?? null;
  if (text === null) return null;
  return typeof text === "string" && text.length <= limits.attributeValueCharactersMax
    ? text
    : undefined;
}

function timeAt(value: Record<string, unknown>, key: string): number | null | undefined {
  const time = value[key] ?? null;
  if (time === null) return null;
  return typeof time === "number" && Number.isSafeInteger(time) && time >= 0 ? time : undefined;
}

import type { DeviceEvent } from "../../control/device-data.ts";
import type { Feedback } from "../../control/report.ts";
import { limits } from "../../limits.ts";
import { executions } from "../../rollout/member.ts";
import type { AttributeMode } from "../../storage/devices.ts";

/** Each reads a body once, at the edge; null for anything that is not of its form. Unknown fields are ignored. */

export function parseFeedback(body: unknown): Feedback | null {
  const status = objectAt(body, "status");
  const execution = executions.find((name) => name === status?.["execution"]);
  const finished = finishedWords.find((word) => word === objectAt(status, "result")?.["finished"]);
  const details = parseDetails(status?.["details"]);
  if (execution === undefined || finished === undefined || details === null) return null;
  return { execution, finished, details };
}

export function parseConfirmation(
  body: unknown,
): { readonly confirmed: boolean; readonly details: readonly string[] } | null {
  if (!isObject(body)) return null;
  const { confirmation } = body;
  const details = parseDetails(body["details"]);
  if ((confirmation !== "confirmed" && confirmation !== "denied") || details === null) return null;
  return { confirmed: confirmation === "confirmed", details };
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
): { readonly mode: AttributeMode; readonly data: Readonly<Record<string, string>> } | null {
  if (!isObject(body)) return null;
  const mode = body["mode"] ?? "merge";
  const data = body["data"];
  if (mode !== "merge" && mode !== "replace" && mode !== "remove") return null;
  if (!isObject(data)) return null;
  const entries = Object.entries(data);
  if (entries.length > limits.attributesPerDeviceMax) return null;
  const fits = ([key, value]: [string, unknown]): boolean =>
    key.length > 0 &&
    key.length <= limits.attributeKeyCharactersMax &&
    // `remove` names keys; what it says of their values does not matter
    (mode === "remove" ||
      (typeof value === "string" && value.length <= limits.attributeValueCharactersMax));
  if (!entries.every(fits)) return null;
  return { mode, data: Object.fromEntries(entries.map(([key, value]) => [key, String(value)])) };
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

function parseDetails(value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > limits.reportDetailsMax) return null;
  if (!value.every((detail) => typeof detail === "string")) return null;
  return value.map((detail: string) => detail.slice(0, limits.reportDetailCharactersMax));
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

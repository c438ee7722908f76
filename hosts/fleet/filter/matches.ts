import { parseVersion } from "../../../src/image/version.ts";
import { versionKey } from "../terms/version-key.ts";
import type { DeviceFacts, FieldRef } from "./fields.ts";
import type { Filter, Moment, Pattern, Relation, Test } from "./filter.ts";

/** Does a device pass the filter at that time? */
export function matches(filter: Filter, device: DeviceFacts, nowUnixMs: number): boolean {
  switch (filter.kind) {
    case "all":
      return filter.of.every((part) => matches(part, device, nowUnixMs));
    case "any":
      return filter.of.some((part) => matches(part, device, nowUnixMs));
    default:
      return passes(filter, device, nowUnixMs);
  }
}

function passes(test: Test, device: DeviceFacts, nowUnixMs: number): boolean {
  switch (test.kind) {
    case "present":
      return isPresent(test.field, device) !== test.negated;
    case "matches":
      return textsOf(test.field, device).some((text) => fits(test.patterns, text)) !== test.negated;
    case "equals": {
      const value = factOf(test.field, device);
      const keys: readonly (string | number)[] = test.keys;
      return (value !== null && keys.includes(value)) !== test.negated;
    }
    case "compares": {
      const value = factOf(test.field, device);
      const key = typeof test.key === "object" ? momentMs(test.key, nowUnixMs) : test.key;
      return value !== null && relates(value, test.relation, key);
    }
  }
}

/** A moment of a filter as milliseconds since 1970. */
export function momentMs(moment: Moment, nowUnixMs: number): number {
  return "unixMs" in moment ? moment.unixMs : nowUnixMs - moment.agoMs;
}

function isPresent(field: FieldRef, device: DeviceFacts): boolean {
  return field.type === "set" || field.type === "text" || field.type === "attribute"
    ? textsOf(field, device).length > 0
    : factOf(field, device) !== null;
}

function textsOf(
  field: Extract<FieldRef, { type: "text" | "attribute" | "set" }>,
  device: DeviceFacts,
): readonly string[] {
  if (field.type === "set") return [...device[field.name]];
  const text = field.type === "text" ? device[field.name] : device.attribute.get(field.key);
  return text === null || text === undefined ? [] : [text];
}

function factOf(
  field: Extract<FieldRef, { type: "version" | "number" | "time" | "truth" }>,
  device: DeviceFacts,
): string | number | null {
  if (field.type === "truth") return device.confirmed === null ? null : Number(device.confirmed);
  if (field.type !== "version") return device[field.name];
  const version = device.version === null ? null : parseVersion(device.version);
  return version && versionKey(version);
}

function relates(a: string | number, relation: Relation, b: string | number): boolean {
  switch (relation) {
    case "lt":
      return a < b;
    case "le":
      return a <= b;
    case "gt":
      return a > b;
    case "ge":
      return a >= b;
  }
}

function fits(patterns: readonly Pattern[], text: string): boolean {
  return patterns.some((pattern) =>
    "exact" in pattern ? pattern.exact === text : fitsParts(pattern.parts, text),
  );
}

/** The first part begins the text, the last ends it, those between follow one another. */
function fitsParts(parts: readonly string[], text: string): boolean {
  const [first = "", ...others] = parts;
  const last = others.pop() ?? "";
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of others) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

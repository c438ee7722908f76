import { isOf } from "../image/text-parts.ts";
import {
  integerAt,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
  stringAt,
} from "../protocol/json.ts";
import { type Flag, percentToHundredths } from "./feature-flag.ts";

/** Bounds of a document beside its bytes. */
export const valuesMax = 128;
export const valueDepthMax = 8;
/** Members and elements of all values together. */
export const valueNodesMax = 512;
const valueNameCharactersMax = 64;
export const flagsMax = 64;
const saltCharactersMax = 64;
export const schemaMax = 0xffff;

/** A configuration document, read and checked: `{version, schema, values{...}, flags{...}}`. */
export interface ConfigurationDocument {
  /** Grows with every document that is made for a fleet; a device never goes back by an offer. */
  readonly version: number;
  /** The application's own number for the form of `values`. */
  readonly schema: number;
  /** The values stand here as they were sent: `integerAt`, `stringAt` and their like read them. */
  readonly values: JsonObject;
  readonly flags: ReadonlyMap<string, Flag>;
}

export type DocumentRefusal = "malformed-document" | "limit-exceeded";

type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: DocumentRefusal };

const malformed = { ok: false, reason: "malformed-document" } as const;
const exceeded = { ok: false, reason: "limit-exceeded" } as const;

/** Unknown fields are ignored; absent `values` or `flags` are empty. */
export function parseConfigurationDocument(
  bytes: Uint8Array,
  bytesMax: number,
): Parsed<ConfigurationDocument> {
  const root = parseJsonObject(bytes, bytesMax);
  if (root === null) return malformed;
  const version = integerAt(root, "version", 1, Number.MAX_SAFE_INTEGER);
  const schema = integerAt(root, "schema", 0, schemaMax);
  const values = optionalObjectAt(root, "values");
  const flagMembers = optionalObjectAt(root, "flags");
  if (version === null || schema === null || values === null || flagMembers === null)
    return malformed;
  if (!isBounded(values)) return exceeded;
  const flags = parseFlags(flagMembers);
  return flags.ok ? { ok: true, value: { version, schema, values, flags: flags.value } } : flags;
}

/** Lower-case letters, digits and `._-`, the first a letter or a digit. */
function isFlagName(name: string): boolean {
  return isOf(name, "a-z0-9._-", 1, 48) && isOf(name.charAt(0), "a-z0-9", 1);
}

function parseFlags(members: JsonObject): Parsed<ReadonlyMap<string, Flag>> {
  const entries = Object.entries(members);
  if (entries.length > flagsMax) return exceeded;
  const flags = new Map<string, Flag>();
  for (const [name, value] of entries) {
    const flag = parseFlag(value);
    if (flag === null || !isFlagName(name)) return malformed;
    flags.set(name, flag);
  }
  return { ok: true, value: flags };
}

function parseFlag(value: JsonValue): Flag | null {
  if (typeof value === "boolean") return value;
  if (!isJsonObject(value)) return null;
  const percent = value["percent"];
  const salt = stringAt(value, "salt", saltCharactersMax);
  if (typeof percent !== "number" || !(percent >= 0 && percent <= 100)) return null;
  return salt === null || salt === "" ? null : { hundredths: percentToHundredths(percent), salt };
}

function isBounded(values: JsonObject): boolean {
  return Object.keys(values).length <= valuesMax && nodesIn(values, valueDepthMax) <= valueNodesMax;
}

/** Infinite when a name is too long or the nesting too deep; the recursion is as deep as that. */
function nodesIn(value: JsonValue, depthLeft: number): number {
  if (!isJsonObject(value) && !isJsonArray(value)) return 0;
  if (depthLeft === 0) return Number.POSITIVE_INFINITY;
  let nodes = 0;
  for (const [name, inner] of Object.entries(value)) {
    if (name.length > valueNameCharactersMax) return Number.POSITIVE_INFINITY;
    nodes += 1 + nodesIn(inner, depthLeft - 1);
  }
  return nodes;
}

/** An absent member is empty; one that is no object is null. */
function optionalObjectAt(root: JsonObject, key: string): JsonObject | null {
  if (!Object.hasOwn(root, key)) return {};
  const value = root[key];
  return isJsonObject(value) ? value : null;
}

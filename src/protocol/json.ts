/** A value that JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonObject = { readonly [key: string]: JsonValue };

/** Deeper nesting is refused before parsing, so that a hostile body cannot exhaust the stack. */
export const jsonDepthMax = 16;

/**
 * Parses a body of at most `bytesMax` bytes whose top level is an object; null for anything else.
 * Strings may hold any escape; the depth check runs over the bytes, so strings full of brackets
 * count as nothing.
 */
export function parseJsonObject(body: Uint8Array, bytesMax: number): JsonObject | null {
  const value = parseJson(body, bytesMax);
  return isJsonObject(value) ? value : null;
}

/** The same for a body whose top level is an array. */
export function parseJsonArray(body: Uint8Array, bytesMax: number): readonly JsonValue[] | null {
  const value = parseJson(body, bytesMax);
  return isJsonArray(value) ? value : null;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The member when it is an object, else null; own members only, so `__proto__` finds nothing. */
export function objectAt(object: JsonObject, key: string): JsonObject | null {
  const value = member(object, key);
  return isJsonObject(value) ? value : null;
}

/** The member when it is a string of at most `lengthMax` characters, else null. */
export function stringAt(object: JsonObject, key: string, lengthMax: number): string | null {
  const value = member(object, key);
  return typeof value === "string" && value.length <= lengthMax ? value : null;
}

/** The member when it is an integer within [min, max], else null. */
export function integerAt(
  object: JsonObject,
  key: string,
  min: number,
  max: number,
): number | null {
  const value = member(object, key);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
    ? value
    : null;
}

/** The member when it is an array of at most `lengthMax` elements, else null. */
export function arrayAt(
  object: JsonObject,
  key: string,
  lengthMax: number,
): readonly JsonValue[] | null {
  const value = member(object, key);
  return isJsonArray(value) && value.length <= lengthMax ? value : null;
}

export function encodeJson(value: JsonValue): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function member(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function parseJson(body: Uint8Array, bytesMax: number): JsonValue | undefined {
  if (body.length === 0 || body.length > bytesMax || !isShallow(body)) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(body)) as JsonValue;
  } catch {
    return undefined; // malformed text is the one thing that JSON.parse throws for
  }
}

const quote = 0x22;
const backslash = 0x5c;
const openers: readonly number[] = [0x5b, 0x7b];
const closers: readonly number[] = [0x5d, 0x7d];

function isShallow(body: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < body.length; index += 1) {
    const byte = body[index] ?? 0;
    if (inString) {
      if (byte === backslash) index += 1;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (openers.includes(byte)) {
      depth += 1;
      if (depth > jsonDepthMax) return false;
    } else if (closers.includes(byte)) depth -= 1;
  }
  return true;
}

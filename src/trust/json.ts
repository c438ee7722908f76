import { anyHex, digits as decimals, isOf } from "../image/text-parts.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";
import { decodeUtf8 } from "./utf8.ts";

/** A value of the JSON that metadata is written in: clause 4.1 leaves out fractions. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** Without a prototype when it was parsed here: any name is an ordinary one, `__proto__` too. */
export type JsonObject = { readonly [name: string]: JsonValue };

export interface JsonLimits {
  readonly jsonDepthMax: number;
  readonly jsonNodesMax: number;
}

/**
 * Reads JSON that has one meaning only, since it is signed in one form and stored in another:
 * no name twice in an object, whole numbers that a double holds exactly, well-formed UTF-8, no
 * half of a surrogate pair. White space around and within is free (RFC 8259).
 */
export function parseStrictJson(bytes: Uint8Array, limits: JsonLimits): Verdict<JsonValue> {
  const reader = new JsonReader(bytes, limits);
  try {
    return accepted(reader.whole());
  } catch (error) {
    if (!(error instanceof JsonDefect)) throw error;
    return refused(error.reason, `${error.message} at byte ${reader.index}`);
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

type DefectReason = "malformed-json" | "json-too-deep" | "json-too-many" | "duplicate-name";

/** Ends the reading from any depth; never leaves this file. */
class JsonDefect extends Error {
  readonly reason: DefectReason;

  constructor(reason: DefectReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const objectStart = 0x7b;
const objectEnd = 0x7d;
const arrayStart = 0x5b;
const arrayEnd = 0x5d;
/** Tab, line feed, carriage return, space (RFC 8259). */
const spaces: readonly number[] = [0x20, 0x0a, 0x09, 0x0d];
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
/** No safe integer has more. */
const numberCharactersMax = 17;

/** An object or array whose end was not reached yet. */
interface Open {
  readonly object: Record<string, JsonValue> | null;
  /** Null where there is an object. */
  readonly array: JsonValue[] | null;
  /** The name of the member whose value comes next. */
  name: string;
}

/** Keeps its own stack: a device has few slots for nested calls. */
class JsonReader {
  index = 0;
  readonly #bytes: Uint8Array;
  readonly #limits: JsonLimits;
  readonly #open: Open[] = [];
  #nodes = 0;

  constructor(bytes: Uint8Array, limits: JsonLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  whole(): JsonValue {
    // Bounded by the bytes: every turn of the two loops takes some.
    for (;;) {
      let value = this.#begun();
      for (; value !== undefined; value = this.#closed()) {
        const inner = this.#open.at(-1);
        if (inner === undefined) return this.#last(value);
        if (inner.object === null) inner.array?.push(value);
        else inner.object[inner.name] = value;
      }
    }
  }

  /** The next value; undefined when an object or array begins that is not empty. */
  #begun(): JsonValue | undefined {
    this.#space();
    this.#nodes += 1;
    if (this.#nodes > this.#limits.jsonNodesMax)
      throw new JsonDefect("json-too-many", `more than ${this.#limits.jsonNodesMax} values`);
    switch (this.#peek()) {
      case objectStart:
        return this.#entered({ object: Object.create(null), array: null, name: "" }, objectEnd);
      case arrayStart:
        return this.#entered({ object: null, array: [], name: "" }, arrayEnd);
      case quote:
        return this.#string();
      case 0x74:
        return this.#word("true", true);
      case 0x66:
        return this.#word("false", false);
      case 0x6e:
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #entered(open: Open, end: number): JsonValue | undefined {
    if (this.#open.length === this.#limits.jsonDepthMax)
      throw new JsonDefect("json-too-deep", `nested deeper than ${this.#limits.jsonDepthMax}`);
    this.index += 1;
    this.#space();
    if (this.#take(end)) return open.object ?? open.array ?? undefined;
    this.#open.push(open);
    if (open.object !== null) this.#name(open.object, open);
    return undefined;
  }

  /** What ends here; undefined when another member or element follows. */
  #closed(): JsonValue | undefined {
    const inner = this.#open.at(-1);
    if (inner === undefined) return undefined;
    this.#space();
    if (this.#take(comma)) {
      if (inner.object !== null) this.#name(inner.object, inner);
      return undefined;
    }
    if (!this.#take(inner.object === null ? arrayEnd : objectEnd))
      throw malformed('"," or an end expected');
    this.#open.pop();
    return inner.object ?? inner.array ?? undefined;
  }

  #name(object: Record<string, JsonValue>, open: Open): void {
    this.#space();
    if (this.#peek() !== quote) throw malformed("a name expected");
    open.name = this.#string();
    if (open.name in object)
      throw new JsonDefect("duplicate-name", `the name "${open.name}" twice`);
    this.#space();
    if (!this.#take(colon)) throw malformed('":" expected');
  }

  #last(value: JsonValue): JsonValue {
    this.#space();
    if (this.index !== this.#bytes.length) throw malformed("more after the end");
    return value;
  }

  #string(): string {
    this.index += 1;
    let text = "";
    let start = this.index;
    // Bounded by the bytes.
    for (;;) {
      const byte = this.#bytes[this.index];
      if (byte === undefined) throw malformed("a text without end");
      if (byte < 0x20) throw malformed("a control character in a text");
      if (byte === quote || byte === backslash) {
        text += this.#decoded(start);
        this.index += 1;
        if (byte === quote) break;
        text += this.#escaped();
        start = this.index;
      } else this.index += 1;
    }
    return text;
  }

  #decoded(start: number): string {
    const text = decodeUtf8(this.#bytes, start, this.index);
    if (text === null) throw malformed("a text that is not UTF-8");
    return text;
  }

  #escaped(): string {
    const letter = this.#ascii(this.index, this.index + 1);
    this.index += 1;
    if (letter !== "u") {
      const character = escapes[letter];
      if (character === undefined) throw malformed("an unknown escape");
      return character;
    }
    const unit = this.#unit();
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    const follows = this.#take(backslash) && this.#take(0x75) ? this.#unit() : 0;
    if (unit > 0xdbff || follows < 0xdc00 || follows > 0xdfff)
      throw malformed("half of a surrogate pair");
    return String.fromCodePoint(0x10000 + ((unit - 0xd800) << 10) + (follows - 0xdc00));
  }

  #unit(): number {
    const digits = this.#ascii(this.index, this.index + 4);
    if (!isOf(digits, anyHex, 4)) throw malformed("four hex digits expected");
    this.index += 4;
    return Number.parseInt(digits, 16);
  }

  #number(): number {
    const start = this.index;
    while (this.index - start < numberCharactersMax && isNumeric(this.#peek())) this.index += 1;
    const text = this.#ascii(start, this.index);
    if (!isWholeNumber(text)) throw malformed("a whole number expected");
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw malformed("a number beyond 2^53");
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (this.#ascii(this.index, this.index + word.length) !== word)
      throw malformed(`"${word}" expected`);
    this.index += word.length;
    return value;
  }

  #space(): void {
    // Bounded by the bytes.
    while (spaces.includes(this.#peek())) this.index += 1;
  }

  #take(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.index += 1;
    return true;
  }

  /** The next byte; -1 at the end. */
  #peek(): number {
    return this.#bytes[this.index] ?? -1;
  }

  #ascii(start: number, end: number): string {
    return String.fromCharCode(...this.#bytes.subarray(start, end));
  }
}

/** Whether JSON writes numbers with this byte, so that a fraction is named as such. */
function isNumeric(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  return isDigit || byte === 0x2d || byte === 0x2b || byte === 0x2e || (byte | 0x20) === 0x65;
}

function malformed(message: string): JsonDefect {
  return new JsonDefect("malformed-json", message);
}

/** Without zeros in front, and without a sign before 0. */
function isWholeNumber(text: string): boolean {
  if (text === "0") return true;
  const amount = text.startsWith("-") ? text.slice(1) : text;
  return isOf(amount, decimals, 1, numberCharactersMax) && !amount.startsWith("0");
}

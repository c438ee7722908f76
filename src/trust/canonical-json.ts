import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json.ts";

/** Bytes that are handed on together. */
const pieceBytes = 256;

/**
 * Canonical JSON (clause 4.1; OLPC's): names in the order of their code points, no white space, and
 * of all characters only `\` and `"` escaped. Handed on in pieces, each valid during its call, so
 * that a device can hash a document without a second copy of it.
 */
export function writeCanonicalJson(value: JsonValue, write: (piece: Uint8Array) => void): void {
  const writer = new PieceWriter(write);
  writeValue(value, writer);
  writer.end();
}

export function canonicalJson(value: JsonValue): Uint8Array {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  writeCanonicalJson(value, (piece) => {
    pieces.push(piece.slice());
    bytes += piece.length;
  });
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

/** An array or an object, as its values by sorted names, that is being written. */
interface Open {
  readonly value: JsonObject | readonly JsonValue[];
  /** Null for an array. */
  readonly names: readonly string[] | null;
  next: number;
}

/** Keeps its own stack, one entry per level, as in json.ts. */
function writeValue(root: JsonValue, writer: PieceWriter): void {
  const open: Open[] = [];
  writeBeginning(root, writer, open);
  // Bounded by the values of the document.
  for (let inner = open.at(-1); inner !== undefined; inner = open.at(-1)) {
    const { value, names } = inner;
    const count = names === null ? (value as readonly JsonValue[]).length : names.length;
    const index = inner.next;
    if (index === count) {
      writer.ascii(names === null ? "]" : "}");
      open.pop();
      continue;
    }
    inner.next += 1;
    if (index > 0) writer.ascii(",");
    const name = names?.[index];
    if (name === undefined) writeBeginning((value as JsonValue[])[index] ?? null, writer, open);
    else {
      writeText(name, writer);
      writer.ascii(":");
      writeBeginning((value as JsonObject)[name] ?? null, writer, open);
    }
  }
}

/** All of a plain value; of an array or object its bracket, and what is in it is still to come. */
function writeBeginning(value: JsonValue, writer: PieceWriter, open: Open[]): void {
  if (typeof value === "string") writeText(value, writer);
  else if (isJsonArray(value)) {
    writer.ascii("[");
    open.push({ value, names: null, next: 0 });
  } else if (isJsonObject(value)) {
    writer.ascii("{");
    open.push({ value, names: Object.keys(value).sort(byCodePoints), next: 0 });
  } else writer.ascii(plain(value));
}

function plain(value: null | boolean | number): string {
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new RangeError(`${value} is no whole number, canonical JSON has no others`);
  return String(value);
}

function writeText(text: string, writer: PieceWriter): void {
  writer.ascii('"');
  for (let index = 0; index < text.length; index += 1) {
    const point = text.codePointAt(index) ?? 0;
    if (point === quote || point === backslash) writer.point(backslash);
    writer.point(point);
    if (point > 0xffff) index += 1;
  }
  writer.ascii('"');
}

const quote = 0x22;
const backslash = 0x5c;

function byCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** UTF-16 has surrogates, which are for what is above U+FFFF, before U+E000. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

class PieceWriter {
  readonly #piece = new Uint8Array(pieceBytes);
  readonly #write: (piece: Uint8Array) => void;
  #length = 0;

  constructor(write: (piece: Uint8Array) => void) {
    this.#write = write;
  }

  ascii(text: string): void {
    for (let index = 0; index < text.length; index += 1) this.#byte(text.charCodeAt(index));
  }

  /** One code point as UTF-8. */
  point(point: number): void {
    if (point < 0x80) this.#byte(point);
    else if (point < 0x800) this.#byte(0xc0 | (point >> 6));
    else if (point < 0x10000) this.#byte(0xe0 | (point >> 12));
    else this.#byte(0xf0 | (point >> 18));
    if (point >= 0x10000) this.#byte(0x80 | ((point >> 12) & 0x3f));
    if (point >= 0x800) this.#byte(0x80 | ((point >> 6) & 0x3f));
    if (point >= 0x80) this.#byte(0x80 | (point & 0x3f));
  }

  end(): void {
    if (this.#length > 0) this.#write(this.#piece.subarray(0, this.#length));
    this.#length = 0;
  }

  #byte(byte: number): void {
    if (this.#length === pieceBytes) this.end();
    this.#piece[this.#length] = byte;
    this.#length += 1;
  }
}

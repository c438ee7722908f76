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

/** What is still to be written, the next last: its own stack, as in json.ts. */
type Pending = { readonly text: string } | { readonly value: JsonValue };

function writeValue(root: JsonValue, writer: PieceWriter): void {
  const pending: Pending[] = [{ value: root }];
  // Bounded by the values of the document and their separators.
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if ("text" in next) writer.ascii(next.text);
    else if (typeof next.value === "string") writeText(next.value, writer);
    else if (isJsonArray(next.value)) openArray(next.value, writer, pending);
    else if (isJsonObject(next.value)) openObject(next.value, writer, pending);
    else writer.ascii(plain(next.value));
  }
}

function plain(value: null | boolean | number): string {
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new RangeError(`${value} is no whole number, canonical JSON has no others`);
  return String(value);
}

function openArray(array: readonly JsonValue[], writer: PieceWriter, pending: Pending[]): void {
  writer.ascii("[");
  pending.push({ text: "]" });
  for (let index = array.length - 1; index >= 0; index -= 1) {
    pending.push({ value: array[index] ?? null });
    if (index > 0) pending.push({ text: "," });
  }
}

function openObject(object: JsonObject, writer: PieceWriter, pending: Pending[]): void {
  writer.ascii("{");
  pending.push({ text: "}" });
  const names = Object.keys(object).sort(byCodePoints);
  for (let index = names.length - 1; index >= 0; index -= 1) {
    const name = names[index] ?? "";
    pending.push({ value: object[name] ?? null }, { text: ":" }, { value: name });
    if (index > 0) pending.push({ text: "," });
  }
}

function writeText(text: string, writer: PieceWriter): void {
  writer.ascii('"');
  for (const character of text) {
    if (character === '"' || character === "\\") writer.ascii("\\");
    writer.point(character.codePointAt(0) ?? 0);
  }
  writer.ascii('"');
}

/** UTF-16's own order differs above U+D7FF, where surrogates come before U+E000. */
function byCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const difference = (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
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

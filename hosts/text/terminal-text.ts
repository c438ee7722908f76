/**
 * What a terminal obeys instead of showing: control characters (C0 with escape and the ends of
 * lines, DEL, C1), separators of lines, marks that turn the direction of writing, other invisible
 * ones but the two joiners, and halves of surrogate pairs.
 */
const obeyed = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\u200c\u200d]]/gv;

/** One line of text in which all of that is written out, as JSON does: `\u001b`, `\n`. */
export function printable(text: string): string {
  return text.replace(obeyed, written);
}

/** The same for a text of several lines: their ends stay. JSON stays the same JSON. */
export function printableLines(text: string): string {
  return text.replace(obeyed, (character) => (character === "\n" ? character : written(character)));
}

/** A copy in which every text, names of members too, is printable: words of others in ours. */
export function printableCopy<T>(value: T): T {
  return copyOf(value) as T;
}

function copyOf(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [printable(name), copyOf(member)]),
  );
}

const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function written(character: string): string {
  return (
    short[character] ??
    Array.from(
      { length: character.length }, // 2 beyond the 16 bits of a code unit
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join("")
  );
}

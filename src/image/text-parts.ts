// Instead of regular expressions: their interpreter takes 40 KB of a board's flash.

/** Characters one by one and as ranges: "a-z0-9._". A "-" that stands first or last is itself. */
export type Characters = string;

/** Text as it is, or from `min` up to `max` of some characters, as many as there are. */
export type Part = string | readonly [characters: Characters, min: number, max: number];

export const digits: Characters = "0-9";
export const lowerHex: Characters = "0-9a-f";
export const anyHex: Characters = "0-9a-fA-F";
export const letters: Characters = "A-Za-z";

/** Whether the text has from `min` up to `max` characters, all of these. */
export function isOf(text: string, characters: Characters, min: number, max = min): boolean {
  return (
    text.length >= min && text.length <= max && countOf(text, characters, 0, max) === text.length
  );
}

/** What the parts with characters took of a text that they make up as a whole; else null. */
export function partsOf(text: string, parts: readonly Part[]): string[] | null {
  const taken = partsAtStart(text, parts);
  return taken !== null && taken.length === text.length ? taken.parts : null;
}

/**
 * The same for a text that goes on; `length` is of what was taken. No part gives back what it took
 * for a later one.
 */
export function partsAtStart(
  text: string,
  parts: readonly Part[],
): { readonly parts: string[]; readonly length: number } | null {
  const taken: string[] = [];
  let at = 0;
  for (const part of parts) {
    if (typeof part === "string") {
      if (!text.startsWith(part, at)) return null;
      at += part.length;
      continue;
    }
    const count = countOf(text, part[0], at, part[2]);
    if (count < part[1]) return null;
    taken.push(text.slice(at, at + count));
    at += count;
  }
  return { parts: taken, length: at };
}

/** With a question mark for each character that is not of these. */
export function withOnly(text: string, characters: Characters): string {
  let kept = "";
  for (let at = 0; at < text.length; at += 1)
    kept += isOne(text.charCodeAt(at), characters) ? text.charAt(at) : "?";
  return kept;
}

/** How many characters from an index on are of these, at most `max`. */
function countOf(text: string, characters: Characters, start: number, max: number): number {
  const end = Math.min(text.length, start + max);
  let at = start;
  while (at < end && isOne(text.charCodeAt(at), characters)) at += 1;
  return at - start;
}

function isOne(code: number, characters: Characters): boolean {
  for (let at = 0; at < characters.length; at += 1) {
    const first = characters.charCodeAt(at);
    const isRange = characters.charAt(at + 1) === "-" && at + 2 < characters.length;
    if (isRange) at += 2;
    if (code >= first && code <= characters.charCodeAt(at)) return true;
  }
  return false;
}

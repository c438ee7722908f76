/** Texts of devices, made fit to be kept and shown. */

/**
 * One line, without control characters or changes of direction: a run of them, or a sequence for
 * terminals, is a space.
 */
export function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(terminalSequence, " ")
    .replace(
      /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069][\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069 ]*/gu,
      " ",
    )
    .trim();
}

/** A control sequence of ECMA-48, 5.4, goes whole, so that no rest of it stays in the text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const terminalSequence = /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]/g;

/**
 * The text, or as much of it as fits with "…" behind it; characters beyond the BMP are not split.
 */
export function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  return `${text.slice(0, charactersMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/**
 * `state=`, `reason=` and `version=` steer what is shown, wherever they stand among the details;
 * the last of each counts.
 */
export function isCoded(detail: string): boolean {
  return /^(state|reason|version)=/.test(detail);
}

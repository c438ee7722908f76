import type { Execution } from "../../../../src/protocol/executions.ts";
import { isResult } from "../../rollout/member.ts";
import { limits } from "../../terms/limits.ts";
import { cutText, isCoded, oneLine } from "../../terms/texts.ts";

/** The texts of a feedback, or how many there are when that is too many. */
export type ReadDetails =
  | { readonly ok: true; readonly details: readonly string[] }
  | { readonly ok: false; readonly count: number };

/**
 * Reads `details` of other people's clients. A feedback that ends an action, or answers a
 * cancellation, counts whatever its words are: of more than 50 the last ones are kept, which tell
 * how it ended, and those that carry a code. Of progress they are refused, as by hawkBit.
 *
 * | a detail that is | becomes |
 * |---|---|
 * | longer than 512 characters | its first 511 and "…" |
 * | with control characters, such as line ends and terminal escapes | one line, each run of them a space |
 * | a number or a boolean | its text |
 * | empty, or null | nothing |
 * | an object or a list | "(object)" |
 *
 * A text in place of the list is a list of that one text.
 */
export function readDetails(value: unknown, execution: Execution | null): ReadDetails {
  const given = value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  const { reportDetailsMax: max } = limits;
  if (given.length <= max) return { ok: true, details: given.map(textOf).filter(isTold) };
  if (execution === null || !isResult(execution)) return { ok: false, count: given.length };
  const texts = given.map(textOf).filter(isTold);
  const last = texts.slice(-linesKept);
  const coded = texts.slice(0, -linesKept).filter(isCoded).slice(-codedKept);
  const leftOut = texts.length - last.length - coded.length;
  const note = leftOut === 0 ? [] : [`(${leftOut} of ${given.length} details left out)`];
  return { ok: true, details: [...note, ...coded, ...last] };
}

const codedKept = 6;
/** Beside those and the note that something was left out. */
const linesKept = limits.reportDetailsMax - codedKept - 1;

function isTold(text: string): boolean {
  return text !== "";
}

function textOf(detail: unknown): string {
  if (detail === null || detail === undefined) return "";
  if (typeof detail === "object") return "(object)";
  return cutText(oneLine(String(detail)), limits.reportDetailCharactersMax);
}

import { type DeviceStateWord, deviceStateWords } from "../../../src/protocol/device-states.ts";
import type { Execution } from "../../../src/protocol/executions.ts";
import { limits } from "../terms/limits.ts";
import { cutText, isCoded } from "../terms/texts.ts";

/** What the details of a feedback say, of our own agent and of other people's clients. */
export interface Said {
  readonly execution: Execution;
  readonly finished: "none" | "success" | "failure";
  readonly deviceState: DeviceStateWord | null;
  /** From `reason=`: it may be one that is counted in a way of its own. */
  readonly reason: string | null;
  /** The plain words of a client that sends no `reason=`, for people. */
  readonly told: string | null;
}

/**
 * The texts `state=` and `reason=` of the details, of which the last counts, and the plain words
 * beside them.
 */
export function readSaid(feedback: {
  readonly execution: Execution;
  readonly finished: Said["finished"];
  readonly details: readonly string[];
}): Said {
  const { execution, finished, details } = feedback;
  const deviceState = stateNamed(lastOf(details, "state=") ?? "");
  // SWUpdate closes with success and this text when it was told to skip the installation.
  if (execution === "closed" && details.includes("Skipped Update."))
    return { execution, finished: "failure", deviceState, reason: "skipped", told: null };
  const coded = lastOf(details, "reason=");
  const reason = coded === null ? null : cutText(coded, limits.reasonCharactersMax);
  return { execution, finished, deviceState, reason, told: wordsOf(details) };
}

/**
 * Takes as many of the plain details as fit, from the last on, in their order: the end of a log
 * tells how it ended.
 */
function wordsOf(details: readonly string[]): string | null {
  const told: string[] = [];
  let characters = 0;
  for (const word of details.filter((detail) => !isCoded(detail)).reverse()) {
    characters += word.length + separator.length;
    if (told.length > 0 && characters > limits.reasonCharactersMax) break;
    told.unshift(word);
  }
  return told.length === 0 ? null : cutText(told.join(separator), limits.reasonCharactersMax);
}

const separator = "; ";

function lastOf(details: readonly string[], prefix: string): string | null {
  const text = details.findLast((detail) => detail.startsWith(prefix))?.slice(prefix.length);
  return text === undefined || text === "" ? null : text;
}

/** Our agent's `rolledBack` and anybody's `rolled-back` are one state. */
function stateNamed(text: string): DeviceStateWord | null {
  const known = Object.entries(deviceStateWords);
  return known.find(([kind, word]) => text === kind || text === word)?.[1] ?? null;
}

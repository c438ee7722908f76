import type { Effect } from "../../../../src/update/machine/effect.ts";
import { offerOf, type State } from "../../../../src/update/machine/state.ts";
import type { Transition } from "../../../../src/update/machine/transition.ts";

/** A transition in one line, as the tables have it: `state: effect, effect`. */
export function told({ state, effects }: Transition): string {
  const list = effects.map(effectText).join(", ");
  return list === "" ? stateText(state) : `${stateText(state)}: ${list}`;
}

/** The kind, the action, and whatever else the state carries that is not as at its start. */
export function stateText(state: State): string {
  const words: (string | null)[] = [state.kind, offerOf(state)?.source.actionId ?? null];
  switch (state.kind) {
    case "downloading":
      words.push(state.prepared ? "prepared" : null, count("again", state.hashFailures));
      break;
    case "verifying":
      words.push(count("again", state.hashFailures));
      break;
    case "staged":
      words.push(count("requests", state.requests));
      break;
    case "activating":
      words.push(`#${state.requests}`, state.requested ? "requested" : null);
      break;
    case "trial":
      words.push(state.offer === null ? "unknown" : null, state.lastFailure);
      break;
    case "rollingBack":
      words.push(state.reason, state.waitsForPower ? "waits for power" : null);
      break;
    case "rolledBack":
      words.push(state.reason);
      break;
    case "deferred":
      return `deferred ${state.reason} > ${stateText(state.resume)}`;
    case "failed":
      words.push(state.reason);
      if (state.resume !== null) words.push(`> ${stateText(state.resume)}`);
      break;
    default:
  }
  return words.filter((word) => word !== null).join(" ");
}

export function effectText(effect: Effect): string {
  switch (effect.kind) {
    case "check":
      return `check ${effect.offer.source.actionId}`;
    case "prepare":
    case "download":
    case "verify":
    case "prepareSwap":
    case "requestSwap":
      return `${effect.kind} ${effect.offer.source.actionId}`;
    case "refuse": {
      const silently = effect.cause.isSilence ? " after silence" : "";
      return `refuse ${effect.imageHash.slice(0, 2)}${silently}`;
    }
    case "pardon":
      return `pardon ${effect.imageHash.slice(0, 2)}`;
    case "acknowledgeCancel":
      return `${effect.accepted ? "accept" : "reject"} cancel ${effect.actionId}`;
    case "report": {
      const { actionId, execution, finished, state, reason } = effect.report;
      const words = ["report", actionId, execution, finished === "none" ? null : finished];
      return [...words, state, reason].filter((word) => word !== null).join(" ");
    }
    default:
      return effect.kind;
  }
}

function count(word: string, value: number): string | null {
  return value === 0 ? null : `${word} ${value}`;
}

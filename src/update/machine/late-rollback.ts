import type { AcceptedOffer } from "../../offer/offer.ts";
import type { StabilityTrigger } from "../../policy/stability-history.ts";
import { canAffordRollback } from "./conditions.ts";
import type { Context, Event } from "./event.ts";
import { isSilence, type RollbackImpossible, type RollbackReason } from "./reasons.ts";
import type { RefusalCause } from "./refused-images.ts";
import type { RolledBackState, RollingBackState, State } from "./state.ts";
import { after, enter, idle, reportsOf, stay, type Transition } from "./steps.ts";

/**
 * A confirmed image proved bad in its soak. Whatever update is under way ends, but for a swap that
 * the bootloader may begin at any moment: it takes the bad image away too. The image is refused
 * before its swap is asked for, so that no offer brings it back. Windows do not count: a device
 * that fails is not made worse by a reboot. The charge does.
 */
export function rollBack(state: State, trigger: StabilityTrigger, context: Context): Transition {
  switch (state.kind) {
    case "activating":
    case "trial":
      return stay(state);
    case "rollingBack":
      return request(state, context);
    default: {
      const next: RollingBackState = {
        kind: "rollingBack",
        offer: context.soaking,
        reason: `late-rollback:${trigger}`,
        waitsForPower: false,
      };
      const { state: asked, effects } = request(next, context);
      const { imageHash } = context.running;
      const cause = causeOf(next.reason, context.soaking);
      const first = [{ kind: "abandon" }, { kind: "refuse", imageHash, cause }] as const;
      return { state: asked, effects: [...first, ...reportsOf(next), ...effects] };
    }
  }
}

export function inRollingBack(state: RollingBackState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "tick":
      return request(state, context); // the charge is there, or an exception swallowed the restart
    case "rollbackRequested":
      return { state, effects: [{ kind: "restart" }] };
    case "rollbackFailed":
      return tellImpossible({ kind: "idle" }, "rollback-impossible: flash-error", state.offer);
    default:
      return stay(state); // too late for another offer
  }
}

/** After a reset: the image before it runs, or the swap has not come about yet. */
export function recoverRollback(state: RollingBackState, context: Context): Transition {
  const { running, refused } = context;
  const { offer, reason } = state;
  const isRefused = refused.some(({ imageHash }) => imageHash === running.imageHash);
  if (offer === null) return isRefused ? stay(state) : idle();
  // The watch counts how often the swap was asked for, and decides about it again.
  if (running.imageHash === offer.imageHash) return stay(state);
  return refuseRolledBack({ kind: "rolledBack", offer, reason });
}

/** The image before it runs again: it is refused, and the server is told. */
export function refuseRolledBack(state: RolledBackState): Transition {
  const { offer, reason } = state;
  const { imageHash } = offer;
  return after({ kind: "refuse", imageHash, cause: causeOf(reason, offer) }, enter(state));
}

function causeOf(reason: RollbackReason, offer: AcceptedOffer | null): RefusalCause {
  return { isSilence: isSilence(reason), actionId: offer?.source.actionId ?? null };
}

/** Told once, beside whatever the device is at. */
export function tellBarred(state: State, context: Context): Transition {
  return tellImpossible(state, "rollback-impossible: counter", context.soaking);
}

function request(state: RollingBackState, context: Context): Transition {
  const waitsForPower = !canAffordRollback(context);
  const next = { ...state, waitsForPower };
  return { state: next, effects: waitsForPower ? [] : [{ kind: "requestRollback" }] };
}

function tellImpossible(
  state: State,
  reason: RollbackImpossible,
  offer: RollingBackState["offer"],
): Transition {
  if (offer === null) return stay(state);
  const { version } = offer;
  const { actionId } = offer.source;
  const report = {
    actionId,
    execution: "proceeding",
    finished: "none",
    state: state.kind,
    reason,
    detail: null,
    version,
  } as const;
  return { state, effects: [{ kind: "report", report }] };
}

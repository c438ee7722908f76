import { type DeviceStateWord, deviceStateWords } from "../../../src/protocol/device-states.ts";
import type { Execution } from "../../../src/protocol/executions.ts";
import { noServerReason, readReason } from "../../../src/protocol/reasons.ts";

/**
 * What a rollout knows of one of its devices.
 *
 * | state | meaning |
 * |---|---|
 * | waiting | not offered the release yet |
 * | offered | has an action, nothing heard of it |
 * | working | takes the release in: checks, downloads, stages |
 * | deferred | waits for power or a window, says the device |
 * | activating | asked its bootloader for the swap |
 * | trial | runs the release, not confirmed |
 * | reported | says it succeeded; nothing proves it |
 * | updated | runs the release, confirmed |
 * | rolled-back | ran the release and went back |
 * | failed | refused the release, or gave up on it, before it ran |
 * | unproven | activated or reported success, and did not show the running release in time |
 * | withdrawn | its action was cancelled; or its device gave it up, and tries again a few times |
 * | no-server | went back because the server did not answer, which was the server's fault; tries again |
 * | no-link | went back for nothing but silence of a server that was there; tries again a few times |
 * | stuck | runs the release, wants to go back and cannot |
 * | silent | ran the release, confirmed, and is not heard of any more |
 * | excluded | not eligible any more: other hardware, a newer image, rolled back before |
 */
export const memberStates = [
  "waiting",
  "offered",
  "working",
  "deferred",
  "activating",
  "trial",
  "reported",
  "updated",
  "rolled-back",
  "failed",
  "unproven",
  "withdrawn",
  "excluded",
  "no-server",
  "no-link",
  "stuck",
  "silent",
] as const;

export type MemberState = (typeof memberStates)[number];

export interface Member {
  readonly state: MemberState;
  readonly reason: string | null;
}

/** What was learnt about a device, in the words of the wire. */
export type Evidence =
  | {
      readonly kind: "running";
      readonly imageHash: string;
      readonly confirmed: boolean;
      /**
       * The image that runs is that of a newer release: the device moved on, it did not go back.
       */
      readonly isNewerRelease: boolean;
      /** The server was down, late or failing since the member came into its state. */
      readonly serverWasOut: boolean;
    }
  | {
      readonly kind: "feedback";
      readonly execution: Execution;
      readonly finished: "none" | "success" | "failure";
      /** From the detail `state=`, or null from a client that sends none. */
      readonly deviceState: DeviceStateWord | null;
      readonly reason: string | null;
      /** The plain words of a client without `reason=`. */
      readonly told: string | null;
      readonly serverWasOut: boolean;
      /** The device went back for silence, or gave up unasked, less often than it may try again. */
      readonly mayTryAgain: boolean;
    }
  | { readonly kind: "offered" }
  | { readonly kind: "fetched" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "cleared" }
  | { readonly kind: "ineligible"; readonly reason: string }
  | { readonly kind: "proof-overdue" }
  /** The device runs a stepping stone, confirmed: what comes next is offered to it. */
  | { readonly kind: "stepped"; readonly version: string }
  /** The device ran a stepping stone, confirmed, and runs something older now. */
  | { readonly kind: "stepped-back"; readonly serverWasOut: boolean }
  /** Nothing was heard of an action for as long as the rollout waits. */
  | { readonly kind: "silence" }
  /** A device that runs the release was not heard of for longer than it may be. */
  | { readonly kind: "fell-silent" }
  /** A device that was silent is there again; what it runs is judged on its own. */
  | { readonly kind: "heard" }
  /** The configuration that is in effect, as the device tells it in its attributes. */
  | { readonly kind: "configured"; readonly version: number; readonly wanted: number }
  /** A member that missed the server through no fault of its own tries again. */
  | { readonly kind: "retry-due" };

/** The executions that end an action. */
export const ends: readonly string[] = ["closed", "canceled"];

/** The executions whose word stands for good: losing one would lose the outcome of an update. */
const results: readonly string[] = [...ends, "rejected"];

export function isEnd(execution: string): boolean {
  return ends.includes(execution);
}

export function isResult(execution: string): boolean {
  return results.includes(execution);
}

/** What the list of devices shows of one, and may be asked for. */
export const shownStates = [
  ...new Set(["unknown", ...Object.values(deviceStateWords), ...memberStates] as const),
] as const;

export type ShownState = (typeof shownStates)[number];

/**
 * The member after the evidence. Only `running` can make it `updated`: what a device says of its
 * success is a report. Pure; the same member comes back when the evidence changes nothing.
 */
export function afterEvidence(member: Member, imageHash: string, evidence: Evidence): Member {
  switch (evidence.kind) {
    case "running":
      return afterRunning(member, imageHash, evidence);
    case "feedback":
      return afterFeedback(member, evidence);
    case "offered":
      return isOfferable(member.state) ? { state: "offered", reason: null } : member;
    case "fetched":
      return member.state === "offered" ? { state: "working", reason: null } : member;
    case "cancelled":
      return isOpen(member.state) ? { state: "withdrawn", reason: null } : member;
    case "cleared":
      return afterClearing(member);
    case "ineligible":
      return isOfferable(member.state) || isOpen(member.state)
        ? { state: "excluded", reason: evidence.reason }
        : member;
    case "silence":
      return isOpen(member.state)
        ? { state: "withdrawn", reason: `silent-after-${member.state}` }
        : member;
    case "proof-overdue":
      return awaitsProof(member.state)
        ? { state: "unproven", reason: `silent-after-${member.state}` }
        : member;
    case "stepped":
      return mayStep(member.state)
        ? changed(member, "waiting", `runs-step-${evidence.version}`)
        : member;
    case "stepped-back":
      return isOfferable(member.state) || isOpen(member.state)
        ? changed(member, evidence.serverWasOut ? "no-server" : "rolled-back", "reverted")
        : member;
    case "fell-silent":
      return member.state === "updated" ? changed(member, "silent", silentAfterUpdate) : member;
    case "heard":
      return member.state === "silent" ? changed(member, "updated", null) : member;
    case "configured":
      return afterConfigured(member, evidence);
    case "retry-due":
      return isTriedAgain(member.state) ? { state: "waiting", reason: null } : member;
    default:
      return evidence satisfies never;
  }
}

/** The reasons of a rollback that tell of a health check of the release. */
const healthReasons: readonly string[] = [
  "server-refused",
  "health-check",
  "low-memory",
  "peripheral",
  "no-checks",
  "late-rollback:health",
  "late-rollback:leak",
];

/** Whether the member went back because a health check of the release failed. */
export function failedHealth({ state, reason }: Member): boolean {
  return state === "rolled-back" && healthReasons.includes(reason ?? "");
}

/** May get an action when its stage is open. */
export function isOfferable(state: MemberState): boolean {
  return state === "waiting" || state === "withdrawn";
}

/** An action for it may be under way, and the release does not run yet. */
export function isOpen(state: MemberState): boolean {
  return state === "offered" || state === "working" || state === "deferred";
}

/** The release may run already; only time or the device can tell. */
export function awaitsProof(state: MemberState): boolean {
  return state === "activating" || state === "trial" || state === "reported";
}

/** Was the member sent over a step, whatever was heard of it, that it may have done now? */
function mayStep(state: MemberState): boolean {
  const isPast = state === "updated" || state === "silent" || state === "stuck";
  return !isOfferable(state) && !isPast && state !== "excluded";
}

/** Missed the server, and is offered the release again after a pause. */
export function isTriedAgain(state: MemberState): boolean {
  return state === "no-server" || state === "no-link";
}

/** Whether the rollout still brings the release to the member, or waits for how that ends. */
export function isUnderWay(state: MemberState): boolean {
  return isOfferable(state) || isOpen(state) || awaitsProof(state) || isTriedAgain(state);
}

/** Ended badly; an operator can clear it. */
export function isOver(state: MemberState): boolean {
  return (
    state === "rolled-back" ||
    state === "failed" ||
    state === "unproven" ||
    state === "stuck" ||
    state === "silent" ||
    isTriedAgain(state)
  );
}

/** The device is through with its action, whether or not it said so. */
export function isThrough(state: MemberState): boolean {
  const hasRun = state === "updated" || state === "stuck" || state === "silent";
  return hasRun || state === "rolled-back" || isTriedAgain(state);
}

/** A device that is stuck runs the release: an operator who clears it lets that be. */
function afterClearing(member: Member): Member {
  if (member.state === "stuck" || member.state === "silent")
    return { state: "updated", reason: null };
  return isOver(member.state) || member.state === "excluded"
    ? { state: "waiting", reason: null }
    : member;
}

function afterRunning(
  member: Member,
  imageHash: string,
  evidence: Extract<Evidence, { kind: "running" }>,
): Member {
  const { state } = member;
  if (evidence.imageHash === imageHash) {
    if (state === "stuck") return member;
    if (evidence.confirmed) return changed(member, "updated", null);
    return state === "trial" || state === "unproven" ? member : changed(member, "trial", null);
  }
  if (evidence.isNewerRelease) return member;
  // Why it went back is in its report, which comes later and is believed about a server that was
  // out.
  const back = evidence.serverWasOut ? "no-server" : "rolled-back";
  if (state === "trial") return changed(member, back, "reverted");
  if (state === "updated" || state === "silent") return changed(member, back, "runs-another-image");
  if (state === "stuck") return changed(member, "rolled-back", "runs-another-image");
  return member;
}

function afterFeedback(member: Member, evidence: Extract<Evidence, { kind: "feedback" }>): Member {
  const { execution, finished, deviceState, reason } = evidence;
  const { state } = member;
  const why = reason ?? evidence.told;
  const { counted } = readReason(reason ?? "");
  if (counted === "rollback-impossible")
    return mayBeStuck(state) ? changed(member, "stuck", reason) : member;
  if (counted === "late-rollback") return changed(member, stateBack(member, evidence), reason);
  // Proven: no other report takes that back, only another running image.
  if (state === "updated" || state === "stuck" || state === "silent") return member;
  if (deviceState === "rolled-back")
    return changed(member, stateBack(member, evidence), why ?? member.reason);
  if (state === "rolled-back" || isTriedAgain(state)) return member;
  switch (execution) {
    case "closed":
      if (finished === "failure") return changed(member, "failed", why);
      return changed(member, "reported", why);
    case "canceled":
      if (state === "failed" || state === "excluded") return member; // it is over already
      return changed(member, evidence.mayTryAgain ? "withdrawn" : "failed", why ?? givenUp);
    case "rejected":
      return isBehind(state, "deferred") ? member : changed(member, "deferred", why ?? "rejected");
    default: {
      const next = progressState(state, deviceState);
      return isBehind(state, next) ? member : changed(member, next, reason);
    }
  }
}

/**
 * What a device is that says it went back. One that tells nothing but the server's silence is tried
 * again: for the server's fault without a limit, for its own link's a few times. Who was seen to
 * have gone back before is not made better by an outage that is seen since.
 */
function stateBack(
  { state, reason }: Member,
  evidence: Extract<Evidence, { kind: "feedback" }>,
): MemberState {
  if (readReason(evidence.reason ?? "").trigger !== noServerReason) return "rolled-back";
  if (isTriedAgain(state)) return state;
  const isSeen = state === "rolled-back";
  if (evidence.serverWasOut && !isSeen) return "no-server";
  const isJudged = isSeen && !reasonsSeen.includes(reason ?? "");
  return evidence.mayTryAgain && !isJudged ? "no-link" : "rolled-back";
}

/** Why a device is silent: the release runs on it, and it does not come any more. */
const silentAfterUpdate = "silent-after-updated";

/** Why a member has no action any more whose device ended it, unasked and without a reason. */
const givenUp = "given-up";

/** The reasons of a rollback that only the running image told of: the device's report says why. */
const reasonsSeen: readonly string[] = ["reverted", "runs-another-image"];

/** Whether the image that runs shows that the member went back, and nothing said why so far. */
export function isUnexplained({ state, reason }: Member): boolean {
  return state === "rolled-back" && reasonsSeen.includes(reason ?? "");
}

/**
 * Is it news of before? Reports have no order of their own: one that was sent again, or came late,
 * tells of a step that is behind the device. Only before its restart may it put the activation off.
 */
function isBehind(state: MemberState, next: MemberState): boolean {
  if (next === "working") return awaitsProof(state);
  if (next === "deferred") return state === "trial" || state === "reported";
  return next === "activating" && state === "reported";
}

/**
 * A configuration counts once the device reported success and tells its version, in either order.
 */
function afterConfigured(
  member: Member,
  { version, wanted }: Extract<Evidence, { kind: "configured" }>,
): Member {
  const { state } = member;
  if (version === wanted)
    return state === "reported" || state === "unproven" ? changed(member, "updated", null) : member;
  return (state === "updated" || state === "silent") && version < wanted
    ? changed(member, "rolled-back", "runs-another-configuration")
    : member;
}

/** The release runs, or may. */
function mayBeStuck(state: MemberState): boolean {
  const hasRun = state === "updated" || state === "stuck" || state === "silent";
  return hasRun || state === "unproven" || awaitsProof(state);
}

function progressState(state: MemberState, deviceState: DeviceStateWord | null): MemberState {
  if (deviceState === "deferred") return "deferred";
  if (deviceState === "activating") return state === "trial" ? "trial" : "activating";
  if (deviceState === "trial" || deviceState === "confirmed")
    return state === "trial" ? "trial" : "activating";
  return "working";
}

function changed(member: Member, state: MemberState, reason: string | null): Member {
  return member.state === state && member.reason === reason ? member : { state, reason };
}

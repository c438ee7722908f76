import type { Execution } from "../../../src/protocol/executions.ts";
import { readReason } from "../../../src/protocol/reasons.ts";
import {
  awaitsProof,
  isOpen,
  isThrough,
  isTriedAgain,
  isUnexplained,
  type MemberState,
  type ShownState,
} from "../rollout/member.ts";
import {
  type ActionRow,
  addReport,
  findAction,
  isActive,
  updateAction,
} from "../storage/actions.ts";
import { addEvent } from "../storage/events.ts";
import type { MemberRow } from "../storage/rollouts.ts";
import type { ActionStatus } from "../storage/tables.ts";
import { cancelRejected, evidenceOfCancel, isUnconfirmed, lastingReports } from "./cancel.ts";
import { changeDevice } from "./change-device.ts";
import { decideInstruction } from "./decide.ts";
import type { DeviceChange } from "./device-change.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";
import type { ReleaseFile } from "./releases.ts";
import { readSaid, type Said } from "./said.ts";
import { isWatched } from "./silence.ts";
import { isStepDone } from "./steps.ts";

/** DDI v1 feedback, read and checked. */
export interface Feedback {
  readonly execution: Execution;
  readonly finished: "none" | "success" | "failure";
  readonly details: readonly string[];
}

export type FeedbackResult =
  | "accepted"
  | "unknown-action"
  | "awaiting-confirmation"
  | "action-closed"
  | "not-cancelable";

/**
 * Takes feedback on a deployment. The answer may be given once this resolves: the report is on the
 * disk.
 */
export async function receiveFeedback(
  fleet: Fleet,
  entry: DeviceEntry,
  actionId: number,
  feedback: Feedback,
): Promise<FeedbackResult> {
  return onAction(fleet, entry, actionId, async (change, action) => {
    if (action.status === "confirming") return "awaiting-confirmation";
    const said = readSaid(feedback);
    if (!isActive(action)) return receiveLate(change, action, { feedback, said });
    await keepReport(change, action, feedback);
    if (action.status === "canceling" && said.execution === "canceled")
      await learnCancelled(change, action); // some clients answer here what they were asked there
    else await learnFeedback(change, action, said);
    const after = await change.memberOf(action.rollout_id);
    await putEndOff(change, action, after);
    showState(change, after?.state ?? null, said);
    await setStatus(change, action, statusAfter(action.status, said), feedback.execution);
    return "accepted";
  });
}

/**
 * A device that confirmed a release, and so closed its action with success, says later that it went
 * back from it, or wants to and cannot. What the running image contradicts is not believed;
 * anything else on a closed action is 410.
 */
async function receiveLate(
  change: DeviceChange,
  action: ActionRow,
  { feedback, said }: { feedback: Feedback; said: Said },
): Promise<FeedbackResult> {
  const { counted } = readReason(said.reason ?? "");
  const member = await change.memberOf(action.rollout_id);
  const image = change.fleet.memory.images.get(action.image_id);
  if (action.status !== "finished" || member === null || image === undefined)
    return "action-closed";
  if (counted !== "late-rollback" && counted !== "rollback-impossible") return "action-closed";
  const runs = change.row.running_hash === image.imageHash;
  const isContradicted = change.row.running_hash !== null && runs === (counted === "late-rollback");
  const isKnown = member.state === "stuck" && member.reason === said.reason;
  if (isContradicted || isKnown) return "action-closed";
  await keepReport(change, action, feedback);
  await learnFeedback(change, action, said);
  const after = await change.memberOf(action.rollout_id);
  if (after !== null) change.setState(after.state, after.reason);
  if (counted === "late-rollback") await setStatus(change, action, "failed", feedback.execution);
  return "accepted";
}

/** A device that reports is not silent: its action has as much time again. */
async function putEndOff(
  change: DeviceChange,
  action: ActionRow,
  member: MemberRow | null,
): Promise<void> {
  const rollout = change.fleet.memory.rollouts.get(action.rollout_id);
  if (member === null || rollout === undefined) return;
  if (!isOpen(member.state) || action.status === "canceling") return;
  await change.putOff(member, rollout.definition.actionSeconds);
}

async function learnCancelled(change: DeviceChange, action: ActionRow): Promise<void> {
  const image = change.fleet.memory.images.get(action.image_id);
  const member = await change.memberOf(action.rollout_id);
  if (member === null || image === undefined) return;
  await change.learn(member, image.imageHash, evidenceOfCancel(action));
}

async function learnFeedback(change: DeviceChange, action: ActionRow, said: Said): Promise<void> {
  const image = change.fleet.memory.images.get(action.image_id);
  const member = await change.memberOf(action.rollout_id);
  if (member === null || image === undefined) return;
  const { counted } = readReason(said.reason ?? "");
  const isBack = said.deviceState === "rolled-back" || counted === "late-rollback";
  // What runs proves the step already, and the next one may be offered.
  if (isStepDone(change, action) && !isBack) return;
  const serverWasOut = change.serverWasOut(member);
  const mayTryAgain = change.mayTryAgain(member);
  const evidence = { kind: "feedback", ...said, serverWasOut, mayTryAgain } as const;
  await change.learn(member, image.imageHash, evidence);
  if (said.deviceState === "rolled-back") await explainToOthers(change, image, said);
  if (image.kind === "configuration") await change.judgeConfigurations();
}

/**
 * Other rollouts of the same image saw the device go back, too, and have no action that it could
 * say why on.
 */
async function explainToOthers(
  change: DeviceChange,
  image: ReleaseFile,
  said: Said,
): Promise<void> {
  for (const member of await change.members()) {
    if (!isUnexplained(member)) continue;
    if (change.imageOf(member.rollout_id)?.imageHash !== image.imageHash) continue;
    const serverWasOut = change.serverWasOut(member);
    const mayTryAgain = change.mayTryAgain(member);
    const evidence = { kind: "feedback", ...said, serverWasOut, mayTryAgain } as const;
    await change.learn(member, image.imageHash, evidence);
  }
}

/** Takes feedback on the cancellation of an action. */
export async function receiveCancelFeedback(
  fleet: Fleet,
  entry: DeviceEntry,
  actionId: number,
  feedback: Feedback,
): Promise<FeedbackResult> {
  return onAction(fleet, entry, actionId, async (change, action) => {
    if (!isActive(action)) return "action-closed";
    if (action.status !== "canceling") return "not-cancelable";
    await keepReport(change, action, feedback);
    const { reason, told } = readSaid(feedback);
    const why = reason ?? told;
    if (feedback.execution === "rejected") {
      change.setState(change.row.state, why ?? change.row.reason);
      await setStatus(change, action, statusBeforeCancel(change, action), cancelRejected);
      const open = { ...action, status: "open" } as const;
      await putEndOff(change, open, await change.memberOf(action.rollout_id));
      return "accepted";
    }
    // Some clients say "canceled" of what they cancelled (hawkBit#952).
    if (feedback.execution !== "closed" && feedback.execution !== "canceled") return "accepted";
    const isCanceled = feedback.finished !== "failure";
    if (isCanceled) await learnCancelled(change, action);
    change.setState(isCanceled ? "withdrawn" : "failed", why);
    await setStatus(change, action, isCanceled ? "canceled" : "failed", feedback.execution);
    return "accepted";
  });
}

/** Takes a confirmation or its denial; a denied action may be confirmed later. */
export async function receiveConfirmation(
  fleet: Fleet,
  entry: DeviceEntry,
  actionId: number,
  confirmation: { readonly confirmed: boolean; readonly details: readonly string[] },
): Promise<FeedbackResult> {
  return onAction(fleet, entry, actionId, async (change, action) => {
    if (!isActive(action)) return "action-closed";
    if (action.status !== "confirming") return "awaiting-confirmation";
    const { confirmed, details } = confirmation;
    const execution = confirmed ? "resumed" : "rejected";
    await keepReport(change, action, { execution, finished: "none", details });
    if (confirmed) await setStatus(change, action, "open", "confirmed");
    change.setState(confirmed ? "offered" : "deferred", confirmed ? null : "denied");
    return "accepted";
  });
}

/** From now on, or until it is taken back, the device agrees to every action at once. */
export async function setAutoConfirm(
  fleet: Fleet,
  entry: DeviceEntry,
  approval: { readonly initiator: string | null; readonly remark: string | null } | null,
): Promise<"accepted" | "gone"> {
  return changeDevice(fleet, entry, async (change) => {
    const decidedPlan = fleet.memory.plan.number;
    change.set({
      auto_confirm_at: approval === null ? null : change.unit.nowUnixMs,
      auto_confirm_initiator: approval?.initiator ?? null,
      auto_confirm_remark: approval?.remark ?? null,
    });
    if (approval !== null && change.action?.status === "confirming")
      await setStatus(change, change.action, "open", "auto-confirmed");
    await decideInstruction(change);
    await change.finish(decidedPlan);
    return "accepted" as const;
  });
}

/** The device asks for the file of its action: from here on the action has begun. */
export async function noteFetch(fleet: Fleet, entry: DeviceEntry): Promise<void> {
  const { action } = entry;
  if (action === null || entry.row.state !== "offered") return;
  await onAction(fleet, entry, action.id, async (change, current) => {
    const image = fleet.memory.images.get(current.image_id);
    const member = await change.memberOf(current.rollout_id);
    if (member !== null && image !== undefined)
      await change.learn(member, image.imageHash, { kind: "fetched" });
    change.setState("downloading", null);
    return "accepted";
  });
}

async function onAction(
  fleet: Fleet,
  entry: DeviceEntry,
  actionId: number,
  work: (change: DeviceChange, action: ActionRow) => Promise<FeedbackResult>,
): Promise<FeedbackResult> {
  const done = await changeDevice(fleet, entry, async (change) => {
    const decidedPlan = fleet.memory.plan.number;
    const action =
      change.action?.id === actionId
        ? change.action
        : await findAction(change.unit.db, entry.id, actionId);
    if (action === null) return "unknown-action";
    const result = await work(change, action);
    if (result !== "accepted") return result;
    await decideInstruction(change);
    await change.finish(decidedPlan);
    return result;
  });
  return done === "gone" ? "unknown-action" : done;
}

async function keepReport(
  change: DeviceChange,
  action: ActionRow,
  feedback: Feedback,
): Promise<void> {
  const { execution, finished, details } = feedback;
  await addReport(change.unit.db, {
    action_id: action.id,
    at: change.unit.nowUnixMs,
    execution,
    finished,
    details: JSON.stringify(details),
  });
  const rolloutId = action.rollout_id;
  await addEvent(
    change.unit.db,
    { kind: "feedback", deviceId: change.id, rolloutId, details: { execution, finished, details } },
    change.unit.nowUnixMs,
  );
}

/**
 * The action goes on as if nobody had asked for its end; one that nobody agreed to yet still waits
 * for that.
 */
function statusBeforeCancel(change: DeviceChange, action: ActionRow): ActionStatus {
  const rollout = change.fleet.memory.rollouts.get(action.rollout_id);
  const asks = rollout?.definition.needsConfirmation === true && isUnconfirmed(action);
  return asks && change.row.auto_confirm_at === null ? "confirming" : "open";
}

/** hawkBit's table of what an execution does to the action. */
function statusAfter(
  status: ActionStatus,
  said: Pick<Feedback, "execution" | "finished">,
): ActionStatus {
  if (said.execution === "closed") return said.finished === "failure" ? "failed" : "finished";
  return said.execution === "canceled" ? "canceled" : status;
}

async function setStatus(
  change: DeviceChange,
  action: ActionRow,
  status: ActionStatus,
  lastReport: string,
): Promise<void> {
  // What the device refused once is not asked again, and what an operator took back is not offered
  // again.
  const isLasting = lastingReports.includes(action.last_report) && isActive({ status });
  const changed = {
    status,
    last_report: isLasting && lastReport !== cancelRejected ? action.last_report : lastReport,
    changed_at: change.unit.nowUnixMs,
  };
  await updateAction(change.unit.db, action.id, changed);
  const isOver = !isActive(changed);
  if (change.action?.id === action.id) change.action = isOver ? null : { ...action, ...changed };
  if (!isOver) return;
  const member = await change.memberOf(action.rollout_id);
  const isPast = member !== null && (isThrough(member.state) || member.state === "waiting");
  const rollout = change.fleet.memory.rollouts.get(action.rollout_id);
  const isWatchedOn = member?.state === "updated" && isWatched(rollout);
  const isWaitedFor = isWatchedOn || (member !== null && isTriedAgain(member.state));
  if (isPast && !isWaitedFor) await change.putOff(member, null);
  // Another firmware may run now, so its attributes are wanted again, as hawkBit does.
  const installed = status === "finished" ? action.id : null;
  change.set({ attributes_wanted: 1, installed_action_id: installed });
}

/**
 * What the list of devices shows: the device's own word for its state, corrected by what is proven.
 */
function showState(change: DeviceChange, member: MemberState | null, said: Said): void {
  const isSettled =
    member !== null && (isThrough(member) || member === "failed" || member === "reported");
  const settled = isSettled ? member : null;
  // The device is past what a late report tells of: what is shown stays.
  const step = said.deviceState ?? wordOf(said.execution);
  if (settled === null && member !== null && awaitsProof(member) && isBefore(step)) return;
  change.setState(settled ?? said.deviceState ?? wordOf(said.execution), said.reason ?? said.told);
}

/** Comes before the restart into the release. */
function isBefore(step: string): boolean {
  return ["checking", "downloading", "verifying", "staged", "deferred", "working"].includes(step);
}

function wordOf(execution: Execution): ShownState {
  switch (execution) {
    case "download":
      return "downloading";
    case "downloaded":
      return "staged";
    case "rejected":
    case "scheduled":
      return "deferred";
    case "canceled":
      return "withdrawn";
    case "closed":
      return "reported";
    case "proceeding":
    case "resumed":
      return "working";
    default:
      return execution satisfies never;
  }
}

import { bucketOf, lastStageOf, stageOf } from "../rollout/buckets.ts";
import { selects } from "../rollout/definition.ts";
import { type Ineligibility, isOlder } from "../rollout/eligibility.ts";
import { isOfferable, isOpen, isThrough, type MemberState } from "../rollout/member.ts";
import { type ActionRow, insertAction, updateAction } from "../storage/actions.ts";
import { addClearance, isCleared } from "../storage/clearances.ts";
import { listRefusals } from "../storage/devices.ts";
import { insertMembers, type MemberRow, setBatteryBefore } from "../storage/rollouts.ts";
import { mayOffer } from "./admission.ts";
import { askToCancel, cancelRejected, endAction, takenBack } from "./cancel.ts";
import type { DeviceChange } from "./device-change.ts";
import { isDownloadClosed, mayTakeStep } from "./device-windows.ts";
import { nextOffered } from "./eligible.ts";
import type { Instruction } from "./known-devices.ts";
import type { Rollout } from "./memory.ts";
import type { ReleaseFile } from "./releases.ts";
import { isStep, isStepDone } from "./steps.ts";

/**
 * Decides what the device is to do now, and gives it an action when a rollout has its turn for it.
 * What speaks against the action of a device is looked at each time, until the release is
 * activated.
 */
export async function decideInstruction(change: DeviceChange): Promise<void> {
  await joinRollouts(change);
  change.isInLine = false;
  change.holdAlways();
  if (change.action !== null) await judgeAction(change);
  const { action } = change;
  if (action === null || (await isActionOver(change))) await offerNext(change, isAnything);
  else if (await waitsForItsTime(change)) {
    const before = change.fleet.memory.images.get(action.image_id);
    const isFirmware = before === undefined || !isConfiguration(before);
    const givesWayTo: Fits = (image, rollout) =>
      isConfiguration(image) === isFirmware ? isFirmware : rollout.id > action.rollout_id;
    await offerNext(change, givesWayTo);
  }
  if (!change.isInLine) change.fleet.admission.claimsNothing(change.entry);
  change.instruction = await instructionOf(change);
}

type Fits = (image: ReleaseFile, rollout: Rollout) => boolean;

/** What identifies a rollout in the hash of its buckets. */
export function saltOf(rolloutId: number): string {
  return `rollout-${rolloutId}`;
}

/**
 * A device that came after a rollout was planned finds its stage by its bucket; one that was left
 * out comes back once nothing speaks against it any more, for example after the stepping stone that
 * it lacked.
 */
async function joinRollouts(change: DeviceChange): Promise<void> {
  for (const rollout of change.fleet.memory.rollouts.values()) {
    if (!isServed(rollout) || !selects(rollout.definition.selector, change.row)) continue;
    const member = await change.memberOf(rollout.id);
    if (member?.state === "waiting") await placeAnew(change, rollout, member);
    if (member !== null && (member.state !== "excluded" || member.reason === takenBack)) continue;
    if (member === null && rollout.wasFinished) continue; // who comes now needs a rollout of its own
    const image = change.imageOf(rollout.id);
    if (image === null || (await nextFor(change, rollout, image)).reason !== null) continue;
    if (member !== null) {
      await change.learn(member, image.imageHash, { kind: "cleared" });
      continue;
    }
    const bucket = bucketOf(saltOf(rollout.id), change.id);
    const stage = await stageOfNewcomer(change, rollout, bucket);
    if (stage === null) continue;
    const { db, nowUnixMs } = change.unit;
    const at = { unixMs: nowUnixMs, serviceMs: change.fleet.time.nowMs() };
    await insertMembers(db, rollout.id, [{ deviceId: change.id, bucket, stage }], at);
    change.forgetMembers();
  }
}

async function stageOfNewcomer(
  change: DeviceChange,
  rollout: Rollout,
  bucket: number,
): Promise<number | null> {
  const passes = await stagesPassed(change, rollout);
  const place = rollout.definition.newcomers === "wait" ? lastStageOf : stageOf;
  return place(bucket, rollout.laterCutoffs, (stage) => passes[stage] ?? false);
}

async function stagesPassed(
  change: DeviceChange,
  { stageFilters }: Rollout,
): Promise<readonly boolean[]> {
  const passes: boolean[] = [];
  for (const filter of stageFilters) passes.push(await change.passes(filter));
  return passes;
}

/**
 * A device that waits goes to another stage when it does not pass the filter of its own any more,
 * or came into a group whose stage is before. What was offered stays where it is.
 */
async function placeAnew(change: DeviceChange, rollout: Rollout, member: MemberRow): Promise<void> {
  if (rollout.stageFilters.every((filter) => filter === null)) return;
  const passes = await stagesPassed(change, rollout);
  const { stages } = rollout.definition;
  const earlier = stages.findIndex(({ group }, stage) => group !== undefined && passes[stage]);
  const isCalledEarlier = earlier >= 0 && earlier < member.stage;
  if (passes[member.stage] === true && !isCalledEarlier) return;
  const found = stageOf(member.bucket, rollout.laterCutoffs, (stage) => passes[stage] ?? false);
  if (found === null || found === member.stage) return;
  await change.moveToStage(member, found);
}

/**
 * A stopped rollout, and whatever makes the device one that may not have the image, takes the
 * action back.
 */
async function judgeAction(change: DeviceChange): Promise<void> {
  const { action } = change;
  if (action === null) return;
  const member = await change.memberOf(action.rollout_id);
  const isBeforeActivation = member === null || isOpen(member.state);
  const reason = isBeforeActivation ? await whyNotGoOn(change, action) : null;
  if (reason !== null) return takeBack(change, action, member, reason);
  if (action.status === "canceling" || !isBeforeActivation) return;
  const rollout = change.fleet.memory.rollouts.get(action.rollout_id);
  if (rollout === undefined || !isStopped(rollout)) return;
  if (action.last_report !== cancelRejected) await askToCancel(change, action, rollout);
}

/** Why the device may not have the image of its action any more, or null. */
async function whyNotGoOn(change: DeviceChange, action: ActionRow): Promise<Ineligibility | null> {
  const rollout = change.fleet.memory.rollouts.get(action.rollout_id);
  const image = change.fleet.memory.images.get(action.image_id);
  if (rollout === undefined || image === undefined) return null;
  const next = await nextFor(change, rollout, image, action.retry === 1);
  if (next.reason === null && next.image !== image) return "needs-stepping-stone";
  const { reason } = next;
  // A configuration that is in effect is not done yet: its device has to say so too.
  return reason === "already-running" && isConfiguration(image) ? null : reason;
}

/**
 * The device shows that the action is none for it: it has moved on, or is another device than was
 * thought. It is not asked: its image is not served to it any more, and a report on the action is
 * answered 410.
 */
async function takeBack(
  change: DeviceChange,
  action: ActionRow,
  member: MemberRow | null,
  reason: Ineligibility,
): Promise<void> {
  if (member !== null) {
    // Where the way to the release is another one now, the member waits for its next step.
    const isWayOther = reason === "needs-stepping-stone" || isStep(change, action);
    const isReached = reason === "already-running" || isWayOther;
    const evidence = isReached
      ? ({ kind: "cancelled" } as const)
      : ({ kind: "ineligible", reason } as const);
    await change.learn(member, "", evidence);
  }
  await endAction(change, action, { status: "canceled", why: reason });
}

/** The device is through with its action, whether or not it said so. */
async function isActionOver(change: DeviceChange): Promise<boolean> {
  const member = change.action && (await change.memberOf(change.action.rollout_id));
  return member !== null && isDone(member.state);
}

/** A member that waits for another offer is done with the action of before. */
function isDone(state: MemberState): boolean {
  return isThrough(state) || isOfferable(state);
}

/** Closes the action of a device that is through with it; false when it is not. */
export async function closeIfDone(change: DeviceChange, action: ActionRow): Promise<boolean> {
  const member = await change.memberOf(action.rollout_id);
  if (member === null || !isDone(member.state)) return false;
  const status = statusOfDone(change, action, member);
  await updateAction(change.unit.db, action.id, { status, changed_at: change.unit.nowUnixMs });
  change.action = null;
  return true;
}

function statusOfDone(
  change: DeviceChange,
  action: ActionRow,
  member: MemberRow | null,
): "finished" | "failed" {
  return member?.state === "updated" || isStepDone(change, action) ? "finished" : "failed";
}

const isAnything: Fits = () => true;

function isConfiguration({ kind }: ReleaseFile): boolean {
  return kind === "configuration";
}

/**
 * What was offered, or waits for power or a window, gives way to a newer rollout; so does the
 * cancellation of what was only offered. An image gives way to any configuration as well and comes
 * again after it: the configuration may be what lets it go on, as one that ends a freeze.
 */
async function waitsForItsTime(change: DeviceChange): Promise<boolean> {
  const { action } = change;
  if (action === null) return false;
  const member = await change.memberOf(action.rollout_id);
  if (member?.state === "offered") return true;
  return member?.state === "deferred" && action.status !== "canceling";
}

/** Takes the newest rollout that has its turn for this device, of those whose image `fits`. */
async function offerNext(change: DeviceChange, fits: Fits): Promise<void> {
  for (const member of [...(await change.members())].reverse()) {
    const rollout = change.fleet.memory.rollouts.get(member.rollout_id);
    if (rollout === undefined || !isServed(rollout) || !isOfferable(member.state)) continue;
    const target = change.imageOf(rollout.id);
    if (target !== null && !fits(target, rollout)) continue;
    const { image, reason } = await nextFor(change, rollout, target);
    if (image === null || reason !== null) {
      await exclude(change, member, image, reason);
      continue;
    }
    if (!isOffering(rollout) || member.stage > rollout.currentStage) continue;
    // It pauses after it gave up, or its word on the step that it runs is still to come.
    const isPausing = member.state === "withdrawn" || member.reason !== null;
    if (member.proof_due_at !== null && isPausing) continue;
    if (await isDownloadClosed(change, rollout, image)) continue;
    const asks = rollout.definition.needsConfirmation && change.row.auto_confirm_at === null;
    change.isInLine = !mayOffer(change.fleet, change.entry, { rollout, asks });
    if (!change.isInLine) await offer(change, { rollout, member, image, asks });
    return;
  }
}

async function exclude(
  change: DeviceChange,
  member: MemberRow,
  image: ReleaseFile | null,
  reason: Ineligibility | null,
): Promise<void> {
  if (reason === null || reason === "already-running") return; // the running image itself is the evidence
  await change.learn(member, image?.imageHash ?? "", { kind: "ineligible", reason });
}

async function offer(
  change: DeviceChange,
  {
    rollout,
    member,
    image,
    asks,
  }: {
    readonly rollout: Rollout;
    readonly member: MemberRow;
    readonly image: ReleaseFile;
    /** The device, or its user, has to agree first. */
    readonly asks: boolean;
  },
): Promise<void> {
  const { db, nowUnixMs } = change.unit;
  if (change.action !== null) {
    const before = await change.memberOf(change.action.rollout_id);
    const gaveWay = before !== null && isOpen(before.state);
    if (before !== null && gaveWay) await change.learn(before, "", { kind: "cancelled" });
    const status = gaveWay ? "canceled" : statusOfDone(change, change.action, before);
    await updateAction(db, change.action.id, { status, changed_at: nowUnixMs });
  }
  change.action = await insertAction(db, {
    device_id: change.id,
    rollout_id: rollout.id,
    image_id: image.id,
    mode: rollout.definition.mode,
    status: asks ? "confirming" : "open",
    last_report: "",
    retry: (await mayRetry(change, rollout)) ? 1 : 0,
    created_at: nowUnixMs,
    changed_at: nowUnixMs,
  });
  await setBatteryBefore(db, member, change.row.battery);
  await change.learn(member, image.imageHash, { kind: "offered" });
  change.setState("offered", null);
}

/**
 * The device refuses the release by itself, unless the offer says that an operator wants it tried
 * again.
 */
async function mayRetry(change: DeviceChange, rollout: Rollout): Promise<boolean> {
  if (rollout.definition.retryRolledBack) return true;
  return isCleared(change.unit.db, change.id, rollout.releaseId);
}

/** An action that is under way says from now on that the device may take what it refused. */
export async function allowRetry(change: DeviceChange, releaseId: number): Promise<void> {
  const { db, nowUnixMs } = change.unit;
  await addClearance(db, change.id, { releaseId, atUnixMs: nowUnixMs });
  const { action } = change;
  if (action === null) return;
  if (change.fleet.memory.rollouts.get(action.rollout_id)?.releaseId !== releaseId) return;
  await updateAction(db, action.id, { retry: 1, changed_at: nowUnixMs });
  change.action = { ...action, retry: 1, changed_at: nowUnixMs };
}

async function instructionOf(change: DeviceChange): Promise<Instruction> {
  const { action } = change;
  if (action === null || (await isActionOver(change))) return { kind: "none" };
  if (action.status === "canceling") return { kind: "cancel", actionId: action.id };
  const rollout = change.fleet.memory.rollouts.get(action.rollout_id);
  const member = await change.memberOf(action.rollout_id);
  // Too late to take it back: the device may report how it ends, but is not sent there again.
  if (rollout === undefined) return { kind: "none" };
  // A device that refused the cancellation goes on with its action, as with hawkBit.
  if (isStopped(rollout) && action.last_report !== cancelRejected) return { kind: "none" };
  if (rollout.state === "paused" && member?.state === "offered") return { kind: "none" };
  const image = change.fleet.memory.images.get(action.image_id);
  const etag = etagOf(image, action);
  if (action.status === "confirming") return { kind: "confirm", actionId: action.id, etag };
  if (member?.state === "offered" && (await isDownloadClosed(change, rollout, image)))
    return { kind: "none" };
  const windowOpen = await mayTakeStep(change, rollout, "install");
  // A client that never says what it runs may know no windows: SWUpdate reports success for what it
  // did not install.
  if (windowOpen === false && change.row.running_hash === null) return { kind: "none" };
  const c = windowOpen === false ? etag + closedStep : etag;
  return { kind: "install", actionId: action.id, etag: c, windowOpen };
}

/**
 * The `c` of the links, which changes when the answer behind them does (DDI v1); positive, below
 * 2^31.
 */
function etagOf(image: ReleaseFile | undefined, action: ActionRow): number {
  const hash = Number.parseInt((image?.fileHash ?? "0").slice(0, 7), 16);
  return hash + statusSteps[action.status] + retryStep * action.retry;
}

/** What each status of an action adds to the number of its links: those that are told differ. */
const statusSteps: Readonly<Record<ActionRow["status"], number>> = {
  open: 4,
  failed: 6,
  finished: 8,
  canceled: 8,
  canceling: 9,
  confirming: 10,
};
/** More than any status adds; twice as much is more than both. */
const retryStep = 32;
const closedStep = 64;

/**
 * What the device is to be offered on its way to the image: that image itself, or a stepping stone;
 * with what speaks against it, or null.
 */
async function nextFor(
  change: DeviceChange,
  rollout: Rollout,
  image: ReleaseFile | null,
  mayRetryIt = false,
): Promise<{ readonly image: ReleaseFile | null; readonly reason: Ineligibility | null }> {
  if (image === null) return { image, reason: "other-hardware" };
  if (await isSuperseded(change, rollout, image)) return { image, reason: "superseded" };
  if (!(await change.passes(rollout.filter))) return { image, reason: "not-selected" };
  const refusals = await listRefusals(change.unit.db, change.id);
  const { definition } = rollout;
  return nextOffered(change.fleet.memory, change.row, {
    image,
    definition: mayRetryIt ? { ...definition, retryRolledBack: true } : definition,
    refusedImages: new Set(refusals.map(({ imageHash }) => imageHash)),
  });
}

/** A later rollout brought what runs: this one has nothing newer, and would only take that back. */
async function isSuperseded(
  change: DeviceChange,
  rollout: Rollout,
  image: ReleaseFile,
): Promise<boolean> {
  const { running_hash: runs, running_version: version } = change.row;
  if (isConfiguration(image) || runs === null || version === null) return false;
  if (runs === image.imageHash || isOlder(version, image.version)) return false;
  return (await change.members()).some(
    ({ rollout_id: id, state }) =>
      id > rollout.id && state === "updated" && change.imageOf(id)?.imageHash === runs,
  );
}

function isStopped(rollout: Rollout): boolean {
  return rollout.state === "halted" || rollout.state === "cancelled";
}

/**
 * Whether the rollout's members are not through: those that waited when the last stage was complete
 * are served still.
 */
function isServed(rollout: Rollout): boolean {
  return rollout.state === "ready" || rollout.state === "paused" || isOffering(rollout);
}

function isOffering(rollout: Rollout): boolean {
  return rollout.state === "running" || rollout.state === "finished";
}

import { type Evidence, isOpen } from "../rollout/member.ts";
import { type ActionRow, updateAction } from "../storage/actions.ts";
import { addEvent } from "../storage/events.ts";
import type { DeviceChange } from "./device-change.ts";
import type { Rollout } from "./memory.ts";

/** `last_report` of an action whose cancellation the device refused: it is not asked again. */
export const cancelRejected = "cancel-rejected";

/**
 * Why a member is excluded whose action an operator took back; nobody but an operator brings it in
 * again.
 */
export const takenBack = "taken-back";

/**
 * `last_report` of such an action that nobody had agreed to: it waits for that again when the
 * device refuses.
 */
const takenBackUnconfirmed = "taken-back-unconfirmed";

/** What `last_report` says for as long as the action is open, whatever is reported meanwhile. */
export const lastingReports: readonly string[] = [cancelRejected, takenBack, takenBackUnconfirmed];

/**
 * An operator wants the action back: the device is asked, and its rollout offers the release no
 * more.
 */
export function askToGiveBack(
  change: DeviceChange,
  action: ActionRow,
  rollout: Rollout,
): Promise<void> {
  const isAgreed = action.status !== "confirming" && !isUnconfirmed(action);
  return askToCancel(change, action, rollout, isAgreed ? takenBack : takenBackUnconfirmed);
}

/** Asks the device to give its action up; unanswered, the end comes by itself. */
export async function askToCancel(
  change: DeviceChange,
  action: ActionRow,
  rollout: Rollout,
  lastReport = action.last_report,
): Promise<void> {
  const asked = { status: "canceling", last_report: lastReport } as const;
  const changed = { ...asked, changed_at: change.unit.nowUnixMs };
  await updateAction(change.unit.db, action.id, changed);
  if (change.action?.id === action.id) change.action = { ...action, ...changed };
  const member = await change.memberOf(action.rollout_id);
  if (member !== null && isOpen(member.state))
    await change.putOff(member, rollout.definition.cancelSeconds);
}

/** Ends an action without a word of the device. */
export async function endAction(
  change: DeviceChange,
  action: ActionRow,
  { status, why }: { readonly status: "canceled" | "failed"; readonly why: string },
): Promise<void> {
  await updateAction(change.unit.db, action.id, {
    status,
    last_report: why,
    changed_at: change.unit.nowUnixMs,
  });
  if (change.action?.id === action.id) change.action = null;
  change.set({ attributes_wanted: 1, installed_action_id: null });
  change.setState("withdrawn", why);
  await addEvent(
    change.unit.db,
    {
      kind: "action-ended",
      deviceId: change.id,
      rolloutId: action.rollout_id,
      details: { actionId: action.id, reason: why },
    },
    change.unit.nowUnixMs,
  );
}

/**
 * What a member is whose cancellation is done: one that an operator took back is not offered the
 * release again.
 */
export function evidenceOfCancel(action: ActionRow): Evidence {
  return action.last_report === takenBack || action.last_report === takenBackUnconfirmed
    ? { kind: "ineligible", reason: takenBack }
    : { kind: "cancelled" };
}

/**
 * Was nothing said of the action that is being cancelled, and so no approval given where one is
 * needed?
 */
export function isUnconfirmed({ status, last_report: report }: ActionRow): boolean {
  return status === "canceling" && (report === "" || report === takenBackUnconfirmed);
}

import type { Running } from "../../../src/protocol/running.ts";
import { isOlder } from "../rollout/eligibility.ts";
import { type ActionRow, listActions } from "../storage/actions.ts";
import type { MemberRow } from "../storage/rollouts.ts";
import { limits } from "../terms/limits.ts";
import type { DeviceChange } from "./device-change.ts";
import type { ReleaseFile } from "./releases.ts";

/**
 * What the running image tells of a member that is on its way over stepping stones. Answers whether
 * it is about a step: else it is to be judged by the release of the rollout.
 */
export async function judgeStep(
  change: DeviceChange,
  member: MemberRow,
  { running, before }: { readonly running: Running; readonly before: string | null },
): Promise<boolean> {
  const target = change.imageOf(member.rollout_id);
  if (target?.kind !== "firmware" || target.release.steppingStone === null) return false;
  if (running.imageHash === target.imageHash) return false;
  const [newest, ...older] = await imagesOf(change, member);
  if (newest === undefined) return false;
  const isStep = newest.releaseId !== target.releaseId;
  const { imageHash, version } = running;
  const left = [newest, ...older].find((image) => image.imageHash === before);
  const serverWasOut = change.serverWasOut(member);
  if (isStep && imageHash === newest.imageHash && running.confirmed)
    await change.learn(member, imageHash, { kind: "stepped", version });
  else if (
    left !== undefined &&
    left.releaseId !== target.releaseId &&
    isOlder(version, left.version)
  )
    await learnWayBack(change, member, { left, running, serverWasOut });
  else if (isStep)
    await change.learn(member, newest.imageHash, {
      kind: "running",
      imageHash,
      confirmed: running.confirmed,
      isNewerRelease: isOlder(newest.version, version),
      serverWasOut,
    });
  else return false;
  const now = await change.memberOf(member.rollout_id);
  if (now !== null && now.state !== member.state) change.setState(now.state, now.reason);
  return true;
}

/** Does the action bring a stepping stone, not the release of its rollout? */
export function isStep({ fleet }: DeviceChange, action: ActionRow): boolean {
  const image = fleet.memory.images.get(action.image_id);
  const rollout = fleet.memory.rollouts.get(action.rollout_id);
  return image !== undefined && rollout !== undefined && image.releaseId !== rollout.releaseId;
}

/** Does the device run, confirmed, the stepping stone that the action brought? */
export function isStepDone(change: DeviceChange, action: ActionRow): boolean {
  const { running_hash: runs, running_confirmed: confirmed } = change.row;
  const image = change.fleet.memory.images.get(action.image_id);
  return isStep(change, action) && confirmed === 1 && image?.imageHash === runs;
}

/** Out of the trial of a step, or after it was confirmed and the next one was offered already. */
async function learnWayBack(
  change: DeviceChange,
  member: MemberRow,
  {
    left,
    running,
    serverWasOut,
  }: { readonly left: ReleaseFile; readonly running: Running; readonly serverWasOut: boolean },
): Promise<void> {
  const { imageHash, confirmed } = running;
  const evidence = { kind: "running", imageHash, confirmed, serverWasOut } as const;
  await change.learn(member, left.imageHash, { ...evidence, isNewerRelease: false });
  const now = await change.memberOf(member.rollout_id);
  if (now?.state === member.state)
    await change.learn(member, left.imageHash, { kind: "stepped-back", serverWasOut });
}

/** What the actions of the rollout brought to the device, newest first. */
async function imagesOf(change: DeviceChange, member: MemberRow): Promise<readonly ReleaseFile[]> {
  const actions = await listActions(change.unit.db, change.id, limits.actionHistoryMax);
  return actions.flatMap(({ rollout_id, image_id }) => {
    const image = change.fleet.memory.images.get(image_id);
    return rollout_id === member.rollout_id && image !== undefined ? [image] : [];
  });
}

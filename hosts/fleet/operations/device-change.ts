import type { Filter } from "../filter/filter.ts";
import { matches } from "../filter/matches.ts";
import {
  afterEvidence,
  awaitsProof,
  type Evidence,
  isOpen,
  isThrough,
  isTriedAgain,
  type Member,
  type ShownState,
} from "../rollout/member.ts";
import { silentSecondsOf } from "../rollout/timeouts.ts";
import type { ActionRow } from "../storage/actions.ts";
import { deleteClearance } from "../storage/clearances.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { addRefusal, type DeviceRow, deleteRefusals, updateDevice } from "../storage/devices.ts";
import { addEvent } from "../storage/events.ts";
import {
  listMemberships,
  type MemberRow,
  moveMember,
  moveToStage,
  setBatteryDropped,
  setDue,
  setReplaced,
} from "../storage/rollouts.ts";
import type { DeviceId } from "../terms/names.ts";
import { freeSlot } from "./admission.ts";
import { evaluateRollout } from "./evaluate.ts";
import { type FilterFacts, factsOfRow, readFilterFacts } from "./filter-facts.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry, Instruction, Interval } from "./known-devices.ts";
import { plannedImages, type Rollout } from "./memory.ts";
import { imageFor, type ReleaseFile } from "./releases.ts";

/**
 * A device that missed the server through the server's fault is offered the release again after
 * this time.
 */
const retryAfterMs = 3600 * 1000;
/**
 * A device whose own link was away, or that gave up unasked, tries again after these pauses, once
 * each; after that it is over for good.
 */
const retryPausesMs: readonly number[] = [1, 6, 24].map((hours) => hours * 3600 * 1000);
const recentMs = 3600 * 1000;
/** A battery that lost so many points of percent since the offer is one that dropped. */
const batteryDropPoints = 10;

/**
 * One unit of work on one device: reads through it see its own changes, and the memory gets them
 * when they are durable.
 */
export class DeviceChange {
  readonly unit: UnitOfWork;
  readonly fleet: Fleet;
  readonly entry: DeviceEntry;
  row: DeviceRow;
  action: ActionRow | null;
  instruction: Instruction;
  /** A rollout has its turn for the device, which waits until it may be offered something. */
  isInLine = false;
  private memberRows: MemberRow[] | null = null;
  private filterFacts: FilterFacts | null = null;
  private decidedWhile: Interval | null;
  private readonly columns: Partial<DeviceRow> = {};
  private readonly movedRollouts = new Set<number>();

  constructor(unit: UnitOfWork, fleet: Fleet, entry: DeviceEntry) {
    this.unit = unit;
    this.fleet = fleet;
    this.entry = entry;
    this.row = entry.row;
    this.action = entry.action;
    this.instruction = entry.instruction;
    this.decidedWhile = entry.decidedWhile;
  }

  get id(): DeviceId {
    return this.entry.id;
  }

  /** Sets columns of the device; those that hold the value already are left alone. */
  set(columns: Partial<DeviceRow>): void {
    for (const [name, value] of Object.entries(columns))
      if (this.row[name as keyof DeviceRow] !== value)
        Object.assign(this.columns, { [name]: value });
    this.row = { ...this.row, ...columns };
  }

  /** What the device does, in a word, and why; with the time at which it began. */
  setState(state: ShownState, reason: string | null): void {
    if (this.row.state === state && this.row.reason === reason) return;
    this.set({ state, reason, state_at: this.unit.nowUnixMs });
  }

  async members(): Promise<readonly MemberRow[]> {
    this.memberRows ??= await listMemberships(this.unit.db, this.id);
    return this.memberRows;
  }

  async memberOf(rolloutId: number): Promise<MemberRow | null> {
    return (await this.members()).find((member) => member.rollout_id === rolloutId) ?? null;
  }

  /** The image that a membership is about: the release's one for this device's hardware. */
  imageOf(rolloutId: number): ReleaseFile | null {
    const rollout = this.fleet.memory.rollouts.get(rolloutId);
    const release = rollout && this.fleet.memory.releases.get(rollout.releaseId);
    if (rollout === undefined || release === undefined) return null;
    return imageFor(plannedImages(release, rollout), this.row.hardware);
  }

  /**
   * The same; of an action that is under way its own, whatever the device says of its hardware
   * since.
   */
  imageOfMember({ rollout_id: id }: MemberRow): ReleaseFile | null {
    const { action } = this;
    if (action?.rollout_id !== id) return this.imageOf(id);
    return this.fleet.memory.images.get(action.image_id) ?? null;
  }

  /** Does the device pass the filter, as it is within this unit of work? */
  async passes(filter: Filter | null): Promise<boolean> {
    if (filter === null) return true;
    const facts = { ...factsOfRow(this.row), ...(await this.facts()) };
    return matches(filter, facts, this.unit.nowUnixMs);
  }

  async groups(): Promise<readonly string[]> {
    return [...(await this.facts()).group];
  }

  private async facts(): Promise<FilterFacts> {
    this.filterFacts ??= await readFilterFacts(this.unit.db, this.id);
    return this.filterFacts;
  }

  /** A decision begins, for which no window was asked yet. */
  holdAlways(): void {
    this.decidedWhile = null;
  }

  /** What is decided holds until then at most; null: until something else changes. */
  holdUntil(unixMs: number | null): void {
    const before = this.decidedWhile?.untilUnixMs ?? Number.POSITIVE_INFINITY;
    const untilUnixMs = Math.min(before, unixMs ?? Number.POSITIVE_INFINITY);
    this.decidedWhile = { fromUnixMs: this.unit.nowUnixMs, untilUnixMs };
  }

  /** A membership was added by this unit of work. */
  forgetMembers(): void {
    this.memberRows = null;
  }

  /** Judges evidence about one membership and stores what follows from it. */
  async learn(member: MemberRow, imageHash: string, evidence: Evidence): Promise<void> {
    const next = afterEvidence(member, imageHash, evidence);
    if (next.state === member.state && next.reason === member.reason) return;
    await this.move(member, next, { imageHash, gaveUp: gaveUp(next, evidence) });
  }

  /**
   * What the device tells of its configuration, judged for every rollout of one that it is a member
   * of.
   */
  async judgeConfigurations(): Promise<void> {
    const { configuration_version: version } = this.row;
    if (version === null) return;
    for (const member of await this.members()) {
      const image = this.imageOf(member.rollout_id);
      if (image?.kind !== "configuration") continue;
      const { configurationVersion: wanted } = image;
      await this.learn(member, image.imageHash, { kind: "configured", version, wanted });
      const now = await this.memberOf(member.rollout_id);
      if (now !== null && now.state !== member.state) this.setState(now.state, now.reason);
    }
  }

  /**
   * Writes the device and hands all changes to the memory; rollouts whose members moved are judged
   * anew.
   */
  async finish(decidedPlan: number): Promise<void> {
    if (Object.keys(this.columns).length > 0)
      await updateDevice(this.unit.db, this.id, this.columns);
    for (const rolloutId of this.movedRollouts)
      await evaluateRollout(this.unit, this.fleet, rolloutId);
    this.unit.onCommit(() => {
      const { entry } = this;
      entry.row = this.row;
      entry.action = this.action;
      entry.instruction = this.instruction;
      entry.decidedPlan = decidedPlan;
      entry.decidedWhile = this.decidedWhile;
      entry.pollAnswer = null;
      freeSlot(this.fleet, entry);
    });
  }

  /**
   * Could the server itself have kept this member from what it had to prove? Of one that had proven
   * it the last hour counts.
   */
  serverWasOut(member: MemberRow): boolean {
    const { outages, time } = this.fleet;
    return outages.since(
      member.state === "updated" ? time.nowMs() - recentMs : member.changed_service_ms,
    );
  }

  /** Whether the member went back for silence, or gave up, less often than there are pauses. */
  mayTryAgain(member: MemberRow): boolean {
    return member.silent_rollbacks < retryPausesMs.length;
  }

  /**
   * Something was heard of the action, or is waited for: its end is so far away from now, or none
   * is.
   */
  async putOff(member: MemberRow, seconds: number | null): Promise<void> {
    const due = seconds === null ? null : this.fleet.time.nowMs() + seconds * 1000;
    await setDue(this.unit.db, member, due);
    this.replaceRow(member, { proof_due_at: due });
  }

  /** A member that waits goes to another stage. */
  async moveToStage(member: MemberRow, stage: number): Promise<void> {
    await moveToStage(this.unit.db, member, stage);
    this.replaceRow(member, { stage });
    this.movedRollouts.add(member.rollout_id);
  }

  /** Counts for each rollout whose release the device runs whether its battery dropped since. */
  async judgeBattery(): Promise<void> {
    const { battery } = this.row;
    if (battery === null) return;
    for (const member of await this.members()) {
      if (member.state !== "updated" || member.battery_before === null) continue;
      const hasDropped = member.battery_before - battery >= batteryDropPoints;
      if (hasDropped === (member.battery_dropped === 1)) continue;
      await setBatteryDropped(this.unit.db, member, hasDropped);
      this.replaceRow(member, { battery_dropped: hasDropped ? 1 : 0 });
      this.movedRollouts.add(member.rollout_id);
    }
  }

  /** The member came to run the release; what it ran until then. */
  async noteReplaced(member: MemberRow, imageHash: string): Promise<void> {
    await setReplaced(this.unit.db, member, imageHash);
    this.replaceRow(member, { replaced_hash: imageHash });
  }

  private replaceRow(member: MemberRow, columns: Partial<MemberRow>): void {
    this.memberRows =
      this.memberRows?.map((row) =>
        row.rollout_id === member.rollout_id ? { ...row, ...columns } : row,
      ) ?? null;
  }

  /**
   * When, as service time, the time is over that the member has for its next step; a client that
   * never tells cannot be late.
   */
  private proofDue(
    member: MemberRow,
    next: Member,
    rollout: Rollout,
    gaveUp: boolean,
  ): number | null {
    const nowMs = this.fleet.time.nowMs();
    const pauseMs = retryPausesMs[member.silent_rollbacks] ?? retryAfterMs;
    if (gaveUp) return nowMs + pauseMs;
    if (next.state === "no-server")
      return member.state === next.state ? member.proof_due_at : nowMs + retryAfterMs;
    if (next.state === "no-link")
      return member.state === next.state ? member.proof_due_at : nowMs + pauseMs;
    if (isOpen(next.state) || next.state === "unproven")
      return nowMs + rollout.definition.actionSeconds * 1000;
    const isWatched = rollout.state === "running" || rollout.state === "paused";
    if (next.state === "updated" && isWatched)
      return nowMs + silentSecondsOf({ ...this.row, pollSeconds: this.fleet.pollSeconds }) * 1000;
    const isDone = isThrough(next.state) || isTriedAgain(member.state);
    if (isDone && this.action?.rollout_id === rollout.id)
      return nowMs + rollout.definition.actionSeconds * 1000; // its last report is still waited for
    const isStepOpen = next.state === "waiting" && this.action?.rollout_id === rollout.id;
    if (isStepOpen && next.reason !== null) return nowMs + rollout.definition.proofSeconds * 1000; // it runs a step, and is to say so
    if (!awaitsProof(next.state)) return null;
    if (next.state === "reported" && this.row.running_hash === null) return null;
    if (member.state === next.state) return member.proof_due_at;
    return nowMs + rollout.definition.proofSeconds * 1000;
  }

  private async move(
    member: MemberRow,
    next: Member,
    { imageHash, gaveUp }: { readonly imageHash: string; readonly gaveUp: boolean },
  ): Promise<void> {
    const { unit, fleet } = this;
    const rollout = fleet.memory.rollouts.get(member.rollout_id);
    if (rollout === undefined) throw new Error(`no rollout ${member.rollout_id} in memory`);
    const atUnixMs = unit.nowUnixMs;
    const atServiceMs = fleet.time.nowMs();
    const proofDueAtServiceMs = this.proofDue(member, next, rollout, gaveUp);
    const silentRollbacks = rollbacksAfter(member, next, gaveUp);
    const times = { atUnixMs, atServiceMs, proofDueAtServiceMs };
    await moveMember(unit.db, member, next, times, silentRollbacks);
    this.movedRollouts.add(rollout.id);
    this.replaceRow(member, {
      ...next,
      changed_at: atUnixMs,
      changed_service_ms: atServiceMs,
      silent_rollbacks: silentRollbacks,
      proof_due_at: proofDueAtServiceMs,
      battery_dropped: next.state === "updated" ? member.battery_dropped : 0,
    });
    const { releaseId } = rollout;
    if (next.state === "rolled-back") {
      await addRefusal(unit.db, this.id, { imageHash, releaseId, reason: next.reason, atUnixMs });
      if (member.state !== next.state) await deleteClearance(unit.db, this.id, releaseId);
    }
    if (next.state === "updated" || isTriedAgain(next.state))
      await deleteRefusals(unit.db, this.id, releaseId);
    if (next.state === "updated") await deleteClearance(unit.db, this.id, releaseId);
    if (member.state === next.state) return; // only the reason is another
    const version = fleet.memory.releases.get(rollout.releaseId)?.version;
    await addEvent(
      unit.db,
      {
        kind: `device-${next.state}`,
        deviceId: this.id,
        rolloutId: rollout.id,
        ...(version === undefined ? {} : { releaseVersion: version }),
        details: { from: member.state, reason: next.reason },
      },
      atUnixMs,
    );
  }
}

/** The device ended its action, unasked, and may have another one after a pause. */
function gaveUp(next: Member, evidence: Evidence): boolean {
  return evidence.kind === "feedback" && next.state === "withdrawn";
}

/** Counted until the release is taken, or an operator lets it be tried anew. */
function rollbacksAfter(member: MemberRow, next: Member, gaveUp: boolean): number {
  const before = member.silent_rollbacks;
  if (gaveUp) return before + 1;
  if (next.state === "no-link" && member.state !== next.state) return before + 1;
  const isCleared = next.state === "waiting" && !isTriedAgain(member.state);
  return next.state === "updated" || isCleared ? 0 : before;
}

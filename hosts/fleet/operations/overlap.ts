import { bucketOf, stageOf } from "../rollout/buckets.ts";
import { selects } from "../rollout/definition.ts";
import { isUnderWay } from "../rollout/member.ts";
import type { Queries } from "../storage/database.ts";
import { listPassing } from "../storage/devices.ts";
import { type MemberStanding, mapMembers } from "../storage/rollouts.ts";
import type { RolloutState } from "../storage/tables.ts";
import { takenBack } from "./cancel.ts";
import { saltOf } from "./decide.ts";
import { type Candidate, nextOffered } from "./eligible.ts";
import { type FleetMemory, plannedImages, type Rollout } from "./memory.ts";
import { imageFor, type Release } from "./releases.ts";

/** A device that the new rollout would take, and the images of the release that it refuses. */
export interface Wanted {
  readonly row: Candidate;
  readonly refusedImages: ReadonlySet<string>;
}

/**
 * Counts the devices that an open rollout of the same release serves already, or takes in at their
 * next contact. A rollout is open until it is finished or cancelled.
 */
export class Overlap {
  readonly #memory: FleetMemory;
  readonly #release: Release;
  readonly #nowUnixMs: number;
  readonly #open: readonly Rollout[];
  readonly #counts = new Map<Rollout, number>();

  constructor(memory: FleetMemory, release: Release, nowUnixMs: number) {
    this.#nowUnixMs = nowUnixMs;
    this.#memory = memory;
    this.#release = release;
    this.#open = [...memory.rollouts.values()].filter(
      ({ releaseId, state }) =>
        releaseId === release.id && state !== "finished" && state !== "cancelled",
    );
  }

  /** No open rollout brings the release to anybody. */
  get isImpossible(): boolean {
    return this.#open.length === 0;
  }

  /** Devices that were not added before. */
  async add(db: Queries, devices: readonly Wanted[]): Promise<void> {
    const rolloutIds = this.#open.map(({ id }) => id);
    const members = await mapMembers(
      db,
      rolloutIds,
      devices.map(({ row }) => row.id),
    );
    for (const rollout of this.#open) {
      const standings = members.get(rollout.id);
      const passing = await this.#passing(db, rollout, devices);
      const served = devices.filter(
        (device) =>
          (passing?.has(device.row.id) ?? true) &&
          this.#serves(rollout, standings?.get(device.row.id) ?? null, device),
      );
      if (served.length === 0) continue;
      this.#counts.set(rollout, (this.#counts.get(rollout) ?? 0) + served.length);
    }
  }

  /** Null for a rollout without a filter. */
  async #passing(
    db: Queries,
    { filter: wanted }: Rollout,
    devices: readonly Wanted[],
  ): Promise<ReadonlySet<string> | null> {
    if (wanted === null) return null;
    const ids = devices.map(({ row }) => row.id);
    return listPassing(db, { wanted, nowUnixMs: this.#nowUnixMs }, ids);
  }

  /** What to tell whoever plans another one, with the next step; null when there is nothing. */
  get refusal(): string | null {
    // The oldest: pages of devices may have met them in any order.
    const rollout = this.#open.find((one) => this.#counts.has(one));
    if (rollout === undefined) return null;
    const { id, state } = rollout;
    const count = this.#counts.get(rollout) ?? 0;
    const devices = count === 1 ? "one of these devices" : `${count} of these devices`;
    const others = this.#counts.size - 1;
    const more =
      others === 0 ? "" : `, and ${others} other open ${others === 1 ? "one does" : "ones do"} too`;
    return (
      `rollout ${id} ("${rollout.name}", ${state}) brings release ${this.#release.version} to ${devices} already${more}: ` +
      `"sluice rollout ${nextSteps[state] ?? "show"} ${id}" goes on with it, "sluice rollout cancel ${id}" ends it; ` +
      "choose other devices (--hardware, --device), or plan one more beside it all the same (--beside)"
    );
  }

  #serves(
    rollout: Rollout,
    member: MemberStanding | null,
    { row, refusedImages }: Wanted,
  ): boolean {
    if (member !== null && member.state !== "excluded") return isUnderWay(member.state);
    if (member?.reason === takenBack || rollout.wasFinished) return false;
    if (!selects(rollout.definition.selector, row)) return false;
    const image = imageFor(plannedImages(this.#release, rollout), row.hardware);
    if (image === null) return false;
    const bucket = bucketOf(saltOf(rollout.id), row.id);
    if (member === null && stageOf(bucket, rollout.laterCutoffs) === null) return false;
    const { definition } = rollout;
    const offer = { image, definition, refusedImages };
    return nextOffered(this.#memory, row, offer).reason === null;
  }
}

const nextSteps: Readonly<Partial<Record<RolloutState, string>>> = {
  ready: "start",
  running: "show",
  paused: "resume",
  halted: "resume",
};

import { type Comparison, newComparison } from "../rollout/control-group.ts";
import { findComparison, saveComparison } from "../storage/counters.ts";
import type { UnitOfWork } from "../storage/database.ts";

interface HeldComparison {
  readonly comparison: Comparison;
  /** The unit of work that changed it and is not durable yet; or never became so. */
  changedBy: UnitOfWork | null;
}

/** Rollouts whose comparison is kept in memory; the one that was not asked for longest goes. */
const heldMax = 64;

/** What the control groups of rollouts know, read once and kept as long as the database agrees. */
export class Comparisons {
  readonly #held = new Map<number, HeldComparison>();

  /** The comparison as it is within this unit of work. */
  async of(unit: UnitOfWork, rolloutId: number): Promise<Comparison> {
    const known = this.#held.get(rolloutId);
    // What a unit of work changed that was undone since is read anew.
    const isCurrent = known?.changedBy === null || known?.changedBy === unit;
    const held = known !== undefined && isCurrent ? known : await read(unit, rolloutId);
    this.#held.delete(rolloutId);
    this.#held.set(rolloutId, held);
    for (const oldest of this.#held.keys())
      if (this.#held.size > heldMax) this.#held.delete(oldest);
      else break;
    return held.comparison;
  }

  /** Works on the comparison and writes it down. */
  async change(
    unit: UnitOfWork,
    rolloutId: number,
    work: (comparison: Comparison) => void,
  ): Promise<void> {
    const comparison = await this.of(unit, rolloutId);
    const held: HeldComparison = { comparison, changedBy: unit };
    this.#held.set(rolloutId, held);
    unit.onCommit(() => {
      held.changedBy = null;
    });
    work(comparison);
    await saveComparison(unit.db, rolloutId, JSON.stringify(comparison));
  }
}

async function read(unit: UnitOfWork, rolloutId: number): Promise<HeldComparison> {
  const stored = await findComparison(unit.db, rolloutId);
  return { comparison: stored === null ? newComparison() : JSON.parse(stored), changedBy: null };
}

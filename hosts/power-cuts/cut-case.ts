import { hash } from "node:crypto";
import type { ResetReason } from "../../src/ports/board.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import type { BrokenPromise } from "./checkers/device-promises.ts";
import { type CleanRun, type HistoryImages, offerOf } from "./history.ts";
import { type Checkpoint, type Cut, Rig, type RigParts, type RigWatcher } from "./rig.ts";

/** How a device came through one set of cuts. */
export interface CaseReport {
  readonly broken: readonly BrokenPromise[];
  /** The image that runs in the end, or null. */
  readonly ended: string | null;
  /**
   * The cuts as they were made: a second one that would have come after the end is drawn nearer to
   * the first.
   */
  readonly cuts: readonly Cut[];
  /** After the cuts it booted into a state that another case had been in: its end is that one's. */
  readonly joined: boolean;
}

/** The flash at the moments that a dump keeps. */
export interface CaseFlashes {
  afterLastCut: NorFlash | null;
  atRest: NorFlash | null;
}

/** Boots after the last cut that are compared with those of other cases. */
const comparedBootsMax = 4;

/** Ends a run whose rest is known. */
class Joined {
  readonly report: CaseReport;

  constructor(report: CaseReport) {
    this.report = report;
  }
}

/**
 * Runs a history with power cuts from the last checkpoint before the first of them: power comes
 * back after each, the device is left alone until it rests, and then it is offered another update,
 * which it must take to the end.
 *
 * Many cuts of a swap lead to the same flash once the bootloader has resumed it. A run that starts
 * the firmware in a state that an earlier one was in, flash, clock, server and all, is not run
 * again: it ends as that one did.
 */
export class CaseRunner {
  readonly #parts: RigParts;
  readonly #run: CleanRun;
  readonly #images: HistoryImages;
  /** What came of the next update, by the content of the flash that it began on. */
  readonly #followUps = new Map<string, readonly BrokenPromise[]>();
  /** What came of the rest, by the state in which a firmware started after the last cut. */
  readonly #ends = new Map<string, CaseReport>();

  constructor(parts: RigParts, run: CleanRun, images: HistoryImages) {
    this.#parts = parts;
    this.#run = run;
    this.#images = images;
  }

  async run(
    planned: readonly Cut[],
    flashes?: CaseFlashes,
    watcher: RigWatcher = {},
  ): Promise<CaseReport> {
    let cuts = planned;
    // Bounded: the distance of the second cut is halved every time, and at 1 it comes right after
    // the power is back.
    for (;;) {
      const { report, cutsMade } = await this.#runOnce(cuts, flashes, watcher);
      const nearer = cutsMade < cuts.length ? drawnNearer(cuts) : null;
      if (nearer === null || report.broken.length > 0) return report;
      cuts = nearer;
    }
  }

  async #runOnce(
    cuts: readonly Cut[],
    flashes: CaseFlashes | undefined,
    watcher: RigWatcher,
  ): Promise<{ report: CaseReport; cutsMade: number }> {
    let cutsMade = 0;
    // A run that somebody looks at goes to its end, and a chip that fails by itself has a state
    // that nobody sees.
    const isJoinable = flashes === undefined && this.#parts.chipFault === null;
    const states: string[] = [];
    const rig: Rig = new Rig(this.#parts, this.#checkpointBefore(cuts), {
      cuts,
      watcher: {
        ...watcher,
        operation: (index, operation, by) => {
          this.#assertSame(cuts, index, operation.address);
          watcher.operation?.(index, operation, by);
        },
        booted: (outcome, reason) => {
          watcher.booted?.(outcome, reason);
          if (!isJoinable || outcome.outcome !== "booted" || cutsMade < cuts.length) return;
          if (states.length < comparedBootsMax) states.push(this.#stateOrJoin(rig, cuts, reason));
        },
        powerLost: () => {
          cutsMade += 1;
          if (flashes !== undefined) flashes.afterLastCut = rig.flash.clone();
        },
      },
    });
    const { promises } = rig;
    try {
      const rests = await rig.untilRest();
      const { expected, acceptable } = this.#run;
      if (rests) promises.atRest(rig.flash, cuts.length > 1 ? acceptable : expected);
      else promises.restless();
      const ended = promises.running?.name ?? null;
      rig.powerOff();
      if (flashes !== undefined) flashes.atRest = rig.flash.clone();
      const broken = promises.broken.length > 0 ? promises.broken : await this.#followUp(rig);
      const report = { broken, ended, cuts, joined: false };
      for (const state of states) this.#ends.set(state, report);
      return { report, cutsMade };
    } catch (error) {
      if (error instanceof Joined)
        return { report: { ...error.report, cuts, joined: true }, cutsMade };
      promises.threw(error);
      return { report: { broken: promises.broken, ended: null, cuts, joined: false }, cutsMade };
    }
  }

  /**
   * Throws when the end of that state is known. A pair of cuts is judged by another measure than a
   * single one.
   */
  #stateOrJoin(rig: Rig, cuts: readonly Cut[], reason: ResetReason): string {
    const state = `${cuts.length}:${rig.stateAtBoot(reason)}`;
    const known = this.#ends.get(state);
    if (known !== undefined) throw new Joined(known);
    return state;
  }

  #checkpointBefore(cuts: readonly Cut[]): Checkpoint {
    const first = Math.min(...cuts.map(({ operation }) => operation));
    const found = this.#run.checkpoints.findLast(({ operations }) => operations <= first);
    if (found === undefined) throw new Error(`no checkpoint before operation ${first}`);
    return found;
  }

  /**
   * Up to the first cut a run must be the clean run again; else nothing that it shows can be
   * replayed.
   */
  #assertSame(cuts: readonly Cut[], index: number, address: number): void {
    if (index > Math.min(...cuts.map(({ operation }) => operation))) return;
    const expected = this.#run.operations[index]?.address;
    if (expected !== address)
      throw new Error(
        `operation ${index} is at ${address}, in the clean run at ${expected}: the runs differ before the cut`,
      );
  }

  /**
   * Offers the next update to the device at rest; the same bytes in its flash make the same update.
   */
  async #followUp(rested: Rig): Promise<readonly BrokenPromise[]> {
    const content = hash("sha256", rested.flash.toBytes(), "hex");
    const known = this.#followUps.get(content);
    if (known !== undefined) return known;
    const from = rested.checkpoint("power-on");
    const rig = new Rig(this.#parts, { ...from, nowMs: 0, boots: 0, operations: 0 });
    rig.server.offer = offerOf("3", this.#images.next);
    rig.server.interfere = () => null;
    const rests = await rig.untilRest();
    if (rests) rig.promises.atRest(rig.flash, [this.#run.next]);
    else rig.promises.restless();
    rig.powerOff();
    const broken = rig.promises.broken.map(({ text }) => ({
      kind: "bricked" as const,
      text: `takes no other update: ${text}`,
    }));
    this.#followUps.set(content, broken);
    return broken;
  }
}

/** Null when the second cut is as near as it can be, or when there is none. */
function drawnNearer(cuts: readonly Cut[]): readonly Cut[] | null {
  const [first, second] = cuts;
  if (first === undefined || second === undefined) return null;
  const gap = second.operation - first.operation;
  if (gap <= 1) return null;
  return [first, { ...second, operation: first.operation + Math.floor(gap / 2) }];
}

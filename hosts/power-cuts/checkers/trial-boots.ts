import type { NorFlash } from "../../flash/nor-flash.ts";
import { type CutKind, type FaultHook, PowerCut } from "../../flash/operation.ts";
import { setConfirmed } from "../../mcuboot-model/application.ts";
import { boot, readTrailers } from "../../mcuboot-model/boot.ts";
import type { BootConfig } from "../../mcuboot-model/config.ts";

/** A device whose next boot swaps a new image in, and what its application will do with it. */
export interface TrialCase {
  /** The old image runs confirmed, the new one is staged and requested; never written to. */
  readonly start: NorFlash;
  readonly config: BootConfig;
  /** Versions as `BootOutcome` has them; the two differ. */
  readonly oldVersion: string;
  readonly newVersion: string;
  /**
   * The boot of the new image at which its application first confirms it, counted from 1; null
   * never confirms.
   */
  readonly confirmAtBoot: number | null;
  readonly trialBootsMax: number;
}

/**
 * A loss of power: the operation counted from 0 over all boots and application calls of the run.
 */
export interface Cut {
  readonly operation: number;
  readonly kind: CutKind;
}

export interface TrialReport {
  /** One line per boot. */
  readonly boots: readonly string[];
  /** Boots of the new image before it was confirmed. */
  readonly trialBoots: number;
  /** Operations of the whole run, interrupted ones included. */
  readonly operations: number;
  /** Broken promises; empty when the run kept all. */
  readonly violations: readonly string[];
}

/** Far more than any run needs; cuts add one each. */
const bootsMax = 16;

/**
 * Runs a device from a staged update until nothing changes any more, with power cuts, and checks
 * the promises of a trial: the device always boots, the new image gets at most `trialBootsMax`
 * boots unconfirmed, a confirmed image stays and an unconfirmed one does not, and a trial without
 * cuts gets all its boots.
 */
export function checkTrial(trial: TrialCase, cuts: readonly Cut[] = []): TrialReport {
  const run = new TrialRun(trial, cuts);
  while (!run.isSettled && run.boots.length < bootsMax + cuts.length) run.bootOnce();
  return run.report();
}

class TrialRun {
  readonly boots: string[] = [];
  readonly #trial: TrialCase;
  readonly #flash: NorFlash;
  readonly #cuts: ReadonlyMap<number, CutKind>;
  #operations = 0;
  #trialBoots = 0;
  #confirmed = false;
  #idleBoots = 0;
  #running = "";
  readonly #violations: string[] = [];

  constructor(trial: TrialCase, cuts: readonly Cut[]) {
    this.#trial = trial;
    this.#flash = trial.start.clone();
    this.#cuts = new Map(cuts.map(({ operation, kind }) => [operation, kind]));
    this.#flash.faultHook = this.#fault;
  }

  /** Two boots in a row that start the same image and write nothing. */
  get isSettled(): boolean {
    return this.#idleBoots >= 2;
  }

  bootOnce(): void {
    const operationsBefore = this.#operations;
    const outcome = boot(this.#flash, this.#trial.config);
    if (outcome.outcome !== "booted") {
      this.boots.push(outcome.outcome);
      if (outcome.outcome !== "power-cut")
        this.#violations.push(`boot ${this.boots.length}: ${outcome.outcome}`);
      return;
    }
    this.boots.push(`${outcome.version} ${outcome.resumed ? "resumed" : outcome.swapType}`);
    this.#running = outcome.version;
    if (outcome.version === this.#trial.newVersion && !this.#confirmed) this.#runNewImage();
    this.#idleBoots = this.#operations === operationsBefore ? this.#idleBoots + 1 : 0;
  }

  /** The application of the new image: lives through one boot, and confirms when it is its time. */
  #runNewImage(): void {
    this.#trialBoots++;
    const { confirmAtBoot, config } = this.#trial;
    if (confirmAtBoot === null || this.#trialBoots < confirmAtBoot) return;
    try {
      setConfirmed(this.#flash, config);
      this.boots.push("confirm");
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.boots.push("confirm cut");
    }
    // A flag that a cut left torn counts: nothing can take it back.
    this.#confirmed = readTrailers(this.#flash, config).primary.imageOk !== "unset";
  }

  report(): TrialReport {
    const { boots } = this;
    return {
      boots,
      trialBoots: this.#trialBoots,
      operations: this.#operations,
      violations: [...this.#violations, ...this.#finalViolations()],
    };
  }

  #finalViolations(): string[] {
    const { newVersion, oldVersion, trialBootsMax, confirmAtBoot } = this.#trial;
    const found: string[] = [];
    if (!this.isSettled) found.push("the device does not come to rest");
    if (this.#trialBoots > trialBootsMax)
      found.push(`${this.#trialBoots} unconfirmed boots, at most ${trialBootsMax} are allowed`);
    const expected = this.#confirmed ? newVersion : oldVersion;
    if (this.#running !== expected) found.push(`${this.#running} stays, ${expected} should`);
    if (this.#cuts.size === 0 && confirmAtBoot === null && this.#trialBoots !== trialBootsMax)
      found.push(`${this.#trialBoots} unconfirmed boots without a cut, not ${trialBootsMax}`);
    const { primary } = readTrailers(this.#flash, this.#trial.config);
    if (primary.magic === "good" && primary.imageOk === "unset")
      found.push("the image that stays is not confirmed");
    return found;
  }

  #fault: FaultHook = () => {
    const kind = this.#cuts.get(this.#operations++);
    return kind === undefined ? "proceed" : `cut-${kind}`;
  };
}

import { evaluateHealth, type HealthSettings, type HealthVerdict } from "../../policy/health.ts";
import type { Clock, TimerHandle } from "../../ports/board.ts";
import type { HealthChecks } from "./health-checks.ts";

/** How often checks are asked that can change by themselves. */
const askEveryMs = 1000;

/** One boot of a trial: asks the health checks until they pass or its time is over. */
export class Trial {
  readonly #clock: Clock;
  readonly #checks: HealthChecks;
  readonly #settings: HealthSettings;
  readonly #decided: (verdict: Exclude<HealthVerdict, { kind: "waiting" }>) => void;
  #timer: TimerHandle | null = null;
  #networkWasDown: boolean | null = null;

  /** `decided` is called once for each `begin`, unless `end` comes first. */
  constructor(
    clock: Clock,
    checks: HealthChecks,
    settings: HealthSettings,
    decided: (verdict: Exclude<HealthVerdict, { kind: "waiting" }>) => void,
  ) {
    this.#clock = clock;
    this.#checks = checks;
    this.#settings = settings;
    this.#decided = decided;
  }

  get underWay(): boolean {
    return this.#networkWasDown !== null;
  }

  begin(facts: { readonly networkWasDown: boolean }): void {
    this.end();
    this.#networkWasDown = facts.networkWasDown;
    this.#wait();
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#networkWasDown = null;
  }

  /** Something changed: a poll ended, or time passed. */
  look(): void {
    if (this.#networkWasDown === null) return;
    this.#checks.ask(() => this.#judge());
    if (!this.#judge()) this.#wait();
  }

  /** Decides by what is there, without asking: a check that answers at once would never rest. */
  #judge(): boolean {
    const networkWasDownBefore = this.#networkWasDown;
    if (networkWasDownBefore === null) return true;
    const facts = { uptimeMs: this.#clock.uptimeMs(), networkWasDownBefore };
    const verdict = evaluateHealth(this.#checks.results(), facts, this.#settings);
    if (verdict.kind === "waiting") return false;
    this.end();
    this.#decided(verdict);
    return true;
  }

  /** Until the next question, or the moment at which time alone decides. */
  #wait(): void {
    this.#timer?.cancel();
    const { trialMs, confirmWithoutServer, serverPatienceMs } = this.#settings;
    const uptimeMs = this.#clock.uptimeMs();
    const isPatient = confirmWithoutServer && serverPatienceMs > uptimeMs;
    const decidesInMs = (isPatient ? Math.min(serverPatienceMs, trialMs) : trialMs) - uptimeMs;
    const asksInMs = this.#checks.changesByItself ? askEveryMs : decidesInMs;
    this.#timer = this.#clock.after(Math.max(0, Math.min(asksInMs, decidesInMs)), () => {
      this.#timer = null;
      this.look();
    });
  }
}

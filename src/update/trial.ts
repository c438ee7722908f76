import { evaluateHealth, type HealthSettings, type HealthVerdict } from "../policy/health.ts";
import type { Clock, TimerHandle } from "../ports/board.ts";
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

  /** Something changed: a poll ended, a check answered, time passed. */
  look(): void {
    const networkWasDownBefore = this.#networkWasDown;
    if (networkWasDownBefore === null) return;
    this.#checks.ask(() => this.#answered());
    const uptimeMs = this.#clock.uptimeMs();
    const facts = { uptimeMs, networkWasDownBefore };
    const verdict = evaluateHealth(this.#checks.results(), facts, this.#settings);
    if (verdict.kind === "waiting") {
      this.#wait();
      return;
    }
    this.end();
    this.#decided(verdict);
  }

  /** Looks at what is there, without asking again: a check that answers at once would never rest. */
  #answered(): void {
    if (this.#networkWasDown === null) return;
    const facts = {
      uptimeMs: this.#clock.uptimeMs(),
      networkWasDownBefore: this.#networkWasDown,
    };
    const verdict = evaluateHealth(this.#checks.results(), facts, this.#settings);
    if (verdict.kind === "waiting") return;
    this.end();
    this.#decided(verdict);
  }

  /** Until the next question, or the moment at which time alone decides. */
  #wait(): void {
    this.#timer?.cancel();
    const { trialMs, confirmWithoutServer, serverPatienceMs } = this.#settings;
    const uptimeMs = this.#clock.uptimeMs();
    const patienceMs = confirmWithoutServer ? serverPatienceMs - uptimeMs : trialMs;
    const decidesInMs =
      patienceMs > 0 ? Math.min(patienceMs, trialMs - uptimeMs) : trialMs - uptimeMs;
    const asksInMs = this.#checks.changesByItself ? askEveryMs : decidesInMs;
    this.#timer = this.#clock.after(Math.max(0, Math.min(asksInMs, decidesInMs)), () => {
      this.#timer = null;
      this.look();
    });
  }
}

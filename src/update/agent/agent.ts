import type { Configuration } from "../../config/configuration.ts";
import type { ApplicationData } from "../../config/migrations.ts";
import type { Ports } from "../../ports/ports.ts";
import type { Running } from "../../protocol/running.ts";
import type { HealthCheck } from "../health/health-checks.ts";
import { offerOf, type State } from "../machine/state.ts";
import type { Identity, Settings } from "../settings.ts";
import { AgentParts } from "./agent-parts.ts";
import type { DataDeclaration } from "./data-update.ts";
import { planSleep, type SleepPlan } from "./sleep.ts";
import { judgeBootloader } from "./swap-request.ts";

export interface AgentOptions {
  /** Without it the application keeps its data itself, and a rollback may find it changed. */
  readonly data?: DataDeclaration;
}

/**
 * Drives the pure `transition` with what happens: polls the server, stores each state before its
 * effects, performs the effects and feeds their results back. It keeps no truth of its own: after
 * any reset the journal and the slots tell all.
 */
export class Agent {
  readonly #parts: AgentParts;

  /**
   * Throws when the primary slot holds no readable image, and `FlashError` when it cannot be read:
   * such firmware was not started by a bootloader, or its flash fails. An application that does not
   * catch it restarts, and a trial so ends.
   */
  constructor(given: Ports, identity: Identity, settings: Settings, options: AgentOptions = {}) {
    this.#parts = new AgentParts(given, identity, settings, options.data);
  }

  get state(): State {
    return this.#parts.machine.state;
  }

  /** The values and flags in effect; read them anew after each restart. */
  get configuration(): Configuration {
    return this.#parts.configured.configuration;
  }

  /** The application's data, as `AgentOptions.data` declares it; null without a declaration. */
  get data(): ApplicationData | null {
    return this.#parts.data?.data ?? null;
  }

  /** For a device that sleeps: ask after each wake, and again while the answer is to stay awake. */
  planSleep(): SleepPlan {
    return planSleep({
      state: this.state,
      configurationOnTrial: this.#parts.configured.onTrial,
      exchanging: this.#parts.poller.underWay,
      nextPollMs: this.#parts.poller.nextMs,
      downloadPauseMs: this.#parts.settings.downloadPauseMs,
    });
  }

  /**
   * The device goes to sleep for so long, now: no work is begun any more, and the wake does not
   * count as a reset. The board's reset reason is then `deep-sleep`.
   */
  sleep(forMs: number): void {
    this.#parts.work.abandon();
    this.#parts.leaving(forMs);
  }

  get running(): Running {
    return this.#parts.running();
  }

  /** Begins to work; returns at once. */
  start(): void {
    const parts = this.#parts;
    const { random, reset, watchdog } = parts.ports;
    watchdog.start();
    parts.machine.restore();
    parts.configured.booted();
    const hasData = parts.data?.begin() ?? true;
    const { version, confirmed } = parts.facts;
    if (confirmed) parts.data?.confirmed(); // the power may have been cut before
    const face = confirmed ? "confirmed" : "trial";
    const { kind } = this.state;
    parts.log("info", `running ${version} (${face}) after ${reset.reason}, update ${kind}`);
    parts.refused.booted(reset.reason);
    parts.happened({ kind: "booted" });
    parts.vitals.booted();
    if (parts.facts.confirmed && !parts.vitals.watching) parts.data?.settled();
    if (!hasData) parts.happened({ kind: "trialEnded", reason: "migration-failed" });
    judgeBootloader(parts.slots, parts.ports.log, (event) => parts.happened(event));
    // The watch asks again for a swap that did not come about; when it has given up, so does this.
    if (this.state.kind === "rollingBack" && !this.state.waitsForPower && !parts.restart.begun)
      parts.happened({ kind: "rollbackFailed" });
    // A trial polls as its health check, and a wake is short; others come a little later, each at
    // its own time.
    const isAtOnce = !parts.facts.confirmed || reset.reason === "deep-sleep";
    parts.poller.start(isAtOnce ? 0 : Math.round(random.next() * parts.settings.firstPollMsMax));
  }

  /**
   * Adds a condition for this image to be good, beside the server's heartbeat: in a trial all must
   * pass, in the soak none may fail for long. Add them before the first turn of the event loop
   * ends, or a quick server confirms the image without them. Throws RangeError for a name that is
   * taken.
   */
  addHealthCheck(
    name: string,
    check: HealthCheck,
    kind: "application" | "peripheral" = "application",
  ): void {
    this.#parts.vitals.checks.add(kind, name, check);
  }

  /**
   * Counts something of the application that a good release has little of, as stalls of a pump: the
   * server compares it between releases. Throws RangeError for a name that is not a letter and up
   * to 31 of `A-Za-z0-9_-`, for a number that is not whole, and for the 17th name.
   */
  count(name: string, by = 1): void {
    this.#parts.counters.count(name, by);
  }

  /**
   * The user of the device agrees to the update that waits (`deferred` with `approval`, or for a
   * major or breaking version). False when none does, or when it cannot be remembered.
   */
  approve(): boolean {
    const offer = this.state.kind === "deferred" ? offerOf(this.state) : null;
    if (offer === null || !this.#parts.approval.approve(offer.fileHash)) return false;
    this.#parts.happened({ kind: "approved" });
    return true;
  }
}

import { backoffMs, jitteredMs } from "../policy/retry.ts";
import { type LogLevel, StorageError, type TimerHandle } from "../ports/board.ts";
import type { Ports } from "../ports/ports.ts";
import type { Deployment, Poll } from "../protocol/ddi.ts";
import type { Running } from "../protocol/running.ts";
import { type SlotFacts, Slots } from "../slots/slots.ts";
import { DdiClient } from "../transfer/ddi-client.ts";
import { oneAtATime } from "../transfer/exchange.ts";
import type { Effect } from "./effect.ts";
import type { Context, Event } from "./event.ts";
import { Journal } from "./journal.ts";
import type { Offer, RollbackReason } from "./release.ts";
import { Reporter } from "./reporter.ts";
import type { Identity, Settings } from "./settings.ts";
import type { State } from "./state.ts";
import { transition } from "./transition.ts";
import { UpdateWork } from "./work.ts";

/** Transitions that one event may set off; more would be a loop of ours. */
const cascadeMax = 32;

/** How long a restart waits for the last reports. */
const farewellMs = 5000;

/**
 * Drives the pure `transition` with what happens: polls the server, stores each state before its effects, performs the
 * effects and feeds their results back. It keeps no truth of its own: after any reset the journal and the slots tell all.
 */
export class Agent {
  readonly #ports: Ports;
  readonly #identity: Identity;
  readonly #settings: Settings;
  readonly #slots: Slots;
  readonly #journal: Journal;
  readonly #client: DdiClient;
  readonly #reporter: Reporter;
  readonly #work: UpdateWork;
  #facts: SlotFacts;
  #state: State = { kind: "idle" };
  #events: Event[] = [];
  #draining = false;
  #windowOpen = true;
  #pollTimer: TimerHandle | null = null;
  #pollFailures = 0;
  #deployment: { readonly url: string; readonly deployment: Deployment } | null = null;

  /** Throws when the primary slot holds no readable image: such firmware was not started by a bootloader. */
  constructor(ports: Ports, identity: Identity, settings: Settings) {
    const slots = new Slots(ports.flash);
    const facts = slots.facts();
    if (facts === null) throw new Error("the primary slot holds no readable image");
    this.#ports = ports;
    this.#identity = identity;
    this.#settings = settings;
    this.#slots = slots;
    this.#facts = facts;
    this.#journal = new Journal(ports.keyValue);
    const http = oneAtATime(ports.http);
    this.#client = new DdiClient(http, {
      serverUrl: identity.serverUrl,
      tenant: identity.tenant,
      deviceId: identity.deviceId,
      token: identity.token,
      timeoutMs: settings.requestTimeoutMs,
      running: () => this.running,
    });
    this.#reporter = new Reporter(this.#client, (actionId) =>
      this.#happened({ kind: "reported", actionId }),
    );
    this.#work = new UpdateWork({
      ports,
      http,
      identity,
      settings,
      slots,
      headers: () => this.#client.headers(),
      running: () => this.#facts.image,
      happened: (event) => this.#happened(event),
      unattended: (work) => this.#unattended(work),
    });
  }

  get state(): State {
    return this.#state;
  }

  get running(): Running {
    const { version, imageHash, confirmed } = this.#facts;
    return { version, imageHash, confirmed };
  }

  /** Begins to work; returns at once. */
  start(): void {
    const { clock, random, reset, watchdog } = this.#ports;
    watchdog.start();
    this.#state = this.#journal.read();
    this.#log(
      "info",
      `running ${this.#facts.version} (${this.#facts.confirmed ? "confirmed" : "trial"}) after ${reset.reason}, update ${this.#state.kind}`,
    );
    this.#happened({ kind: "booted" });
    // A trial polls as its health check; others come a little later, each at its own time.
    const delayMs = this.#facts.confirmed
      ? Math.round(random.next() * this.#settings.firstPollMsMax)
      : 0;
    this.#pollTimer = clock.after(delayMs, () => this.#unattended(this.#poll()));
  }

  #happened(event: Event): void {
    this.#events.push(event);
    if (this.#draining) return;
    this.#draining = true;
    let turns = 0;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      turns += 1;
      if (turns > cascadeMax) throw new Error(`${cascadeMax} transitions in a row at ${next.kind}`);
      this.#step(next);
    }
    this.#draining = false;
  }

  #step(event: Event): void {
    const next = transition(this.#state, event, this.#context());
    if (next.state.kind !== this.#state.kind)
      this.#log("info", `${this.#state.kind} -> ${next.state.kind} on ${event.kind}`);
    this.#state = next.state;
    if (!this.#store(next.state)) return;
    for (const effect of next.effects) this.#perform(effect);
  }

  /** A state that cannot be stored must not lead to a swap; every other one is followed all the same. */
  #store(state: State): boolean {
    try {
      this.#journal.write(state);
      return true;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#log("error", `journal: ${error.message}`);
      if (state.kind !== "activating") return true;
      this.#events.push({ kind: "upgradeFailed", reason: "storage-error" });
      return false;
    }
  }

  #context(): Context {
    return {
      running: this.running,
      resetReason: this.#ports.reset.reason,
      secondary: this.#facts.secondary,
      power: this.#ports.power.read(),
      thresholds: this.#settings.power,
      windowOpen: this.#windowOpen,
      refused: this.#journal.readRefused(),
    };
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "report":
        this.#reporter.add(effect.report);
        this.#unattended(this.#reporter.flush());
        break;
      case "refuse":
        this.#refuse(effect.imageHash);
        break;
      case "requestUpgrade":
        this.#requestUpgrade();
        break;
      case "restart":
        this.#unattended(this.#restart());
        break;
      case "validate":
        this.#validate();
        break;
      case "confirm":
        this.#confirm();
        break;
      case "acknowledgeCancel":
        this.#unattended(this.#acknowledgeCancel(effect.actionId, effect.accepted));
        break;
      default:
        this.#work.perform(effect);
    }
  }

  #refuse(imageHash: Running["imageHash"]): void {
    try {
      this.#journal.refuse(imageHash);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#log("error", `cannot remember the refused image: ${error.message}`);
    }
  }

  #requestUpgrade(): void {
    const requested = this.#slots.requestUpgrade();
    this.#happened(
      requested.ok
        ? { kind: "upgradeRequested" }
        : { kind: "upgradeFailed", reason: requested.reason },
    );
  }

  async #restart(): Promise<void> {
    const { clock, reset } = this.#ports;
    this.#pollTimer?.cancel();
    const timer = clock.after(farewellMs, () => reset.restart());
    await this.#reporter.flush();
    timer.cancel();
    reset.restart();
  }

  /** The health check of the first cut: the server answered a poll that carries this image's own hash. */
  #validate(): void {
    const leftMs = Math.max(0, this.#settings.trialMs - this.#ports.clock.uptimeMs());
    this.#ports.clock.after(leftMs, () => {
      const reason: RollbackReason = "no-server";
      this.#happened({ kind: "trialEnded", reason });
    });
  }

  #confirm(): void {
    const confirmed = this.#slots.confirm();
    const facts = this.#slots.facts();
    if (facts !== null) this.#facts = facts;
    this.#happened({ kind: confirmed ? "confirmWritten" : "confirmFailed" });
  }

  async #acknowledgeCancel(actionId: string, accepted: boolean): Promise<void> {
    await this.#client.cancelFeedback(actionId, {
      execution: accepted ? "closed" : "rejected",
      finished: accepted ? "success" : "failure",
      details: [`state=${this.#state.kind}`],
    });
  }

  /** Whatever happens in it, another poll follows: a device that stops asking is lost. */
  async #poll(): Promise<void> {
    let nextMs: number;
    try {
      const polled = await this.#client.poll();
      nextMs = polled.ok ? await this.#answered(polled.value) : this.#unanswered(polled);
    } catch (error) {
      nextMs = this.#unanswered({ reason: String(error), retryAfterMs: null });
    }
    this.#pollTimer = this.#ports.clock.after(nextMs, () => this.#unattended(this.#poll()));
  }

  #unanswered(failed: { readonly reason: string; readonly retryAfterMs: number | null }): number {
    this.#pollFailures += 1;
    this.#log("warn", `poll ${this.#pollFailures}: ${failed.reason}`);
    const waitMs = backoffMs(this.#pollFailures, this.#settings.pollBackoff, this.#ports.random);
    return Math.max(waitMs, failed.retryAfterMs ?? 0);
  }

  /**
   * Work that nobody waits for. What it throws has no other way out: logged where there still is a console, and for the
   * rest left to the next poll. A board that is restarting refuses even the log.
   */
  #unattended(work: Promise<void>): void {
    work.catch((error: unknown) => {
      try {
        this.#log("error", `unexpected: ${String(error)}`);
      } catch {
        // the board is going down: there is nobody left to tell
      }
    });
  }

  /** Follows the links of a poll; answers the time to the next one. */
  async #answered(poll: Poll): Promise<number> {
    this.#pollFailures = 0;
    if (this.#state.kind === "trial") {
      // What this answer offers was decided before the server could know that the trial went well: the next poll asks.
      this.#happened({ kind: "healthy" });
      return jitteredMs(poll.sleepSeconds * 1000, this.#ports.random);
    }
    if (poll.configDataUrl !== null) await this.#describe(poll.configDataUrl);
    if (poll.cancelUrl !== null) {
      const cancel = await this.#client.cancel(poll.cancelUrl);
      if (cancel.ok) this.#happened({ kind: "cancelled", actionId: cancel.value.actionId });
    } else {
      const offer = poll.deploymentUrl === null ? null : await this.#offer(poll.deploymentUrl);
      if (offer !== "unknown") this.#happened({ kind: "polled", offer });
    }
    await this.#reporter.flush();
    return jitteredMs(poll.sleepSeconds * 1000, this.#ports.random);
  }

  /** The offer behind a link; the link changes with its content, so what it led to is asked once. */
  async #offer(url: string): Promise<Offer | null | "unknown"> {
    if (this.#deployment?.url !== url) {
      const answer = await this.#client.deployment(url);
      if (!answer.ok) return "unknown";
      if (!answer.value.ok) {
        this.#log("warn", `offer refused: ${answer.value.reason}`);
        return "unknown";
      }
      this.#deployment = { url, deployment: answer.value.deployment };
    }
    const { deployment } = this.#deployment;
    this.#windowOpen = deployment.windowOpen && deployment.update !== "skip";
    const { actionId, version, fileHash, fileBytes, imageHash } = deployment;
    return { actionId, version, fileHash, fileBytes, imageHash, url: deployment.url };
  }

  async #describe(url: string): Promise<void> {
    const { version, imageHash } = this.#facts;
    await this.#client.configData(url, {
      hardware: this.#identity.hardware,
      version,
      imageHash,
    });
  }

  #log(level: LogLevel, message: string): void {
    this.#ports.log.write(level, message);
  }
}

import type { Configuration } from "../config/configuration.ts";
import { type LogLevel, StorageError } from "../ports/board.ts";
import type { Ports } from "../ports/ports.ts";
import { configurationAttribute } from "../protocol/ddi.ts";
import type { Running } from "../protocol/running.ts";
import { type RequestResult, type SecondaryFacts, type SlotFacts, Slots } from "../slots/slots.ts";
import { DdiClient } from "../transfer/ddi-client.ts";
import { oneAtATime } from "../transfer/exchange.ts";
import { Configured } from "./configured.ts";
import { Consent } from "./consent.ts";
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import type { HealthCheck } from "./health-checks.ts";
import { Journal } from "./journal.ts";
import { patientLog } from "./patient-log.ts";
import { Poller } from "./poller.ts";
import type { Release } from "./release.ts";
import { Reporter } from "./reporter.ts";
import type { Identity, Settings } from "./settings.ts";
import { Situation } from "./situation.ts";
import { offerOf, type State } from "./state.ts";
import { type DownloadProgress, Telemetry } from "./telemetry.ts";
import { transition } from "./transition.ts";
import { Vitals } from "./vitals.ts";
import { UpdateWork } from "./work.ts";

/** Transitions that one event may set off; more would be a loop of ours. */
const cascadeMax = 32;

/** How long a restart waits for the last reports. */
const farewellMs = 5000;

/**
 * Drives the pure `transition` with what happens: polls the server, stores each state before its
 * effects, performs the effects and feeds their results back. It keeps no truth of its own: after
 * any reset the journal and the slots tell all.
 */
export class Agent {
  readonly #ports: Ports;
  readonly #settings: Settings;
  readonly #slots: Slots;
  readonly #journal: Journal;
  readonly #client: DdiClient;
  readonly #reporter: Reporter;
  readonly #poller: Poller;
  readonly #work: UpdateWork;
  readonly #vitals: Vitals;
  readonly #consent: Consent;
  readonly #telemetry: Telemetry;
  readonly #configured: Configured;
  readonly #situation: Situation;
  readonly #identity: Identity;
  #facts: SlotFacts;
  #state: State = { kind: "idle" };
  readonly #events: Event[] = [];
  #draining = false;
  #restarting = false;
  /** The slot is being written in this boot: what it held at the start is gone. */
  #slotWritten = false;

  /**
   * Throws when the primary slot holds no readable image, and `FlashError` when it cannot be read:
   * such firmware was not started by a bootloader, or its flash fails. An application that does not
   * catch it restarts, and a trial so ends.
   */
  constructor(given: Ports, identity: Identity, settings: Settings) {
    const ports = { ...given, log: patientLog(given.log) };
    const slots = new Slots(ports.flash);
    const facts = slots.facts();
    if (facts === null) throw new Error("the primary slot holds no readable image");
    this.#ports = ports;
    this.#settings = settings;
    this.#slots = slots;
    this.#facts = facts;
    this.#identity = identity;
    this.#journal = new Journal(ports.keyValue);
    this.#consent = new Consent(ports.keyValue);
    const http = oneAtATime(ports.http, ports.log);
    const happened = (event: Event): void => this.#happened(event);
    const unattended = (work: Promise<void>): void => this.#unattended(work);
    this.#client = new DdiClient(http, {
      serverUrl: identity.serverUrl,
      tenant: identity.tenant,
      deviceId: identity.deviceId,
      token: identity.token,
      timeoutMs: settings.requestTimeoutMs,
      running: () => this.running,
    });
    this.#vitals = new Vitals({
      ports,
      http,
      identity,
      settings,
      facts: () => this.#facts,
      secondary: () => this.#secondary(),
      happened,
      wantsTicks: () => wantsTicks(this.#state),
      unattended,
    });
    this.#configured = new Configured({
      ports,
      http,
      client: this.#client,
      identity,
      settings,
      checks: this.#vitals.checks,
      changed: () => this.#unattended(this.#tellAttributes()),
      unattended,
    });
    this.#situation = new Situation({
      ports,
      identity,
      settings,
      journal: this.#journal,
      consent: this.#consent,
      vitals: this.#vitals,
      configured: this.#configured,
      facts: () => this.#facts,
      poller: () => this.#poller,
      work: () => this.#work,
    });
    this.#telemetry = new Telemetry(
      ports,
      this.#client,
      () => this.#situation.power().batteryPercent,
    );
    this.#reporter = new Reporter(this.#client, (actionId) =>
      this.#happened({ kind: "reported", actionId }),
    );
    this.#work = new UpdateWork({
      ports,
      http,
      identity,
      settings,
      slots,
      headers: (url) => this.#client.headers(url),
      running: () => this.#facts.image,
      profile: () => this.#situation.profile(),
      approvedFile: () => this.#consent.approvedFile,
      landed: (release) => this.#telemetry.landed(release.version, this.#progress()),
      happened,
      unattended,
    });
    this.#poller = new Poller({
      ports,
      settings,
      client: this.#client,
      onTrial: () => this.#state.kind === "trial",
      reached: () => {
        this.#takeUpLostWork();
        this.#configured.reached();
      },
      configured: (deployment) => this.#configured.offered(deployment),
      ended: (outcome) => this.#vitals.polled(outcome),
      waitsUntilMs: () => (this.#state.kind === "deferred" ? this.#state.untilUnixMs : null),
      attributes: () => this.#attributes(),
      happened,
      report: () => this.#tell(),
      unattended,
    });
  }

  get state(): State {
    return this.#state;
  }

  /** The values and flags in effect; read them anew after each restart. */
  get configuration(): Configuration {
    return this.#configured.configuration;
  }

  get running(): Running {
    const { version, imageHash, confirmed } = this.#facts;
    return { version, imageHash, confirmed };
  }

  /** Begins to work; returns at once. */
  start(): void {
    const { random, reset, watchdog } = this.#ports;
    watchdog.start();
    this.#state = this.#journal.read();
    this.#configured.booted();
    const { version, confirmed } = this.#facts;
    const face = confirmed ? "confirmed" : "trial";
    const { kind } = this.#state;
    this.#log("info", `running ${version} (${face}) after ${reset.reason}, update ${kind}`);
    this.#happened({ kind: "booted" });
    this.#vitals.booted();
    // The watch asks again for a swap that did not come about; when it has given up, so does this.
    if (this.#state.kind === "rollingBack" && !this.#state.waitsForPower && !this.#restarting)
      this.#happened({ kind: "rollbackFailed" });
    // A trial polls as its health check; others come a little later, each at its own time.
    this.#poller.start(
      this.#facts.confirmed ? Math.round(random.next() * this.#settings.firstPollMsMax) : 0,
    );
  }

  /**
   * Adds a condition for this image to be good, beside the server's heartbeat: in a trial all must
   * pass, in the soak none may fail for long. Add them before the first turn of the event loop ends,
   * or a quick server confirms the image without them. Throws RangeError for a name that is taken.
   */
  addHealthCheck(
    name: string,
    check: HealthCheck,
    kind: "application" | "peripheral" = "application",
  ): void {
    this.#vitals.checks.add(kind, name, check);
  }

  /**
   * The user of the device agrees to the update that waits (`deferred` with `approval`, or for a
   * major or breaking version). False when none does, or when it cannot be remembered.
   */
  approve(): boolean {
    const offer = this.#state.kind === "deferred" ? offerOf(this.#state) : null;
    if (offer === null || !this.#consent.approve(offer.fileHash)) return false;
    this.#happened({ kind: "approved" });
    return true;
  }

  /** Takes the events in order; one that comes up during another waits for its end. */
  #happened(event: Event): void {
    this.#events.push(event);
    if (this.#draining) return;
    this.#draining = true;
    let turns = 0;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      const current = next;
      turns += 1;
      if (turns <= cascadeMax) this.#attempt(() => this.#step(current));
      else this.#unexpected(`${cascadeMax} transitions in a row, ${current.kind} dropped`);
    }
    this.#draining = false;
  }

  #step(event: Event): void {
    const before = this.#state;
    const context = this.#situation.context();
    const next = transition(before, event, context);
    if (next.state.kind !== this.#state.kind)
      this.#log("info", `${this.#state.kind} -> ${next.state.kind} on ${event.kind}`);
    this.#state = next.state;
    if (next.state.kind !== "trial") this.#vitals.endTrial();
    if (!this.#store(next.state)) return;
    const turn = { before, event, after: next.state, effects: next.effects, context };
    this.#attempt(() => this.#telemetry.turned(turn, this.#progress()));
    for (const effect of next.effects) this.#attempt(() => this.#perform(effect));
    this.#vitals.tickIfWanted();
  }

  /** Read once a boot while nobody writes it: the watch over the running image asks often. */
  #secondary(): SecondaryFacts | null {
    return this.#slotWritten ? this.#slots.secondaryFacts() : this.#facts.secondary;
  }

  #progress(): DownloadProgress {
    const { landedBytes: bytes, retries } = this.#work;
    return { bytes, totalBytes: offerOf(this.#state)?.fileBytes ?? 0, retries };
  }

  /**
   * A state that cannot be stored must not lead to a swap; every other one is followed all the
   * same.
   */
  #store(state: State): boolean {
    try {
      if (this.#journal.write(state)) return true;
      this.#events.push({ kind: "exhausted" });
      return false;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#log("error", `journal: ${error.message}`);
      if (state.kind !== "activating") return true;
      this.#events.push({ kind: "upgradeFailed", reason: "storage-error" });
      return false;
    }
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "report":
        this.#reporter.add(effect.report);
        this.#unattended(this.#reporter.flush());
        break;
      case "refuse":
        this.#remember(() => this.#journal.refuse(effect.imageHash));
        break;
      case "pardon":
        this.#remember(() => this.#journal.pardon(effect.imageHash));
        break;
      case "requestRollback":
        this.#happened({
          kind: this.#slots.requestRollback().ok ? "rollbackRequested" : "rollbackFailed",
        });
        break;
      case "prepareRequest":
        this.#happened(this.#prepareRequest(effect.release));
        break;
      case "requestUpgrade":
        this.#happened(requestEvent("upgradeRequested", this.#slots.requestUpgrade()));
        break;
      case "restart":
        this.#restart();
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
      case "abandon":
        this.#work.abandon();
        break;
      default:
        this.#slotWritten ||= effect.kind === "prepare" || effect.kind === "download";
        this.#work.perform(effect);
    }
  }

  #remember(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#log("error", `cannot remember the refused images: ${error.message}`);
    }
  }

  /**
   * Looks once more at what would be swapped in: the slot may be another's when the storage lost a
   * state.
   */
  #prepareRequest(release: Release): Event {
    const stored = this.#slots.secondaryFacts();
    if (stored === null) return { kind: "upgradeFailed", reason: "flash-error" };
    if (stored.imageHash !== release.imageHash)
      return { kind: "upgradeFailed", reason: "hash-mismatch" };
    return requestEvent("requestPrepared", this.#slots.prepareRequest());
  }

  /**
   * Restarts after the last reports, or after a while without them. On a board nothing follows the
   * restart.
   */
  #restart(): void {
    if (this.#restarting) return;
    this.#restarting = true;
    this.#poller.stop();
    this.#vitals.leaving(0);
    const { clock, reset } = this.#ports;
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      reset.restart();
    };
    this.#unattended(this.#tell().finally(leave));
    clock.after(farewellMs, leave);
  }

  /** Reports first: the server waits for them. */
  async #tell(): Promise<void> {
    await this.#reporter.flush();
    await this.#telemetry.flush();
  }

  #validate(): void {
    this.#vitals.beginTrial(this.#state.kind === "trial" && this.#state.networkWasDown);
  }

  #confirm(): void {
    const confirmed = this.#slots.confirm();
    this.#facts = { ...this.#facts, confirmed };
    if (confirmed)
      this.#vitals.confirmed(this.#state.kind === "trial" ? this.#state.release : null);
    this.#happened({ kind: confirmed ? "confirmWritten" : "confirmFailed" });
  }

  /** What was reported before goes first, so that the server knows what it is that ends here. */
  async #acknowledgeCancel(actionId: string, accepted: boolean): Promise<void> {
    const details = [`state=${this.#state.kind}`];
    await this.#reporter.flush();
    await this.#client.cancelFeedback(actionId, {
      execution: accepted ? "closed" : "rejected",
      finished: accepted ? "success" : "failure",
      details,
    });
  }

  /**
   * An exception that nothing foresaw may have swallowed an effect, and then nothing would ever
   * happen in this state. What the state wants and nobody does is begun again, as after a reset.
   */
  #takeUpLostWork(): void {
    const { kind } = this.#state;
    const wantsWork = kind === "checking" || kind === "downloading" || kind === "verifying";
    const isIdle =
      (wantsWork && !this.#work.underWay) ||
      (kind === "activating" && !this.#restarting) ||
      (kind === "trial" && !this.#vitals.onTrial && !this.#restarting);
    if (!isIdle) return;
    this.#log("warn", `${kind}, and nothing under way: taken up again`);
    this.#facts = { ...this.#facts, secondary: this.#slots.secondaryFacts() };
    this.#happened({ kind: "booted" });
  }

  #attributes(): Readonly<Record<string, string>> {
    const { version, imageHash } = this.#facts;
    const { hardware } = this.#identity;
    return { hardware, version, imageHash, [configurationAttribute]: this.#configured.attribute };
  }

  async #tellAttributes(): Promise<void> {
    await this.#client.attributes(this.#attributes());
  }

  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#unexpected(String(error));
    }
  }

  /**
   * Work that nobody waits for: what it throws has no other way out. For the rest see
   * `#takeUpLostWork`.
   */
  #unattended(work: Promise<void>): void {
    work.catch((error: unknown) => this.#unexpected(String(error)));
  }

  #unexpected(what: string): void {
    this.#log("error", `unexpected: ${what}`);
  }

  #log(level: LogLevel, message: string): void {
    this.#ports.log.write(level, message);
  }
}

/** What time alone can change: the battery fills and empties, a window closes. */
function wantsTicks(state: State): boolean {
  if (state.kind === "deferred") return state.reason === "low-battery" || state.reason === "energy";
  return state.kind === "downloading" || (state.kind === "rollingBack" && state.waitsForPower);
}

function requestEvent(done: "requestPrepared" | "upgradeRequested", result: RequestResult): Event {
  return result.ok ? { kind: done } : { kind: "upgradeFailed", reason: result.reason };
}

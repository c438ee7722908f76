import type { AcceptedOffer } from "../../offer/offer.ts";
import type { DeviceProfile } from "../../policy/compatibility.ts";
import type { LogLevel } from "../../ports/board.ts";
import type { Http } from "../../ports/http.ts";
import type { Ports } from "../../ports/ports.ts";
import {
  type ConfigurationOffer,
  configurationAttribute,
  confirmationAttribute,
  type Poll,
} from "../../protocol/ddi.ts";
import type { Running } from "../../protocol/running.ts";
import { type SecondaryFacts, type SlotFacts, Slots } from "../../slots/slots.ts";
import { DdiClient } from "../../transfer/ddi-client.ts";
import { oneAtATime } from "../../transfer/exchange.ts";
import { followingRedirect } from "../../transfer/redirects.ts";
import type { HealthChecks, PollOutcome } from "../health/health-checks.ts";
import { Vitals, type VitalsTools } from "../health/vitals.ts";
import { wantsTicks } from "../machine/conditions.ts";
import type { Effect } from "../machine/effect.ts";
import type { Context, Event } from "../machine/event.ts";
import { Journal } from "../machine/journal.ts";
import { Machine, type MachineTools } from "../machine/machine.ts";
import { RefusedImages } from "../machine/refused-images.ts";
import { offerOf, type State } from "../machine/state.ts";
import type { Turn } from "../machine/turn.ts";
import type { Identity, Settings } from "../settings.ts";
import { Configured, type ConfiguredTools } from "./configured.ts";
import { Counters, type CountersTools } from "./counters.ts";
import { type DataDeclaration, DataUpdate } from "./data-update.ts";
import { patientLog } from "./patient-log.ts";
import { Poller, type PollerTools } from "./poller.ts";
import { Reporter, type ReporterTools } from "./reporter.ts";
import { Restart, type RestartTools } from "./restart.ts";
import { Situation, type SituationTools } from "./situation.ts";
import { prepareSwap, requestRollback, requestSwap } from "./swap-request.ts";
import { type DownloadProgress, Telemetry, type TelemetryTools } from "./telemetry.ts";
import { TrustedClock } from "./trusted-clock.ts";
import { UserApproval } from "./user-approval.ts";
import { UpdateWork, type WorkTools } from "./work.ts";

type AllTools = ConfiguredTools &
  CountersTools &
  MachineTools &
  PollerTools &
  ReporterTools &
  RestartTools &
  SituationTools &
  TelemetryTools &
  VitalsTools &
  WorkTools;

/**
 * The parts of an agent, and what they ask of each other: it is itself the tools of every part.
 * An object of tools for each, with closures, would take 5 KB more of a board's memory.
 */
export class AgentParts implements AllTools {
  readonly ports: Ports;
  readonly identity: Identity;
  readonly settings: Settings;
  readonly http: Http;
  readonly slots: Slots;
  readonly journal: Journal;
  readonly refused: RefusedImages;
  readonly data: DataUpdate | null;
  readonly approval: UserApproval;
  readonly client: DdiClient;
  readonly counters: Counters;
  readonly vitals: Vitals;
  readonly configured: Configured;
  readonly time: TrustedClock;
  readonly situation: Situation;
  readonly machine: Machine;
  readonly restart: Restart;
  readonly telemetry: Telemetry;
  readonly reporter: Reporter;
  readonly work: UpdateWork;
  readonly poller: Poller;
  facts: SlotFacts;
  /** The slot is being written in this boot: what it held at the start is gone. */
  #slotWritten = false;

  /** Throws as the constructor of `Agent` does. */
  constructor(given: Ports, identity: Identity, settings: Settings, data?: DataDeclaration) {
    this.counters = new Counters(this);
    const ports = { ...given, log: patientLog(given.log, this.counters) };
    this.ports = ports;
    this.identity = identity;
    this.settings = settings;
    this.slots = new Slots(ports.flash, settings.unknownBootloader);
    const facts = this.slots.facts();
    if (facts === null) throw new Error("the primary slot holds no readable image");
    this.facts = facts;
    this.journal = new Journal(ports.keyValue);
    this.refused = new RefusedImages(ports);
    this.data = data === undefined ? null : new DataUpdate(ports, data);
    this.approval = new UserApproval(ports.keyValue);
    this.http = oneAtATime(followingRedirect(ports.http, settings.redirectHosts), ports.log);
    this.client = new DdiClient(this.http, {
      serverUrl: identity.serverUrl,
      tenant: identity.tenant,
      deviceId: identity.deviceId,
      token: identity.token,
      timeoutMs: settings.requestTimeoutMs,
      running: () => this.running(),
    });
    // The constructor of a part finds only what stands above it.
    this.vitals = new Vitals(this);
    this.configured = new Configured(this);
    this.time = new TrustedClock(ports.clock);
    this.situation = new Situation(this);
    this.machine = new Machine(this);
    this.restart = new Restart(this);
    this.telemetry = new Telemetry(this);
    this.reporter = new Reporter(this);
    this.work = new UpdateWork(this);
    this.poller = new Poller(this);
  }

  get state(): State {
    return this.machine.state;
  }

  get checks(): HealthChecks {
    return this.vitals.checks;
  }

  running(): Running {
    const { version, imageHash, confirmed } = this.facts;
    return { version, imageHash, confirmed };
  }

  happened(event: Event): void {
    this.machine.happened(event);
  }

  workEnded(event: Event): void {
    if (event.kind === "checkFailed" || event.kind === "downloadFailed") this.poller.readAgain();
    this.happened(event);
  }

  landed(offer: AcceptedOffer): void {
    this.telemetry.landed(offer.version, this.#progress());
  }

  turned(turn: Turn): void {
    if (turn.after.kind !== "trial") this.vitals.endTrial();
    this.telemetry.turned(turn, this.#progress());
    this.vitals.tickIfWanted();
  }

  context(): Context {
    return this.situation.context();
  }

  profile(): DeviceProfile {
    return this.situation.profile();
  }

  batteryPercent(): number | null {
    return this.situation.power().batteryPercent;
  }

  wantsTicks(): boolean {
    return wantsTicks(this.state);
  }

  onTrial(): boolean {
    return this.state.kind === "trial";
  }

  waits(): boolean {
    const { state } = this;
    return state.kind === "deferred" || (state.kind === "failed" && state.resume !== null);
  }

  /** A window waits for a clock, and the device has none: the director may tell the time. */
  async learnTime(): Promise<void> {
    const { state } = this;
    const lacksClock = state.kind === "deferred" && state.reason === "no-clock";
    if (lacksClock && this.time.unixMs() === null) await this.work.askTime();
  }

  waitsUntilMs(): number | null {
    return this.state.kind === "deferred" ? this.state.untilUnixMs : null;
  }

  reached(poll: Poll): void {
    this.counters.answered(poll);
    this.#takeUpLostWork();
    this.configured.reached();
  }

  pollEnded(outcome: PollOutcome): void {
    this.refused.passed();
    this.counters.polled(outcome);
    this.vitals.polled(outcome);
  }

  configurationOffered(offer: ConfigurationOffer): void {
    this.configured.offered(offer);
  }

  notFetched(): void {
    this.poller.readAgain();
  }

  acknowledged(actionId: string): void {
    this.happened({ kind: "reported", actionId });
  }

  /** Read once a boot while nobody writes it: the watch over the running image asks often. */
  secondary(): SecondaryFacts | null {
    return this.#slotWritten ? this.slots.secondaryFacts() : this.facts.secondary;
  }

  #progress(): DownloadProgress {
    const { landedBytes: bytes, retries } = this.work;
    return { bytes, totalBytes: offerOf(this.state)?.fileBytes ?? 0, retries };
  }

  perform(effect: Effect): void {
    switch (effect.kind) {
      case "report":
        this.reporter.add(effect.report);
        this.unattended(this.reporter.flush());
        break;
      case "refuse":
        this.refused.refuse(effect.imageHash, effect.cause);
        break;
      case "pardon":
        this.refused.pardon(effect.imageHash);
        break;
      case "requestRollback":
        this.happened(requestRollback(this.slots));
        break;
      case "prepareSwap":
        this.happened(prepareSwap(this.slots, effect.offer));
        break;
      case "requestSwap":
        this.happened(requestSwap(this.slots));
        break;
      case "restart":
        this.restart.begin();
        break;
      case "validate":
        this.vitals.beginTrial(this.state.kind === "trial" && this.state.networkWasDown);
        break;
      case "confirm":
        this.#confirm();
        break;
      case "acknowledgeCancel":
        this.unattended(this.#acknowledgeCancel(effect.actionId, effect.accepted));
        break;
      case "abandon":
        this.work.abandon();
        break;
      default:
        this.#slotWritten ||= effect.kind === "prepare" || effect.kind === "download";
        this.work.perform(effect);
    }
  }

  /** Nothing new is begun any more: a restart comes, or a sleep so long. */
  leaving(sleepMs = 0): void {
    this.poller.stop();
    this.counters.leaving();
    this.vitals.leaving(sleepMs);
    this.refused.leaving(sleepMs);
  }

  /** Reports first: the server waits for them. */
  async tell(): Promise<void> {
    await this.reporter.flush();
    await this.telemetry.flush();
    await this.counters.flush();
  }

  #confirm(): void {
    const confirmed = this.slots.confirm();
    this.facts = { ...this.facts, confirmed };
    if (confirmed) {
      this.data?.confirmed();
      this.vitals.confirmed(this.state.kind === "trial" ? this.state.offer : null);
    }
    this.happened({ kind: confirmed ? "confirmWritten" : "confirmFailed" });
  }

  /** What was reported before goes first, so that the server knows what it is that ends here. */
  async #acknowledgeCancel(actionId: string, accepted: boolean): Promise<void> {
    const details = [`state=${this.state.kind}`];
    await this.reporter.flush();
    await this.client.cancelFeedback(actionId, {
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
    const { kind } = this.state;
    const wantsWork = kind === "checking" || kind === "downloading" || kind === "verifying";
    const isIdle =
      (wantsWork && !this.work.underWay) ||
      (kind === "activating" && !this.restart.begun) ||
      (kind === "trial" && !this.vitals.onTrial && !this.restart.begun);
    if (!isIdle) return;
    this.log("warn", `${kind}, and nothing under way: taken up again`);
    this.facts = { ...this.facts, secondary: this.slots.secondaryFacts() };
    this.happened({ kind: "resumed" });
  }

  attributes(): Readonly<Record<string, string>> {
    const { version, imageHash } = this.facts;
    const { hardware } = this.identity;
    const { bootloaderText: bootloader } = this.slots;
    return {
      hardware,
      version,
      imageHash,
      bootloader,
      [confirmationAttribute]: this.slots.confirmation(),
      [configurationAttribute]: this.configured.attribute,
    };
  }

  /** Work that nobody waits for: what it throws has no other way out; see `#takeUpLostWork` too. */
  unattended(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.log("error", `unexpected: ${String(error)}`));
  }

  log(level: LogLevel, message: string): void {
    this.ports.log.write(level, message);
  }
}

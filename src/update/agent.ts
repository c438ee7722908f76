import type { Configuration } from "../config/configuration.ts";
import type { ApplicationData } from "../config/migrations.ts";
import type { LogLevel } from "../ports/board.ts";
import type { Ports } from "../ports/ports.ts";
import { configurationAttribute, confirmationAttribute } from "../protocol/ddi.ts";
import type { Running } from "../protocol/running.ts";
import { type SecondaryFacts, type SlotFacts, Slots } from "../slots/slots.ts";
import { DdiClient } from "../transfer/ddi-client.ts";
import { oneAtATime } from "../transfer/exchange.ts";
import { followingRedirect } from "../transfer/redirects.ts";
import { wantsTicks } from "./conditions.ts";
import { Configured } from "./configured.ts";
import { Consent } from "./consent.ts";
import { type DataDeclaration, DataUpdate } from "./data-update.ts";
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import type { HealthCheck } from "./health-checks.ts";
import { Journal } from "./journal.ts";
import { Machine } from "./machine.ts";
import { patientLog } from "./patient-log.ts";
import { Poller } from "./poller.ts";
import { RefusedImages } from "./refused-images.ts";
import { Reporter } from "./reporter.ts";
import { Restart } from "./restart.ts";
import type { Identity, Settings } from "./settings.ts";
import { Situation } from "./situation.ts";
import { planSleep, type SleepPlan } from "./sleep.ts";
import { offerOf, type State } from "./state.ts";
import { judgeBootloader, prepareSwap, requestSwap, requestSwapBack } from "./swap-request.ts";
import { type DownloadProgress, Telemetry } from "./telemetry.ts";
import { Vitals } from "./vitals.ts";
import { UpdateWork } from "./work.ts";

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
  readonly #ports: Ports;
  readonly #settings: Settings;
  readonly #slots: Slots;
  readonly #journal: Journal;
  readonly #refused: RefusedImages;
  readonly #client: DdiClient;
  readonly #reporter: Reporter;
  readonly #poller: Poller;
  readonly #work: UpdateWork;
  readonly #vitals: Vitals;
  readonly #consent: Consent;
  readonly #telemetry: Telemetry;
  readonly #configured: Configured;
  readonly #situation: Situation;
  readonly #data: DataUpdate | null;
  readonly #machine: Machine;
  readonly #restart: Restart;
  readonly #identity: Identity;
  #facts: SlotFacts;
  /** The slot is being written in this boot: what it held at the start is gone. */
  #slotWritten = false;

  /**
   * Throws when the primary slot holds no readable image, and `FlashError` when it cannot be read:
   * such firmware was not started by a bootloader, or its flash fails. An application that does not
   * catch it restarts, and a trial so ends.
   */
  constructor(given: Ports, identity: Identity, settings: Settings, options: AgentOptions = {}) {
    const ports = { ...given, log: patientLog(given.log) };
    const slots = new Slots(ports.flash, settings.unknownBootloader);
    const facts = slots.facts();
    if (facts === null) throw new Error("the primary slot holds no readable image");
    this.#ports = ports;
    this.#settings = settings;
    this.#slots = slots;
    this.#facts = facts;
    this.#identity = identity;
    this.#journal = new Journal(ports.keyValue);
    this.#refused = new RefusedImages(ports);
    this.#data = options.data === undefined ? null : new DataUpdate(ports, options.data);
    this.#consent = new Consent(ports.keyValue);
    const http = oneAtATime(followingRedirect(ports.http, settings.redirectHosts), ports.log);
    const happened = (event: Event): void => this.#machine.happened(event);
    const unattended = (work: Promise<unknown>): void => this.#unattended(work);
    // One of each for all, since a closure takes eight slots of XS.
    const latestFacts = (): SlotFacts => this.#facts;
    const attributes = (): Readonly<Record<string, string>> => this.#attributes();
    const tell = (): Promise<void> => this.#tell();
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
      facts: latestFacts,
      secondary: () => this.#secondary(),
      happened,
      wantsTicks: () => wantsTicks(this.state),
      unattended,
    });
    this.#configured = new Configured({
      ports,
      http,
      client: this.#client,
      identity,
      settings,
      checks: this.#vitals.checks,
      notFetched: () => this.#poller.readAgain(),
      attributes,
      unattended,
    });
    this.#situation = new Situation({
      ports,
      identity,
      settings,
      refused: this.#refused,
      consent: this.#consent,
      vitals: this.#vitals,
      configured: this.#configured,
      facts: latestFacts,
      poller: () => this.#poller,
      work: () => this.#work,
    });
    this.#machine = new Machine({
      journal: this.#journal,
      log: ports.log,
      context: () => this.#situation.context(),
      turned: (turn) => {
        if (turn.after.kind !== "trial") this.#vitals.endTrial();
        this.#telemetry.turned(turn, this.#progress());
        this.#vitals.tickIfWanted();
      },
      perform: (effect) => this.#perform(effect),
    });
    this.#restart = new Restart({
      ports,
      leaving: () => {
        this.#poller.stop();
        this.#leaving(0);
      },
      tell,
      unattended,
    });
    this.#telemetry = new Telemetry(
      ports,
      this.#client,
      () => this.#situation.power().batteryPercent,
    );
    this.#reporter = new Reporter(this.#client, (actionId) =>
      this.#machine.happened({ kind: "reported", actionId }),
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
      happened: (event) => {
        if (event.kind === "checkFailed" || event.kind === "downloadFailed")
          this.#poller.readAgain();
        happened(event);
      },
      unattended,
    });
    this.#poller = new Poller({
      ports,
      settings,
      client: this.#client,
      onTrial: () => this.state.kind === "trial",
      reached: () => {
        this.#takeUpLostWork();
        this.#configured.reached();
      },
      configured: (deployment) => this.#configured.offered(deployment),
      ended: (outcome) => {
        this.#refused.passed();
        this.#vitals.polled(outcome);
      },
      waitsUntilMs: () => (this.state.kind === "deferred" ? this.state.untilUnixMs : null),
      attributes,
      happened,
      report: tell,
      unattended,
    });
  }

  get state(): State {
    return this.#machine.state;
  }

  /** The values and flags in effect; read them anew after each restart. */
  get configuration(): Configuration {
    return this.#configured.configuration;
  }

  /** The application's data, as `AgentOptions.data` declares it; null without a declaration. */
  get data(): ApplicationData | null {
    return this.#data?.data ?? null;
  }

  /** For a device that sleeps: ask after each wake, and again while the answer is to stay awake. */
  planSleep(): SleepPlan {
    return planSleep({
      state: this.state,
      configurationOnTrial: this.#configured.onTrial,
      exchanging: this.#poller.underWay,
      nextPollMs: this.#poller.nextMs,
      downloadPauseMs: this.#settings.downloadPauseMs,
    });
  }

  /**
   * The device goes to sleep for so long, now: no work is begun any more, and the wake does not count
   * as a reset. The board's reset reason is then `deep-sleep`.
   */
  sleep(forMs: number): void {
    this.#poller.stop();
    this.#work.abandon();
    this.#leaving(forMs);
  }

  get running(): Running {
    const { version, imageHash, confirmed } = this.#facts;
    return { version, imageHash, confirmed };
  }

  /** Begins to work; returns at once. */
  start(): void {
    const { random, reset, watchdog } = this.#ports;
    watchdog.start();
    this.#machine.restore();
    this.#configured.booted();
    const hasData = this.#data?.begin() ?? true;
    if (this.#facts.confirmed) this.#data?.confirmed(); // the power may have been cut before
    const { version, confirmed } = this.#facts;
    const face = confirmed ? "confirmed" : "trial";
    const { kind } = this.state;
    this.#log("info", `running ${version} (${face}) after ${reset.reason}, update ${kind}`);
    this.#refused.booted(reset.reason);
    this.#machine.happened({ kind: "booted" });
    this.#vitals.booted();
    if (this.#facts.confirmed && !this.#vitals.watching) this.#data?.settled();
    if (!hasData) this.#machine.happened({ kind: "trialEnded", reason: "migration-failed" });
    judgeBootloader(this.#slots, this.#ports.log, (event) => this.#machine.happened(event));
    // The watch asks again for a swap that did not come about; when it has given up, so does this.
    if (this.state.kind === "rollingBack" && !this.state.waitsForPower && !this.#restart.begun)
      this.#machine.happened({ kind: "rollbackFailed" });
    // A trial polls as its health check, and a wake is short; others come a little later, each at
    // its own time.
    const isAtOnce = !this.#facts.confirmed || reset.reason === "deep-sleep";
    this.#poller.start(isAtOnce ? 0 : Math.round(random.next() * this.#settings.firstPollMsMax));
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
    const offer = this.state.kind === "deferred" ? offerOf(this.state) : null;
    if (offer === null || !this.#consent.approve(offer.fileHash)) return false;
    this.#machine.happened({ kind: "approved" });
    return true;
  }

  /** Read once a boot while nobody writes it: the watch over the running image asks often. */
  #secondary(): SecondaryFacts | null {
    return this.#slotWritten ? this.#slots.secondaryFacts() : this.#facts.secondary;
  }

  #progress(): DownloadProgress {
    const { landedBytes: bytes, retries } = this.#work;
    return { bytes, totalBytes: offerOf(this.state)?.fileBytes ?? 0, retries };
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "report":
        this.#reporter.add(effect.report);
        this.#unattended(this.#reporter.flush());
        break;
      case "refuse":
        this.#refused.refuse(effect.imageHash, effect.cause);
        break;
      case "pardon":
        this.#refused.pardon(effect.imageHash);
        break;
      case "requestRollback":
        this.#machine.happened(requestSwapBack(this.#slots));
        break;
      case "prepareRequest":
        this.#machine.happened(prepareSwap(this.#slots, effect.release));
        break;
      case "requestUpgrade":
        this.#machine.happened(requestSwap(this.#slots));
        break;
      case "restart":
        this.#restart.begin();
        break;
      case "validate":
        this.#vitals.beginTrial(this.state.kind === "trial" && this.state.networkWasDown);
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

  #leaving(sleepMs: number): void {
    this.#vitals.leaving(sleepMs);
    this.#refused.leaving(sleepMs);
  }

  /** Reports first: the server waits for them. */
  async #tell(): Promise<void> {
    await this.#reporter.flush();
    await this.#telemetry.flush();
  }

  #confirm(): void {
    const confirmed = this.#slots.confirm();
    this.#facts = { ...this.#facts, confirmed };
    if (confirmed) {
      this.#data?.confirmed();
      this.#vitals.confirmed(this.state.kind === "trial" ? this.state.release : null);
    }
    this.#machine.happened({ kind: confirmed ? "confirmWritten" : "confirmFailed" });
  }

  /** What was reported before goes first, so that the server knows what it is that ends here. */
  async #acknowledgeCancel(actionId: string, accepted: boolean): Promise<void> {
    const details = [`state=${this.state.kind}`];
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
    const { kind } = this.state;
    const wantsWork = kind === "checking" || kind === "downloading" || kind === "verifying";
    const isIdle =
      (wantsWork && !this.#work.underWay) ||
      (kind === "activating" && !this.#restart.begun) ||
      (kind === "trial" && !this.#vitals.onTrial && !this.#restart.begun);
    if (!isIdle) return;
    this.#log("warn", `${kind}, and nothing under way: taken up again`);
    this.#facts = { ...this.#facts, secondary: this.#slots.secondaryFacts() };
    this.#machine.happened({ kind: "booted" });
  }

  #attributes(): Readonly<Record<string, string>> {
    const { version, imageHash } = this.#facts;
    const { hardware } = this.#identity;
    const { bootloaderText: bootloader } = this.#slots;
    return {
      hardware,
      version,
      imageHash,
      bootloader,
      [confirmationAttribute]: this.#slots.confirmation(),
      [configurationAttribute]: this.#configured.attribute,
    };
  }

  /** Work that nobody waits for: what it throws has no other way out; see `#takeUpLostWork` too. */
  #unattended(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#log("error", `unexpected: ${String(error)}`));
  }

  #log(level: LogLevel, message: string): void {
    this.#ports.log.write(level, message);
  }
}

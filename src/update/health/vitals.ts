import type { AcceptedOffer } from "../../offer/offer.ts";
import type { HealthVerdict } from "../../policy/health.ts";
import { tickMsMax } from "../../policy/stability-settings.ts";
import type { TimerHandle } from "../../ports/board.ts";
import type { Http } from "../../ports/http.ts";
import { exchange } from "../../transfer/exchange.ts";
import type { Identity } from "../settings.ts";
import { HealthChecks, type PollOutcome } from "./health-checks.ts";
import { type SoakTools, SoakWatch } from "./soak-watch.ts";
import { Trial } from "./trial.ts";

/** Resets of one crash loop are closer together. */
const earlyMs = 600_000;
const quietTickMs = 60_000;

export interface VitalsTools extends SoakTools {
  readonly http: Http;
  readonly identity: Identity;
  /** Whether the update under way wants to be told of time that passes. */
  wantsTicks(): boolean;
  /** Takes a promise that nobody waits for. */
  unattended(work: Promise<void>): void;
}

/**
 * How the image that runs is doing: its health checks, in a trial the verdict on it, in the soak
 * the watch over it. Everything that it finds comes out as an event.
 */
export class Vitals {
  readonly checks: HealthChecks;
  readonly #tools: VitalsTools;
  readonly #trial: Trial;
  readonly #soak: SoakWatch;
  #tickTimer: TimerHandle | null = null;
  #stopped = false;
  #probing = false;

  constructor(tools: VitalsTools) {
    const { ports, settings } = tools;
    this.#tools = tools;
    this.checks = new HealthChecks(ports.memory ?? null, settings.memoryFloorBytes);
    this.#trial = new Trial(ports.clock, this.checks, settings.health, (verdict) =>
      this.#judged(verdict),
    );
    this.#soak = new SoakWatch(tools, this.checks);
  }

  /** A late rollback can still come. */
  get watching(): boolean {
    return this.#soak.watching;
  }

  /** The release whose image was confirmed here last and runs, when its action is known. */
  get soaking(): AcceptedOffer | null {
    return this.#soak.offer;
  }

  get onTrial(): boolean {
    return this.#trial.underWay;
  }

  /** The firmware started; to be called once the state knows. */
  booted(): void {
    this.#soak.take({ kind: "booted", reason: this.#tools.ports.reset.reason });
    this.tickIfWanted();
  }

  beginTrial(networkWasDown: boolean): void {
    this.#trial.begin({ networkWasDown });
  }

  endTrial(): void {
    this.#trial.end();
  }

  /** The image was confirmed in flash: its soak begins. */
  confirmed(offer: AcceptedOffer | null): void {
    this.#soak.begin(offer, { serverReached: this.checks.serverReached });
  }

  /** The device is about to restart, or to sleep so long. */
  leaving(sleepMs: number): void {
    this.#stopped = true;
    this.#tickTimer?.cancel();
    this.#soak.take({ kind: "restarting", sleepMs });
  }

  polled(outcome: PollOutcome): void {
    this.checks.polled(outcome);
    this.#trial.look();
    if (!this.#soak.watching) return;
    if (outcome === "unreachable") this.#tools.unattended(this.#probe());
    else this.#soak.take({ kind: "serverReached" });
  }

  /** Begins to tell of time that passes, every ten seconds, while somebody wants to know. */
  tickIfWanted(): void {
    if (this.#tickTimer !== null || this.#stopped) return;
    if (!this.#soak.watching && !this.#tools.wantsTicks()) return;
    this.#tickTimer = this.#tools.ports.clock.after(this.#tickMs(), () => {
      this.#tickTimer = null;
      this.#soak.tick();
      if (this.#tools.wantsTicks()) this.#tools.happened({ kind: "tick" });
      this.tickIfWanted();
    });
  }

  /**
   * Every ten seconds while it may matter: early in a boot, which may be one of many, while
   * something can fail by itself, and while the update waits for its conditions. Else a quiet soak
   * costs little.
   */
  #tickMs(): number {
    const isEarly = this.#tools.ports.clock.uptimeMs() < earlyMs;
    const isEager = isEarly || this.#tools.wantsTicks() || this.checks.changesByItself;
    return isEager || this.#soak.isUneasy ? tickMsMax : quietTickMs;
  }

  #judged(verdict: Exclude<HealthVerdict, { kind: "waiting" }>): void {
    if (verdict.kind === "healthy") {
      this.#tools.happened({ kind: "healthy" });
      return;
    }
    this.#tools.ports.log.write("error", `the trial ends: ${verdict.reason} (${verdict.check})`);
    this.#tools.happened({ kind: "trialEnded", reason: verdict.reason });
  }

  /** The server did not answer: is it the server, or this image? */
  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const { identity, ports } = this.#tools;
    const { otherServerUrl } = identity;
    try {
      const other = otherServerUrl === null ? "none" : await this.#ask(otherServerUrl);
      const linkUp = ports.link?.isUp() ?? true;
      this.#soak.take({ kind: "serverMissed", linkUp, other });
    } finally {
      this.#probing = false;
    }
  }

  async #ask(url: string): Promise<"reached" | "missed"> {
    const { http, settings } = this.#tools;
    const timeoutMs = settings.requestTimeoutMs;
    const request = { method: "HEAD", url, headers: {}, body: null, bodyBytesMax: 0 } as const;
    const answer = await exchange(http, { ...request, timeoutMs });
    return answer.ok || answer.failure === "body-too-large" ? "reached" : "missed";
  }
}

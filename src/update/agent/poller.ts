import { backoffMs, jitteredMs } from "../../policy/retry.ts";
import type { LogLevel, TimerHandle } from "../../ports/board.ts";
import type { Ports } from "../../ports/ports.ts";
import {
  actionIdOfLink,
  type ConfigurationOffer,
  type ImageOffer,
  type ParsedOffer,
  type Poll,
} from "../../protocol/ddi.ts";
import { urlLengthMax } from "../../protocol/url.ts";
import type { DdiClient, ServerFailure, ServerResult } from "../../transfer/ddi-client.ts";
import type { PollOutcome } from "../health/health-checks.ts";
import type { Event } from "../machine/event.ts";
import type { Settings } from "../settings.ts";
import type { TrustedClock } from "./trusted-clock.ts";

/**
 * A trial has this many chances at least to reach the server, whatever waits the server asks for.
 */
const trialPollsMin = 6;

/** A fleet whose window opens does not come as one. */
const openingSpreadMs = 60_000;

/** Polls in a row whose offer could not be read before the server is told. */
const unreadableMax = 3;

/**
 * While an update waits, for a window or a charger say, what was read of it counts for so long: the
 * address of its file may hold for a time only, and a window must not pass with one that is over.
 */
const waitingReadMsMax = 600_000;

type ReadOffer = ImageOffer | ConfigurationOffer;

export interface PollerTools {
  readonly ports: Ports;
  readonly settings: Settings;
  readonly client: DdiClient;
  /** True while the running image waits for its health check. */
  onTrial(): boolean;
  /** Called with each answer before anything of it is followed. */
  reached(poll: Poll): void;
  /** Called with the end of each poll, before anything of an answer is followed. */
  pollEnded(outcome: PollOutcome): void;
  /** The update stands still until something else is so. */
  waits(): boolean;
  /** When what the update waits for is expected, or null. */
  waitsUntilMs(): number | null;
  readonly time: TrustedClock;
  /** Learns the time where something waits for it. */
  learnTime(): Promise<void>;
  /** What the server wants to know of the device. */
  attributes(): Readonly<Record<string, string>>;
  /** The server offers a configuration. */
  configurationOffered(offer: ConfigurationOffer): void;
  happened(event: Event): void;
  /** Sends the reports that wait. */
  tell(): Promise<void>;
  /** Takes a promise that nobody waits for. */
  unattended(work: Promise<void>): void;
}

/**
 * Asks the server again and again, follows the links of its answers and tells what they lead to.
 */
export class Poller {
  readonly #tools: PollerTools;
  #timer: TimerHandle | null = null;
  #dueMs = 0;
  #stopped = false;
  #failures = 0;
  #windowOpen = false;
  #unreadable = 0;
  #read: {
    readonly link: string;
    readonly offer: ReadOffer;
    readonly readMs: number;
  } | null = null;

  constructor(tools: PollerTools) {
    this.#tools = tools;
  }

  /** The last poll of this boot got no answer. */
  get networkDown(): boolean {
    return this.#failures > 0;
  }

  /** Whether the server lets the device install now; false until it told. */
  get windowOpen(): boolean {
    return this.#windowOpen;
  }

  /** A poll, or what it led to, is under way. */
  get underWay(): boolean {
    return this.#timer === null && !this.#stopped;
  }

  /** Until the next poll; 0 during one. */
  get nextMs(): number {
    if (this.#timer === null) return 0;
    return Math.max(0, this.#dueMs - this.#tools.ports.clock.uptimeMs());
  }

  start(delayMs: number): void {
    if (this.#stopped) return;
    this.#dueMs = this.#tools.ports.clock.uptimeMs() + delayMs;
    this.#timer = this.#tools.ports.clock.after(delayMs, () => {
      this.#timer = null;
      this.#tools.unattended(this.#poll());
    });
  }

  /**
   * What the link leads to is read anew by the next poll: the address of a file may hold for a time
   * only, and one that failed may have expired.
   */
  readAgain(): void {
    this.#read = null;
  }

  /** No poll begins any more; what is under way may end. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Whatever happens in it, another poll follows: a device that stops asking is lost. */
  async #poll(): Promise<void> {
    let nextMs = this.#tools.settings.pollBackoff.capMs;
    try {
      const polled = await this.#tools.client.poll();
      nextMs = polled.ok ? await this.#answered(polled.value) : this.#unanswered(polled);
    } catch (error) {
      this.#log("error", `unexpected in a poll: ${String(error)}`);
      nextMs = this.#retryMs(null);
    } finally {
      this.start(nextMs);
    }
  }

  #unanswered(failed: Unanswered): number {
    this.#log("warn", `poll: ${failed.reason}`);
    this.#tools.pollEnded(outcomeOf(failed.reason));
    return this.#retryMs(failed.retryAfterMs);
  }

  /**
   * Behind the server's own time, so that a fleet that was told the same does not come back as one.
   */
  #retryMs(retryAfterMs: number | null): number {
    const { settings, ports } = this.#tools;
    this.#failures += 1;
    const waitMs =
      (retryAfterMs ?? 0) + backoffMs(this.#failures, settings.pollBackoff, ports.random);
    return this.#tools.onTrial()
      ? Math.min(waitMs, Math.floor(settings.health.trialMs / trialPollsMin))
      : waitMs;
  }

  /** Follows the links of a poll; answers the time to the next one. */
  async #answered(poll: Poll): Promise<number> {
    this.#failures = 0;
    this.#tools.reached(poll);
    const wasOnTrial = this.#tools.onTrial();
    this.#tools.pollEnded("acknowledged");
    // What this answer offers was decided before the server could know that the trial went well:
    // the next poll asks.
    if (wasOnTrial) return this.#nextMs(poll);
    if (poll.configDataUrl !== null) await this.#describe(poll.configDataUrl);
    await this.#tools.learnTime();
    if (poll.cancelUrl !== null) await this.#cancel(poll.cancelUrl);
    else if (poll.offerUrl !== null) await this.#offer(poll.offerUrl);
    else this.#tools.happened({ kind: "polled", offer: null });
    await this.#tools.tell();
    return this.#nextMs(poll);
  }

  /** Waits as long as the server asks, but a window that opens before is not missed. */
  #nextMs(poll: Poll): number {
    const { ports } = this.#tools;
    const intervalMs = jitteredMs(poll.sleepSeconds * 1000, ports.random);
    const unixMs = this.#tools.time.unixMs();
    const untilMs = this.#tools.waitsUntilMs();
    if (unixMs === null || untilMs === null) return intervalMs;
    const opensInMs = Math.max(0, untilMs - unixMs) + ports.random.next() * openingSpreadMs;
    return Math.min(intervalMs, Math.ceil(opensInMs));
  }

  async #cancel(url: string): Promise<void> {
    const cancel = await this.#tools.client.cancel(url);
    if (cancel.ok) this.#tools.happened({ kind: "cancelled", actionId: cancel.value.actionId });
    else this.#log("warn", `cancellation not read: ${cancel.reason}`);
  }

  /**
   * A link changes with its content, so what it led to is asked once, until a transfer fails or it
   * becomes old.
   */
  async #offer(link: string): Promise<void> {
    const { client, ports } = this.#tools;
    const nowMs = ports.clock.uptimeMs();
    const oldMs = this.#tools.waits() ? waitingReadMsMax : Number.POSITIVE_INFINITY;
    if (this.#read?.link !== link || nowMs - this.#read.readMs >= oldMs) {
      const parsed = parsedOf(await client.offer(link));
      if (!parsed.ok) return this.#refused(link, parsed);
      const { offer } = parsed;
      this.#read = { link, offer, readMs: nowMs };
    }
    this.#unreadable = 0;
    const { offer } = this.#read;
    if (offer.kind === "configuration") {
      // No firmware is wanted any more; what of it is under way ends.
      this.#tools.happened({ kind: "polled", offer: null });
      this.#tools.configurationOffered(offer);
      return;
    }
    this.#windowOpen = offer.windowOpen && offer.update !== "skip";
    const { actionId, version, fileHash, fileBytes, imageHash } = offer;
    const { approved, forced, retry } = offer;
    const address = client.addressOf(offer.url);
    const url = address.length <= urlLengthMax ? address : offer.url;
    this.#tools.happened({
      kind: "polled",
      offer: {
        source: { by: "server", actionId, url },
        version,
        fileHash,
        fileBytes,
        imageHash,
        approved,
        forced,
        retry,
      },
    });
  }

  /**
   * Tells of an offer that this device can make nothing of. What does not even name its action may
   * come from something on the way: it counts once it was read several times in a row. No answer at
   * all changes nothing.
   */
  #refused(link: string, parsed: Exclude<ReturnType<typeof parsedOf>, { ok: true }>): void {
    this.#log("warn", `offer not taken: ${parsed.reason}`);
    if (!isRefusal(parsed)) return;
    this.#unreadable += 1;
    if (parsed.actionId === null && this.#unreadable < unreadableMax) return;
    const actionId = parsed.actionId ?? actionIdOfLink(link);
    if (actionId !== null)
      this.#tools.happened({ kind: "offerRefused", actionId, reason: parsed.reason });
  }

  async #describe(url: string): Promise<void> {
    // A server that could not take them goes on asking for them.
    await this.#tools.client.configData(url, this.#tools.attributes());
  }

  #log(level: LogLevel, message: string): void {
    this.#tools.ports.log.write(level, message);
  }
}

function outcomeOf(reason: ServerFailure): PollOutcome {
  if (reason === "no-connection") return "unreachable";
  return reason === "server-error" ? "unavailable" : "refused";
}

type Unanswered = Extract<ServerResult<never>, { ok: false }>;

/**
 * A deployment that is too long to be read holds more than one image, or more words than any of
 * ours.
 */
function parsedOf(answer: ServerResult<ParsedOffer>): ParsedOffer | Unanswered {
  if (answer.ok) return answer.value;
  if (answer.reason !== "response-too-large") return answer;
  return { ok: false, reason: "unsupported-deployment", actionId: null };
}

function isRefusal(
  parsed: Exclude<ParsedOffer, { ok: true }> | Unanswered,
): parsed is Exclude<ParsedOffer, { ok: true }> {
  return "actionId" in parsed;
}

import { backoffMs, jitteredMs } from "../policy/retry.ts";
import type { LogLevel, TimerHandle } from "../ports/board.ts";
import type { Ports } from "../ports/ports.ts";
import {
  actionIdOfLink,
  artifactUrlLengthMax,
  type Deployment,
  type ParsedDeployment,
  type Poll,
} from "../protocol/ddi.ts";
import type { DdiClient, ServerResult } from "../transfer/ddi-client.ts";
import type { Event } from "./event.ts";
import type { Settings } from "./settings.ts";

/**
 * A trial has this many chances at least to reach the server, whatever waits the server asks for.
 */
const trialPollsMin = 6;

/** Polls in a row whose offer could not be read before the server is told. */
const unreadableMax = 3;

export interface PollerTools {
  readonly ports: Ports;
  readonly settings: Settings;
  readonly client: DdiClient;
  /** True while the running image waits for its health check. */
  onTrial(): boolean;
  /** Called with each answer before anything of it is followed. */
  reached(): void;
  /** What the server wants to know of the device. */
  attributes(): Readonly<Record<string, string>>;
  happened(event: Event): void;
  /** Sends the reports that wait. */
  report(): Promise<void>;
  /** Takes a promise that nobody waits for. */
  unattended(work: Promise<void>): void;
}

/**
 * Asks the server again and again, follows the links of its answers and tells what they lead to.
 */
export class Poller {
  readonly #tools: PollerTools;
  #timer: TimerHandle | null = null;
  #stopped = false;
  #failures = 0;
  #windowOpen = false;
  #unreadable = 0;
  #deployment: { readonly link: string; readonly deployment: Deployment } | null = null;

  constructor(tools: PollerTools) {
    this.#tools = tools;
  }

  /** Whether the server lets the device install now; false until it told. */
  get windowOpen(): boolean {
    return this.#windowOpen;
  }

  start(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#tools.ports.clock.after(delayMs, () => {
      this.#timer = null;
      this.#tools.unattended(this.#poll());
    });
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
    return this.#retryMs(failed.retryAfterMs);
  }

  /**
   * Behind the server's own time, so that a fleet that was told the same does not come back as one.
   */
  #retryMs(retryAfterMs: number | null): number {
    const { settings, ports, onTrial } = this.#tools;
    this.#failures += 1;
    const waitMs =
      (retryAfterMs ?? 0) + backoffMs(this.#failures, settings.pollBackoff, ports.random);
    return onTrial() ? Math.min(waitMs, Math.floor(settings.trialMs / trialPollsMin)) : waitMs;
  }

  /** Follows the links of a poll; answers the time to the next one. */
  async #answered(poll: Poll): Promise<number> {
    const { happened, onTrial, ports, reached, report } = this.#tools;
    this.#failures = 0;
    reached();
    if (onTrial()) {
      // What this answer offers was decided before the server could know that the trial went well:
      // the next poll asks.
      happened({ kind: "healthy" });
      return jitteredMs(poll.sleepSeconds * 1000, ports.random);
    }
    if (poll.configDataUrl !== null) await this.#describe(poll.configDataUrl);
    if (poll.cancelUrl !== null) await this.#cancel(poll.cancelUrl);
    else if (poll.deploymentUrl !== null) await this.#offer(poll.deploymentUrl);
    else happened({ kind: "polled", offer: null });
    await report();
    return jitteredMs(poll.sleepSeconds * 1000, ports.random);
  }

  async #cancel(url: string): Promise<void> {
    const cancel = await this.#tools.client.cancel(url);
    if (cancel.ok) this.#tools.happened({ kind: "cancelled", actionId: cancel.value.actionId });
    else this.#log("warn", `cancellation not read: ${cancel.reason}`);
  }

  /** A link changes with its content, so what it led to is asked once. */
  async #offer(link: string): Promise<void> {
    const { client, happened } = this.#tools;
    if (this.#deployment?.link !== link) {
      const parsed = parsedOf(await client.deployment(link));
      if (!parsed.ok) return this.#refused(link, parsed);
      const { deployment } = parsed;
      if (deployment.kind !== "firmware") {
        const { actionId } = deployment;
        return this.#refused(link, { ok: false, reason: "unsupported-deployment", actionId });
      }
      this.#deployment = { link, deployment };
    }
    this.#unreadable = 0;
    const { deployment } = this.#deployment;
    this.#windowOpen = deployment.windowOpen && deployment.update !== "skip";
    const { actionId, version, fileHash, fileBytes, imageHash } = deployment;
    const address = client.addressOf(deployment.url);
    const url = address.length <= artifactUrlLengthMax ? address : deployment.url;
    happened({
      kind: "polled",
      offer: { actionId, version, fileHash, fileBytes, imageHash, url },
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

type Unanswered = Extract<ServerResult<never>, { ok: false }>;

/**
 * A deployment that is too long to be read holds more than one image, or more words than any of
 * ours.
 */
function parsedOf(answer: ServerResult<ParsedDeployment>): ParsedDeployment | Unanswered {
  if (answer.ok) return answer.value;
  if (answer.reason !== "response-too-large") return answer;
  return { ok: false, reason: "unsupported-deployment", actionId: null };
}

function isRefusal(
  parsed: Exclude<ParsedDeployment, { ok: true }> | Unanswered,
): parsed is Exclude<ParsedDeployment, { ok: true }> {
  return "actionId" in parsed;
}

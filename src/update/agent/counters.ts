import type { LogLevel } from "../../ports/board.ts";
import type { Ports } from "../../ports/ports.ts";
import {
  applicationCountersMax,
  type CounterReport,
  countMax,
  encodeCounters,
  isCounterName,
} from "../../protocol/counters.ts";
import type { Poll } from "../../protocol/ddi.ts";
import type { DdiClient } from "../../transfer/ddi-client.ts";
import type { PollOutcome } from "../health/health-checks.ts";
import type { Situation } from "./situation.ts";
import type { Telemetry } from "./telemetry.ts";

const hourMs = 3_600_000;

export interface CountersTools {
  readonly ports: Ports;
  readonly client: DdiClient;
  readonly situation: Situation;
  readonly telemetry: Telemetry;
}

/**
 * Counts how the device is doing between two reports, at most hourly, to a server that takes them.
 * All of it is in memory: a restart loses what was not told but for its own reason, so the report
 * after one that nobody wanted is told at once.
 */
export class Counters {
  readonly #tools: CountersTools;
  #takesCounters = false;
  #stopped = false;
  #sleepSeconds = 0;
  #reached = false;
  #polledAtMs: number | null = null;
  #sinceMs = 0;
  /** When the next report is due, as uptime; null until the first answer of the boot. */
  #dueMs: number | null = null;
  #sequence = 0;
  #disconnects = 0;
  #heartbeatsMissed = 0;
  #errorLogs = 0;
  #freeBytesMin: number | null = null;
  /** At the begin of the span; null when it charged since. */
  #batteryPercent: number | null = null;
  #batteryNowPercent: number | null = null;
  readonly #application: Record<string, number> = {};

  constructor(tools: CountersTools) {
    this.#tools = tools;
  }

  logged(level: LogLevel): void {
    if (level === "error") this.#errorLogs += 1;
  }

  /** Throws RangeError for a name or number that no report can have, and for a name too many. */
  count(name: string, by: number): void {
    const before = this.#application[name];
    if (!isCounterName(name))
      throw new RangeError(`a counter cannot be named "${name}": a letter, then 31 of A-Za-z0-9_-`);
    if (!Number.isInteger(by) || by < 0)
      throw new RangeError(`${name} counts ${by}: give a whole number from 0`);
    if (before === undefined && Object.keys(this.#application).length >= applicationCountersMax)
      throw new RangeError(
        `${applicationCountersMax} counters may be named, "${name}" is one more`,
      );
    this.#application[name] = Math.min((before ?? 0) + by, countMax);
  }

  polled(outcome: PollOutcome): void {
    if (outcome === "unreachable" && this.#reached) this.#disconnects += 1;
    this.#reached = outcome !== "unreachable";
    this.#sample();
  }

  /** What the server answered: how long the device is to wait, and whether it takes counters. */
  answered({ sleepSeconds, takesCounters }: Poll): void {
    const nowMs = this.#tools.ports.clock.uptimeMs();
    if (this.#polledAtMs !== null && this.#sleepSeconds > 0) {
      const intervals = Math.round((nowMs - this.#polledAtMs) / (this.#sleepSeconds * 1000));
      this.#heartbeatsMissed += Math.max(0, intervals - 1);
    }
    this.#polledAtMs = nowMs;
    this.#sleepSeconds = sleepSeconds;
    this.#takesCounters = takesCounters;
    this.#dueMs ??= this.#firstDueMs(nowMs);
  }

  /** Sends a report that is due. */
  async flush(): Promise<void> {
    const { ports, client, telemetry } = this.#tools;
    const nowMs = ports.clock.uptimeMs();
    if (!this.#takesCounters || this.#stopped || this.#dueMs === null || nowMs < this.#dueMs)
      return;
    const drain =
      this.#batteryPercent === null || this.#batteryNowPercent === null
        ? null
        : Math.round(100 * (this.#batteryPercent - this.#batteryNowPercent)) / 100;
    const report: CounterReport = {
      id: `${telemetry.bootId}-${this.#sequence}`,
      spanMs: nowMs - this.#sinceMs,
      started: this.#sequence === 0 ? ports.reset.reason : null,
      disconnects: this.#disconnects,
      heartbeatsMissed: this.#heartbeatsMissed,
      errorLogs: this.#errorLogs,
      freeMemoryBytes: this.#freeBytesMin,
      batteryDrainPercent: drain,
      application: { ...this.#application },
    };
    this.#dueMs = nowMs + hourMs;
    const sent = await client.counters(encodeCounters(report));
    // What the server will never take would hold up all behind it.
    if (sent.ok || sent.reason === "response-invalid") this.#told(report, nowMs);
    else if (sent.retryAfterMs !== null) this.#dueMs = nowMs + sent.retryAfterMs;
  }

  /** No report begins any more. */
  leaving(): void {
    this.#stopped = true;
  }

  /**
   * A start that nobody wanted is told at once, lest the next one take it along. A device that
   * wakes for a poll lives no hour: it tells in so many of its wakes that it tells hourly.
   */
  #firstDueMs(nowMs: number): number {
    const { ports } = this.#tools;
    const { reason } = ports.reset;
    if (reason === "deep-sleep")
      return ports.random.next() * hourMs < this.#sleepSeconds * 1000 ? nowMs : nowMs + hourMs;
    return reason === "software" || reason === "power-on" ? hourMs : nowMs;
  }

  /** What was counted while the report travelled is left for the next one. */
  #told(report: CounterReport, nowMs: number): void {
    this.#sequence += 1;
    this.#sinceMs = nowMs;
    this.#disconnects -= report.disconnects;
    this.#heartbeatsMissed -= report.heartbeatsMissed;
    this.#errorLogs -= report.errorLogs;
    this.#freeBytesMin = null;
    this.#batteryPercent = this.#batteryNowPercent;
    for (const [name, count] of Object.entries(report.application))
      this.#application[name] = (this.#application[name] ?? 0) - count;
  }

  #sample(): void {
    const { ports, situation } = this.#tools;
    const memory = ports.memory?.read() ?? null;
    if (memory !== null) {
      const freeBytes = memory.limitBytes - memory.usedBytes;
      this.#freeBytesMin = Math.min(this.#freeBytesMin ?? freeBytes, freeBytes);
    }
    const { batteryPercent, charging } = situation.power();
    const before = this.#batteryNowPercent;
    const isUp = before !== null && batteryPercent !== null && batteryPercent > before;
    if (before === null && this.#sequence === 0) this.#batteryPercent = batteryPercent;
    if (charging || isUp) this.#batteryPercent = null;
    this.#batteryNowPercent = batteryPercent;
  }
}

import type { DdiClient } from "../../transfer/ddi-client.ts";
import type { Report } from "../machine/effect.ts";

/** Reports that wait for the server; beyond it the oldest intermediate one is dropped. */
export const reportsMax = 8;

export interface ReporterTools {
  readonly client: DdiClient;
  /** The server took a final report. */
  acknowledged(actionId: string): void;
}

/**
 * Delivers reports in order, one at a time. What cannot be delivered waits for the next `flush`; a
 * device that restarts forgets intermediate reports, and repeats final ones out of its journal.
 */
export class Reporter {
  readonly #tools: ReporterTools;
  #waiting: readonly Report[] = [];
  #sending: Promise<void> | null = null;

  constructor(tools: ReporterTools) {
    this.#tools = tools;
  }

  add(report: Report): void {
    const text = JSON.stringify(report);
    if (this.#waiting.some((waiting) => JSON.stringify(waiting) === text)) return;
    this.#waiting = [...this.#waiting, report];
    if (this.#waiting.length <= reportsMax) return;
    const oldest = this.#waiting.find((waiting) => !isFinal(waiting)) ?? this.#waiting[0];
    this.#waiting = this.#waiting.filter((waiting) => waiting !== oldest);
  }

  /** Sends what waits until one fails; a second call during it joins the first. */
  flush(): Promise<void> {
    if (this.#waiting.length === 0) return this.#sending ?? Promise.resolve();
    this.#sending ??= this.#sendAll();
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    try {
      // Bounded by the queue: each turn takes one report out or ends. Nothing may come between the
      // last look at the queue and the end, or a report added there would wait for a flush that
      // nobody calls.
      for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting)
        if (!(await this.#send(next))) return;
    } finally {
      this.#sending = null;
    }
  }

  /** False when the server cannot take it now. */
  async #send(report: Report): Promise<boolean> {
    const sent = await this.#tools.client.feedback(report.actionId, {
      execution: report.execution,
      finished: report.finished,
      details: detailsOf(report),
    });
    // Refused for what it says, it would be refused for ever, and hold up all behind it. It does
    // not count as told.
    const isRefused = !sent.ok && sent.reason === "response-invalid";
    if (!sent.ok && !isRefused) return false;
    this.#waiting = this.#waiting.filter((waiting) => waiting !== report);
    if (sent.ok && isFinal(report)) this.#tools.acknowledged(report.actionId);
    return true;
  }
}

function isFinal(report: Report): boolean {
  return report.execution === "closed";
}

function detailsOf(report: Report): string[] {
  const details = [`state=${report.state}`];
  if (report.version !== null) details.push(`version=${report.version}`);
  if (report.reason !== null) details.push(`reason=${report.reason}`);
  if (report.detail !== null) details.push(`detail=${report.detail}`);
  return details;
}

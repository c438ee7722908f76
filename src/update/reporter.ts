import type { DdiClient } from "../transfer/ddi-client.ts";
import type { Report } from "./effect.ts";

/** Reports that wait for the server; beyond it the oldest intermediate one is dropped. */
export const reportsMax = 16;

/**
 * Delivers reports in order, one at a time. What cannot be delivered waits for the next `flush`; a device that restarts
 * forgets intermediate reports, and repeats final ones out of its journal.
 */
export class Reporter {
  readonly #client: DdiClient;
  readonly #acknowledged: (actionId: string) => void;
  #waiting: Report[] = [];
  #sending: Promise<void> | null = null;

  constructor(client: DdiClient, acknowledged: (actionId: string) => void) {
    this.#client = client;
    this.#acknowledged = acknowledged;
  }

  add(report: Report): void {
    const text = JSON.stringify(report);
    if (this.#waiting.some((waiting) => JSON.stringify(waiting) === text)) return;
    this.#waiting.push(report);
    if (this.#waiting.length > reportsMax) this.#waiting.shift();
  }

  /** Sends what waits until one fails; a second call during it joins the first. */
  flush(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    // Bounded by the queue: each turn takes one report out or ends.
    for (;;) {
      const [report] = this.#waiting;
      if (report === undefined) return;
      const sent = await this.#client.feedback(report.actionId, {
        execution: report.execution,
        finished: report.finished,
        details: detailsOf(report),
      });
      if (!sent.ok) return;
      this.#waiting = this.#waiting.filter((waiting) => waiting !== report);
      if (report.execution === "closed") this.#acknowledged(report.actionId);
    }
  }
}

function detailsOf(report: Report): string[] {
  const details = [`state=${report.state}`, `version=${report.version}`];
  if (report.reason !== null) details.push(`reason=${report.reason}`);
  return details;
}

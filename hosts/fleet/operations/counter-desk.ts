import type { CounterReport } from "../rollout/counter-report.ts";
import type { CounterReportRow } from "../storage/counters.ts";
import { TooBusyError } from "../terms/faults.ts";
import type { DeviceEntry } from "./known-devices.ts";

export type CountersResult =
  | { readonly kind: "accepted" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "too-early"; readonly waitSeconds: number }
  | { readonly kind: "gone" };

export interface SentCounters {
  readonly entry: DeviceEntry;
  readonly report: CounterReport;
}

/** Writes reports in one transaction; answers for each of them, in their order. */
type WriteReports = (batch: readonly SentCounters[]) => Promise<readonly CountersResult[]>;

interface Waiting extends SentCounters {
  resolve(result: CountersResult): void;
  reject(error: unknown): void;
}

const reportsPerBatchMax = 100;
const reportsWaitingMax = 5000;

/**
 * Takes reports of counters. Those that come while others are written wait, and are written
 * together: each is answered once it is on the disk.
 */
export class CounterDesk {
  /** The last report of each device that was heard of; goes with the device. */
  readonly told = new WeakMap<DeviceEntry, CounterReportRow>();
  readonly #waiting: Waiting[] = [];
  #isWriting = false;

  receive(sent: SentCounters, write: WriteReports): Promise<CountersResult> {
    if (this.#waiting.length >= reportsWaitingMax)
      return Promise.reject(
        new TooBusyError(`${reportsWaitingMax} reports of counters wait already; ask again`),
      );
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...sent, resolve, reject });
      if (!this.#isWriting) void this.#writeAll(write);
    });
  }

  /** Bounded by what waits; a batch that fails is told to those who sent it. */
  async #writeAll(write: WriteReports): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, reportsPerBatchMax);
      try {
        const results = await write(batch);
        for (const [index, { resolve }] of batch.entries())
          resolve(results[index] ?? { kind: "gone" });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isWriting = false;
  }
}

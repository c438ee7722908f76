import { DevicePace } from "./device-pace.ts";
import type { DeviceEntry } from "./known-devices.ts";

/**
 * How often one device may have something written: with it, a device in a loop costs the others
 * nothing. Each pace is many times what an update takes.
 */
export class DevicePaces {
  readonly #posts = new DevicePace({ atOnceMax: 120, everyMs: 5000 });
  readonly #running = new DevicePace({ atOnceMax: 60, everyMs: 20_000 });
  readonly #nowMs: () => number;
  #refused = 0;

  /** `nowMs` only passes. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** How many posts were refused. */
  get refused(): number {
    return this.#refused;
  }

  /** 0 when it may post, and that is counted; else in how many whole seconds it may. */
  post(device: DeviceEntry): number {
    const waitMs = this.#posts.take(device, this.#nowMs());
    if (waitMs > 0) this.#refused += 1;
    return Math.ceil(waitMs / 1000);
  }

  /**
   * Counts a report that ends the action of the device, and is always taken: it ends it once, and
   * after one that gives the action up the next comes after a pause of hours.
   */
  end(device: DeviceEntry): void {
    this.#posts.take(device, this.#nowMs());
  }

  /** May another image that it says to run be noted now? Its next requests say it again. */
  mayTellRunning(device: DeviceEntry): boolean {
    return this.#running.take(device, this.#nowMs()) === 0;
  }
}

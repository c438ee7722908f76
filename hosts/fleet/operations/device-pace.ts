import type { DeviceEntry } from "./known-devices.ts";

/**
 * How often a device may have something done that costs more than an answer, as a signature does.
 */
export class DevicePace {
  readonly #atOnceMax: number;
  readonly #everyMs: number;
  /** When all that a device had used is given back; goes with the device. */
  readonly #fullAtMs = new WeakMap<DeviceEntry, number>();

  /** `atOnceMax` at once, and then one each `everyMs`. */
  constructor(options: { readonly atOnceMax: number; readonly everyMs: number }) {
    this.#atOnceMax = options.atOnceMax;
    this.#everyMs = options.everyMs;
  }

  /** 0 when it may, and that is counted; else in how many milliseconds it may. */
  take(device: DeviceEntry, nowMs: number): number {
    const fullAtMs = Math.max(this.#fullAtMs.get(device) ?? 0, nowMs) + this.#everyMs;
    const waitMs = fullAtMs - nowMs - this.#atOnceMax * this.#everyMs;
    if (waitMs > 0) return waitMs;
    this.#fullAtMs.set(device, fullAtMs);
    return 0;
  }
}

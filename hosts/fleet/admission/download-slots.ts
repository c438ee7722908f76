/** Nobody who downloads is silent for so long. */
const idleMsMax = 300_000;
/** How long a download takes, until one was seen. */
const firstGuessMs = 60_000;
/** The share of the newest download in what one is expected to take. */
const newestWeight = 0.1;

interface Slot {
  /** The limits that it counts for. */
  readonly keys: readonly string[];
  readonly sinceMs: number;
  touchedMs: number;
}

/**
 * Who downloads now, or was just sent for a file. A slot is free again when its device has the
 * file, gives up, or asked for nothing of it for five minutes.
 */
export class DownloadSlots<Device extends object> {
  /** In the order of their last sign of life. */
  readonly #slots = new Map<Device, Slot>();
  readonly #held = new Map<string, number>();
  #expectedMs = firstGuessMs;

  /** What a download is expected to take. */
  get expectedMs(): number {
    return this.#expectedMs;
  }

  held(key: string, nowMs: number): number {
    this.#freeVanished(nowMs);
    return this.#held.get(key) ?? 0;
  }

  has(device: Device, nowMs: number): boolean {
    this.#freeVanished(nowMs);
    return this.#slots.has(device);
  }

  take(device: Device, keys: readonly string[], nowMs: number): void {
    this.free(device);
    this.#slots.set(device, { keys, sinceMs: nowMs, touchedMs: nowMs });
    for (const key of keys) this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  /** Something of the file was asked for, or went out. */
  touch(device: Device, nowMs: number): void {
    const slot = this.#slots.get(device);
    if (slot === undefined) return;
    slot.touchedMs = nowMs;
    this.#slots.delete(device);
    this.#slots.set(device, slot);
  }

  /** The device has its file, at `nowMs`. */
  finish(device: Device, nowMs: number): void {
    const slot = this.#slots.get(device);
    if (slot === undefined) return;
    const tookMs = nowMs - slot.sinceMs;
    this.#expectedMs += (tookMs - this.#expectedMs) * newestWeight;
    this.free(device);
  }

  free(device: Device): void {
    const slot = this.#slots.get(device);
    if (slot === undefined) return;
    this.#slots.delete(device);
    for (const key of slot.keys) this.#held.set(key, (this.#held.get(key) ?? 1) - 1);
  }

  #freeVanished(nowMs: number): void {
    for (const [device, { touchedMs }] of this.#slots) {
      if (nowMs < touchedMs + idleMsMax) return;
      this.free(device);
    }
  }
}

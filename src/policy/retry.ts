import type { Random } from "../ports/board.ts";

/**
 * Doubling waits between attempts: 1, 2, 4 ... seconds up to the cap, each drawn uniformly from (0,
 * wait].
 */
export interface Backoff {
  readonly firstMs: number;
  readonly capMs: number;
}

export const defaultBackoff: Backoff = { firstMs: 1000, capMs: 300_000 };

const doublingsMax = 30;

/** `failures` counts from 1. Full jitter keeps a fleet from coming back in step after an outage. */
export function backoffMs(failures: number, backoff: Backoff, random: Random): number {
  const doublings = Math.min(Math.max(failures - 1, 0), doublingsMax);
  const ceilingMs = Math.min(backoff.capMs, backoff.firstMs * 2 ** doublings);
  return Math.max(1, Math.ceil(random.next() * ceilingMs));
}

/**
 * A poll interval spread by a tenth either way, so that devices that started together drift apart.
 */
export function jitteredMs(intervalMs: number, random: Random): number {
  return Math.round(intervalMs * (0.9 + 0.2 * random.next()));
}

import { networkOf } from "./attempts.ts";
import type { TokenKey } from "./tokens.ts";

/**
 * Wrong tokens of devices from one address that are only refused, and how fast they are forgotten.
 */
const atOnceMax = 100;
const everyMs = 500;
const addressesMax = 10_000;

/**
 * Counts wrong tokens of devices by the address that they come from, whatever device they name.
 * When they are too many, only devices are looked at that came from there before with their right
 * token, so that whoever tries all devices is slowed, and those behind the same address are not. A
 * right token takes nothing, and gives nothing back.
 */
export class AddressBudget {
  readonly #nowMs: () => number;
  readonly #seed: number;
  /** When all that was taken is given back. */
  readonly #fullAtMs = new Map<string, number>();

  /** `nowMs` only passes. */
  constructor(nowMs: () => number, tokens: TokenKey) {
    this.#nowMs = nowMs;
    this.#seed = Number.parseInt(tokens.mac("marks of networks").slice(0, 8), 16);
  }

  /**
   * 31 bits that know the network of an address again, over restarts, and do not tell where it is:
   * FNV-1a from a start that is the server's own. Devices keep it in memory, a million times.
   */
  mark(address: string | undefined): number {
    let mark = this.#seed;
    const network = networkOf(address);
    for (let index = 0; index < network.length; index += 1)
      mark = Math.imul(mark ^ network.charCodeAt(index), 0x01000193);
    return mark >>> 1;
  }

  get size(): number {
    return this.#fullAtMs.size;
  }

  /** In how many whole seconds the next token of a device that is not known there is looked at. */
  waitSeconds(address: string | undefined): number {
    const fullAtMs = this.#fullAtMs.get(networkOf(address));
    if (fullAtMs === undefined) return 0;
    const waitMs = fullAtMs + everyMs - this.#nowMs() - atOnceMax * everyMs;
    return Math.max(0, Math.ceil(waitMs / 1000));
  }

  fail(address: string | undefined): void {
    const network = networkOf(address);
    const nowMs = this.#nowMs();
    const fullAtMs = Math.max(this.#fullAtMs.get(network) ?? 0, nowMs) + everyMs;
    this.#fullAtMs.delete(network); // the newest is last, so that the first is the oldest
    if (this.#fullAtMs.size >= addressesMax)
      for (const oldest of this.#fullAtMs.keys()) {
        this.#fullAtMs.delete(oldest);
        break;
      }
    // Known devices may go on with wrong ones, at the pace of their own: no debt without end.
    this.#fullAtMs.set(network, Math.min(fullAtMs, nowMs + atOnceMax * everyMs));
  }
}

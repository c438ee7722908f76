import { isIPv6 } from "node:net";

/** Wrong tokens in a row that are only refused. */
const freeAttempts = 5;
const firstPauseMs = 1000;
const pauseMsMax = 30_000;
/** Without another wrong one for so long, all is forgotten. */
const forgetAfterMs = 10 * 60_000;
const keysMax = 10_000;
/** Told in log and events, in all, within an hour. */
const notesMax = 200;
const notesWindowMs = 3600_000;

interface Attempts {
  failures: number;
  /** Monotonic. */
  lastMs: number;
}

/** What follows from a wrong token. */
export interface Failure {
  readonly failures: number;
  /** The failure is worth a line: the first one, and whenever their number has doubled. */
  readonly isNoted: boolean;
}

/**
 * Slows whoever guesses tokens: after a few wrong ones from an address, each next one is looked at
 * after a pause only, which doubles. A right one is never kept waiting longer than the longest
 * pause, since somebody else may use the same address.
 */
export class AttemptGuard {
  readonly #attempts = new Map<string, Attempts>();
  readonly #nowMs: () => number;
  #notes = 0;
  #notesSinceMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** How long until a token for this subject is looked at again, in whole seconds; 0 for now. */
  pauseSeconds(subject: string, address: string | undefined): number {
    const known = this.#attempts.get(keyOf(subject, address));
    if (known === undefined || known.failures < freeAttempts) return 0;
    const pauseMs = Math.min(firstPauseMs * 2 ** (known.failures - freeAttempts), pauseMsMax);
    return Math.max(0, Math.ceil((known.lastMs + pauseMs - this.#nowMs()) / 1000));
  }

  fail(subject: string, address: string | undefined): Failure {
    const key = keyOf(subject, address);
    const nowMs = this.#nowMs();
    const before = this.#attempts.get(key);
    const isOver = before === undefined || nowMs - before.lastMs > forgetAfterMs;
    const failures = isOver ? 1 : before.failures + 1;
    this.#attempts.delete(key); // the newest is last, so that the first is the oldest
    if (this.#attempts.size >= keysMax)
      for (const oldest of this.#attempts.keys()) {
        this.#attempts.delete(oldest);
        break;
      }
    this.#attempts.set(key, { failures, lastMs: nowMs });
    const isDoubled = (failures & (failures - 1)) === 0;
    return { failures, isNoted: isDoubled && this.#mayNote(nowMs) };
  }

  succeed(subject: string, address: string | undefined): void {
    if (this.#attempts.size > 0) this.#attempts.delete(keyOf(subject, address));
  }

  #mayNote(nowMs: number): boolean {
    if (nowMs - this.#notesSinceMs > notesWindowMs) {
      this.#notesSinceMs = nowMs;
      this.#notes = 0;
    }
    this.#notes += 1;
    return this.#notes <= notesMax;
  }
}

function keyOf(subject: string, address: string | undefined): string {
  return `${networkOf(address)} ${subject}`;
}

/** One customer has a whole /64 of IPv6 (RFC 6177). */
export function networkOf(address = ""): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const [head = "", tail = ""] = address.split("::");
  const groups = head.split(":");
  const missing = 8 - groups.length - (tail === "" ? 0 : tail.split(":").length);
  const all = address.includes("::") ? [...groups, ...Array(missing).fill("0"), tail] : groups;
  return `${all.slice(0, 4).join(":")}::/64`;
}

import { closeSync, openSync, readSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** What a thread's turns came to while it was watched. */
export interface Turns {
  readonly count: number;
  /** Processor time of the whole process. */
  readonly cpuMs: number;
  /**
   * The longest turn without the time in which the system let other programs run: what the thread
   * worked and waited by itself, which is the same on a loaded machine.
   */
  readonly longestMs: number;
  /** The most that one turn took of the processor, whatever it waited for. */
  readonly longestWorkMs: number;
  /** The same with that time, as clients saw it (`monitorEventLoopDelay`). */
  readonly longestDelayMs: number;
}

/** Long enough for three numbers of the kernel. */
const statBytes = 128;

/**
 * Watches each turn of the event loop of a process's first thread. The loop never sleeps meanwhile,
 * so that a turn is only what was done in it.
 */
export class TurnWatch {
  readonly #stat: number | null;
  readonly #buffer = Buffer.alloc(statBytes);
  readonly #delay = monitorEventLoopDelay({ resolution: 1 });
  #isOn = true;
  #count = 0;
  #longestMs = 0;
  #longestWorkMs = 0;
  #startCpuMs = cpuMs();
  #lastMs: number;
  #lastWorkMs: number;

  constructor() {
    this.#stat = openStat();
    this.#delay.enable();
    this.#lastMs = this.#ownMs();
    this.#lastWorkMs = this.#workMs();
    const turn = (): void => {
      if (!this.#isOn) return;
      const nowMs = this.#ownMs();
      this.#count += 1;
      this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
      const workMs = this.#workMs();
      this.#longestWorkMs = Math.max(this.#longestWorkMs, workMs - this.#lastWorkMs);
      this.#lastWorkMs = workMs;
      setImmediate(turn);
    };
    setImmediate(turn);
  }

  /** The turns so far; the next ones are counted anew. */
  take(): Turns {
    const turns = {
      count: this.#count,
      cpuMs: cpuMs() - this.#startCpuMs,
      longestMs: this.#longestMs,
      longestWorkMs: this.#longestWorkMs,
      longestDelayMs: this.#delay.max / 1e6,
    };
    this.#count = 0;
    this.#longestMs = 0;
    this.#longestWorkMs = 0;
    this.#startCpuMs = cpuMs();
    this.#delay.reset();
    this.#lastMs = this.#ownMs();
    this.#lastWorkMs = this.#workMs();
    return turns;
  }

  close(): void {
    this.#isOn = false;
    this.#delay.disable();
    if (this.#stat !== null) closeSync(this.#stat);
  }

  /** The processor time of the thread, as `#ownMs` has read it last. */
  #workMs(): number {
    return this.#stat === null ? this.#ownMs() : firstNumber(this.#buffer) / 1e6;
  }

  /**
   * Without the kernel's numbers it is the processor time alone, in which no wait for a disk shows.
   */
  #ownMs(): number {
    if (this.#stat === null) {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    }
    const length = readSync(this.#stat, this.#buffer, 0, statBytes, 0);
    return performance.now() - secondNumber(this.#buffer, length) / 1e6;
  }
}

/** The first number of a line of the kernel. */
function firstNumber(line: Buffer): number {
  let value = 0;
  for (const digit of line) {
    if (digit < 0x30 || digit > 0x39) return value;
    value = value * 10 + digit - 0x30;
  }
  return value;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Reads the second number of a line; makes no text of it, which would have to be collected in each
 * turn.
 */
function secondNumber(line: Buffer, length: number): number {
  let value = 0;
  for (let index = line.indexOf(0x20) + 1; index < length; index += 1) {
    const digit = (line[index] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return value;
}

/** Linux: processor time, time in which the thread could run and did not, and how often it ran. */
function openStat(): number | null {
  try {
    return openSync("/proc/self/schedstat", "r");
  } catch {
    return null; // another system
  }
}

import { setTimeout as pause } from "node:timers/promises";
import type { ConnectionEnd, Target } from "./connection.ts";
import { SerialNetwork } from "./serial-network.ts";
import { SerialPort, SerialPortError } from "./serial-port.ts";

/** `current-speed` of the boards with a wire (boards/*_serial/board.overlay). */
export const wireBaud = 3_000_000;

export interface BoardLinkOptions {
  readonly path: string;
  readonly baud: number;
  /** The fleet server: where every connection of the board leads, and the only place. */
  readonly target: Target;
  /** What happens, a line at a time. */
  say(line: string): void;
  readonly signal: AbortSignal;
}

/** Between two looks for a port that is gone. */
const reopenMs = 1000;
/** Bytes without one frame in them: no board sends at this speed, or it is another port of it. */
const noiseBytesMax = 4096;

/** What the board did over the whole link. */
interface Carried {
  connections: number;
  toBoardBytes: number;
  toServerBytes: number;
}

/**
 * Serves a board's wire until the signal: opens its port, opens it again when it was unplugged, and
 * tells what a person at the desk has to know. Throws `SerialPortError` for a port that cannot be
 * opened the first time.
 */
export async function linkBoard(options: BoardLinkOptions): Promise<void> {
  const { path, target, say, signal } = options;
  const carried: Carried = { connections: 0, toBoardBytes: 0, toServerBytes: 0 };
  const words = new LinkWords(options, carried);
  let session = await LinkSession.open(options, words);
  say(`${path}: open at ${options.baud} baud; the board's connections go to ${nameOf(target)}`);
  // Bounded by the signal.
  while (!signal.aborted) {
    const why = await session.over;
    await session.close();
    if (why === null) break;
    say(`${path}: ${why}; waiting for it`);
    const next = await reopened(options, words);
    if (next === null) break;
    session = next;
    say(`${path}: open again`);
  }
  const { connections, toBoardBytes, toServerBytes } = carried;
  say(
    `carried ${connections} connections, ${toBoardBytes} bytes to the board, ${toServerBytes} from it`,
  );
}

/** Null when the signal came first. */
async function reopened(options: BoardLinkOptions, words: LinkWords): Promise<LinkSession | null> {
  while (!options.signal.aborted) {
    await pause(reopenMs, undefined, { signal: options.signal }).catch(() => {}); // looked at above
    if (options.signal.aborted) return null;
    try {
      return await LinkSession.open(options, words);
    } catch (error) {
      if (!(error instanceof SerialPortError)) throw error; // else it is not back yet
    }
  }
  return null;
}

/** One opening of the port. */
class LinkSession {
  /** Why the port is gone, or null at the signal. */
  readonly over: Promise<string | null>;
  readonly #network: SerialNetwork;
  #port: SerialPort | null = null;
  readonly #signal: AbortSignal;
  #end: (why: string | null) => void = () => {};
  readonly #aborted = (): void => this.#end(null);

  static async open(options: BoardLinkOptions, words: LinkWords): Promise<LinkSession> {
    const session = new LinkSession(options, words);
    session.#port = await SerialPort.open({
      path: options.path,
      baud: options.baud,
      received: (bytes) => {
        words.received(bytes.length);
        session.#network.take(bytes);
      },
      lost: (why) => session.#end(why),
    });
    options.signal.addEventListener("abort", session.#aborted, { once: true });
    if (options.signal.aborted) session.#end(null);
    return session;
  }

  private constructor(options: BoardLinkOptions, words: LinkWords) {
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#signal = options.signal;
    this.#network = new SerialNetwork({
      write: (bytes) => this.#port?.write(bytes),
      targetOf: () => options.target,
      heard: () => words.heard(),
      ended: (end) => words.ended(end),
    });
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#aborted);
    this.#network.close();
    await this.#port?.close();
  }
}

/** Says each thing when it begins and when it is over, not at each turn. */
class LinkWords {
  readonly #options: BoardLinkOptions;
  readonly #carried: Carried;
  #isHeard = false;
  #noiseBytes = 0;
  #failure: string | null = null;

  constructor(options: BoardLinkOptions, carried: Carried) {
    this.#options = options;
    this.#carried = carried;
  }

  received(bytes: number): void {
    if (this.#noiseBytes > noiseBytesMax) return;
    this.#noiseBytes += bytes;
    if (this.#noiseBytes > noiseBytesMax)
      this.#options.say(
        `${this.#options.path}: what comes is no frame: is it the board's console, or is its speed another (--baud)?`,
      );
  }

  heard(): void {
    this.#noiseBytes = 0;
    if (!this.#isHeard) this.#options.say("the board is there");
    this.#isHeard = true;
  }

  ended({ isReached, failure, toBoardBytes, toServerBytes }: ConnectionEnd): void {
    if (!isReached && failure === null) return;
    this.#carried.connections += isReached ? 1 : 0;
    this.#carried.toBoardBytes += toBoardBytes;
    this.#carried.toServerBytes += toServerBytes;
    if (failure === this.#failure) return;
    const name = nameOf(this.#options.target);
    this.#options.say(
      failure === null
        ? `${name} answers again`
        : `${name} cannot be reached (${failure}): is the fleet server running there?`,
    );
    this.#failure = failure;
  }
}

function nameOf({ host, port }: Target): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

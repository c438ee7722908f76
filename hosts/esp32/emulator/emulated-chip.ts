import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SerialNetwork } from "../wire/serial-network.ts";

export interface EmulatedChipOptions {
  /** The program that the variable ESP32_EMULATOR names; README.md has its contract. */
  readonly emulator: string;
  /** The whole flash of the chip; the emulator writes into it. */
  readonly flashFile: string;
  readonly seed?: number;
  /** Every line of the console, as it comes. */
  onLine?(line: string): void;
  /**
   * Takes what the chip puts on its second serial line; `network` then stands beside it and hears
   * nothing.
   */
  onSerial?(bytes: Buffer): void;
  /**
   * Ports of servers that are elsewhere on this machine by now: as the chip knows them, as they
   * are.
   */
  readonly movedPorts?: ReadonlyMap<number, number>;
}

const socketWaitMs = 15_000;
const socketPollMs = 20;
const lastWordsMs = 2000;

/** Emulators that run; none may outlive this process. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) kill(child);
});

/** One power-on of an emulated chip: its console, its network, and the switch. */
export class EmulatedChip {
  readonly lines: string[] = [];
  readonly network: SerialNetwork;
  /** Settles when the emulator is gone. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #console: Socket;
  readonly #serial: Socket;
  readonly #directory: string;
  #partial = "";
  readonly #options: EmulatedChipOptions;
  readonly #waiting = new Set<() => void>();

  static async powerOn(options: EmulatedChipOptions): Promise<EmulatedChip> {
    const directory = mkdtempSync(join(tmpdir(), "sluice-chip-"));
    const consolePath = join(directory, "console");
    const serialPath = join(directory, "serial2");
    const seed = options.seed === undefined ? [] : ["--seed", String(options.seed)];
    const parameters = ["--flash", options.flashFile, "--console", consolePath];
    const child = spawn(options.emulator, [...parameters, "--serial2", serialPath, ...seed], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true, // a group of its own, so that a script around the emulator ends with it
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    const complaints: string[] = [];
    child.once("error", (error) => complaints.push(error.message));
    child.stderr?.on("data", (part: Buffer) => complaints.push(part.toString("utf8")));
    try {
      const sockets = [await socketAt(consolePath, child), await socketAt(serialPath, child)];
      return new EmulatedChip(options, child, sockets as [Socket, Socket], directory);
    } catch (error) {
      kill(child);
      rmSync(directory, { recursive: true, force: true });
      throw new Error(`${String(error)}\n${complaints.join("").slice(-2000)}`);
    }
  }

  private constructor(
    options: EmulatedChipOptions,
    child: ChildProcess,
    [consoleSocket, serial]: readonly [Socket, Socket],
    directory: string,
  ) {
    this.#options = options;
    this.#child = child;
    this.#directory = directory;
    this.#console = consoleSocket;
    this.#serial = serial;
    this.network = new SerialNetwork({
      write: (bytes) => void serial.write(bytes),
      targetOf: (port) => ({
        host: "127.0.0.1",
        port: options.movedPorts?.get(port) ?? port,
      }),
    });
    serial.on("data", (bytes: Buffer) => {
      if (options.onSerial === undefined) this.network.take(bytes);
      else options.onSerial(bytes);
    });
    consoleSocket.on("data", (bytes: Buffer) => this.#take(bytes.toString("latin1")));
    // A line whose chip lost its power ends with an error, or without: the exit of the emulator
    // tells.
    for (const socket of [consoleSocket, serial]) socket.on("error", () => {});
    const exit = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      if (child.exitCode !== null || child.signalCode !== null) resolve();
    });
    // The last words may still be on their way when it is gone.
    const silence = new Promise<void>((resolve) => {
      consoleSocket.once("close", () => resolve());
      void exit.then(() => setTimeout(resolve, lastWordsMs).unref());
    });
    this.ended = Promise.all([exit, silence]).then(() => {});
  }

  /** Raw bytes from the console, for a protocol on it. */
  onConsoleData(received: (bytes: Buffer) => void): void {
    this.#console.on("data", received);
  }

  /** Puts bytes on the console's line. */
  type(bytes: Uint8Array): void {
    this.#console.write(bytes);
  }

  /** Puts bytes on the chip's second serial line. */
  putOnSerial(bytes: Uint8Array): void {
    this.#serial.write(bytes);
  }

  /**
   * The first line from `fromLine` on that matches; rejects when it takes too long or the chip is
   * gone.
   */
  waitFor(pattern: RegExp, options: { timeoutMs: number; fromLine?: number }): Promise<string> {
    const { timeoutMs, fromLine = 0 } = options;
    let next = fromLine;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        act();
      };
      const look = (): void => {
        for (; next < this.lines.length; next += 1) {
          const line = this.lines[next] ?? "";
          if (!pattern.test(line)) continue;
          settle(() => resolve(line));
          return;
        }
      };
      const failed = (why: string): void =>
        settle(() =>
          reject(new Error(`${why} ${pattern}; last lines:\n${this.lines.slice(-12).join("\n")}`)),
        );
      const timer = setTimeout(() => failed(`${timeoutMs} ms without`), timeoutMs);
      this.#waiting.add(look);
      void this.ended.then(() => failed("the chip lost its power before"));
      look();
    });
  }

  /** Takes the power, at once. */
  async powerOff(): Promise<void> {
    this.network.close();
    kill(this.#child);
    await this.ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #take(text: string): void {
    const parts = (this.#partial + text).split("\n");
    this.#partial = parts.pop() ?? "";
    for (const part of parts) {
      const line = part.replace(/\r$/, "");
      this.lines.push(line);
      this.#options.onLine?.(line);
    }
    for (const look of [...this.#waiting]) look();
  }
}

/** The whole group of an emulator. */
function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL"); // the group is gone already, or was never made
  }
}

/** Connects as soon as the emulator listens. */
async function socketAt(path: string, child: ChildProcess): Promise<Socket> {
  for (let waitedMs = 0; waitedMs < socketWaitMs; waitedMs += socketPollMs) {
    if (child.pid === undefined) throw new Error("the emulator does not start");
    if (child.exitCode !== null) throw new Error(`the emulator ended with ${child.exitCode}`);
    if (existsSync(path)) {
      const socket = await attempt(path);
      if (socket !== null) return socket;
    }
    await new Promise((resolve) => setTimeout(resolve, socketPollMs));
  }
  throw new Error(`the emulator made no socket ${path} within ${socketWaitMs} ms`);
}

function attempt(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(null));
  });
}

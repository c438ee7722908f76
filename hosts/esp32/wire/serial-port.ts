import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export interface SerialPortOptions {
  /** The path of the port, such as /dev/ttyUSB1. */
  readonly path: string;
  readonly baud: number;
  /** Bytes from the line; they are another's as soon as this returns. */
  received(bytes: Uint8Array): void;
  /** The port is gone, once: unplugged, or an error of the system. Not after `close`. */
  lost(why: string): void;
}

/** Why a port cannot be had, with the next step. */
export class SerialPortError extends Error {
  override readonly name = "SerialPortError";
}

/**
 * More than that waiting for the line, and what is written is dropped, as a full network card does.
 */
const queuedBytesMax = 64 * 1024;
const readBytes = 4096;
/** What `stty time 1` makes of a read without bytes, less what a clock may be off. */
const silentReadMs = 50;
/** Before the next look at a port that answers at once with nothing, or takes nothing. */
const pauseMs = 5;
const sttyMs = 5000;

/**
 * A serial port by the system's own means: `stty` sets it, files read and write it. A read ends
 * after a tenth of a second without bytes, and a write never waits, so that nothing here can hold
 * up the end of the program.
 */
export class SerialPort {
  readonly #options: SerialPortOptions;
  readonly #reader: FileHandle;
  readonly #writer: FileHandle;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writing: Promise<void> | null = null;
  #isClosed = false;
  readonly #reading: Promise<void>;
  /** Bytes that found no room on the line. */
  droppedBytes = 0;

  /** Throws `SerialPortError`. */
  static async open(options: SerialPortOptions): Promise<SerialPort> {
    const { path, baud } = options;
    const flags = constants.O_RDWR | constants.O_NOCTTY;
    // Without waiting for a carrier: a port that nobody has set yet may ask for one.
    const writer = await open(path, flags | constants.O_NONBLOCK).catch((error) => {
      throw new SerialPortError(openFailure(path, error));
    });
    try {
      if (!(await writer.stat()).isCharacterDevice())
        throw new SerialPortError(`${path} is no serial port`);
      await configure(path, baud); // while it is held open: some drivers forget at the last close
      return new SerialPort(options, await open(path, flags), writer);
    } catch (error) {
      await writer.close();
      throw error instanceof SerialPortError
        ? error
        : new SerialPortError(openFailure(path, error as NodeJS.ErrnoException));
    }
  }

  private constructor(options: SerialPortOptions, reader: FileHandle, writer: FileHandle) {
    this.#options = options;
    this.#reader = reader;
    this.#writer = writer;
    this.#reading = this.#readAll().catch((error) => this.#lose(error));
  }

  /** Puts bytes on the line in the order of the calls; drops them when too much waits. */
  write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#queuedBytes + bytes.length > queuedBytesMax) {
      this.droppedBytes += bytes.length;
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#writing ??= this.#writeAll()
      .catch((error) => this.#lose(error))
      .finally(() => {
        this.#writing = null;
      });
  }

  /** Resolves once nothing of the port is open any more; what waited is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#reading, this.#writing]);
    await Promise.all([this.#reader.close(), this.#writer.close()]);
  }

  async #readAll(): Promise<void> {
    const buffer = new Uint8Array(readBytes);
    while (!this.#isClosed) {
      const startedMs = performance.now();
      const { bytesRead } = await this.#reader.read(buffer, 0, buffer.length, null);
      if (this.#isClosed) return;
      if (bytesRead > 0) this.#options.received(buffer.subarray(0, bytesRead));
      else if (performance.now() - startedMs < silentReadMs) await this.#lookAtPort();
    }
  }

  /** A port that was unplugged reads as empty without the wait, for ever. */
  async #lookAtPort(): Promise<void> {
    const [here, there] = await Promise.all([this.#reader.stat(), stat(this.#options.path)]);
    if (here.rdev !== there.rdev || here.ino !== there.ino) throw new Error("it was unplugged");
    await pause(pauseMs);
  }

  async #writeAll(): Promise<void> {
    // Bounded by the queue, and by whoever closes a port that takes nothing.
    for (let [next] = this.#queue; next !== undefined && !this.#isClosed; [next] = this.#queue) {
      const bytesWritten = await this.#writer.write(next).then(
        (result) => result.bytesWritten,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== "EAGAIN") throw error;
          return 0;
        },
      );
      this.#queuedBytes -= bytesWritten;
      if (bytesWritten === next.length) this.#queue.shift();
      else this.#queue[0] = next.subarray(bytesWritten);
      if (bytesWritten === 0) await pause(pauseMs);
    }
  }

  #lose(error: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.lost(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Eight bits, no flow control, every byte as it is; reads end after a tenth of a second of silence.
 */
const lineSettings =
  "raw cs8 -cstopb -parenb -crtscts clocal -hupcl -echo -echoe -echok -iexten -ixoff min 0 time 1";

function configure(path: string, baud: number): Promise<void> {
  const device = process.platform === "linux" ? "-F" : "-f";
  return new Promise((resolve, reject) => {
    execFile(
      "stty",
      [device, path, String(baud), ...lineSettings.split(" ")],
      { timeout: sttyMs, env: { ...process.env, LC_ALL: "C" } },
      (error, _, said) => {
        if (error === null) resolve();
        else if ((error as NodeJS.ErrnoException).code === "ENOENT")
          reject(new SerialPortError("there is no stty here: serial ports need Linux or macOS"));
        else
          reject(
            new SerialPortError(
              `${path} cannot be set to ${baud} baud (${said.trim() || error.message}): give --baud what the adapter can, and the board the same`,
            ),
          );
      },
    );
  });
}

function openFailure(path: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT" || code === "ENXIO" || code === "ENODEV")
    return `there is no port ${path}: plug the adapter in; "ls /dev/tty*" shows what there is`;
  if (code === "EACCES" || code === "EPERM")
    return `no rights on ${path}: on Linux add yourself to its group (sudo usermod -aG dialout $USER) and log in again`;
  if (code === "EBUSY") return `${path} is taken by another program: end it first`;
  return `${path} cannot be opened: ${message}`;
}

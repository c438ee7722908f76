import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

const answerBytesMax = 64 * 1024;

/** How a program that was asked something ended. */
export type ProgramEnd =
  | {
      readonly kind: "ended";
      /** Null when a signal ended it. */
      readonly status: number | null;
      readonly signal: NodeJS.Signals | null;
      readonly output: Buffer;
      readonly errors: Buffer;
    }
  | { readonly kind: "not-started"; readonly code: string }
  | { readonly kind: "too-late"; readonly waitedMs: number }
  | { readonly kind: "too-long"; readonly bytesMax: number };

export interface ProgramQuestion {
  readonly command: string;
  readonly argv: readonly string[];
  readonly input: Uint8Array;
  readonly environment: Readonly<Record<string, string>>;
  readonly waitMs: number;
}

/** The programs that a thread has started and not heard the end of. */
export class RunningPrograms {
  readonly #running = new Set<ChildProcessWithoutNullStreams>();
  /**
   * A program gets a group of its own, so that what it started ends with it. At a terminal it does
   * not: it may have to ask the person there, which only the terminal's own group can.
   */
  readonly #areGroups = !hasTerminal();

  run({ command, argv, input, environment, waitMs }: ProgramQuestion): Promise<ProgramEnd> {
    const env = { ...process.env, ...environment };
    const child = spawn(command, argv, { env, stdio: "pipe", detached: this.#areGroups });
    this.#running.add(child);
    return this.#answer(child, input, waitMs).finally(() => {
      this.#running.delete(child);
      // What it started itself may hold the pipes after it was killed.
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
    });
  }

  /** Kills what runs: each then answers as ended by a signal. */
  end(): void {
    for (const child of this.#running) this.#kill(child);
  }

  #kill(child: ChildProcessWithoutNullStreams): void {
    const { pid, exitCode, signalCode } = child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return; // it is over
    if (!this.#areGroups) child.kill("SIGKILL");
    else
      try {
        process.kill(-pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has just ended
      }
  }

  #answer(
    child: ChildProcessWithoutNullStreams,
    input: Uint8Array,
    waitMs: number,
  ): Promise<ProgramEnd> {
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    return new Promise((resolve) => {
      const stop = (end: ProgramEnd): void => {
        clearTimeout(timer);
        this.#kill(child);
        resolve(end);
      };
      const timer = setTimeout(() => stop({ kind: "too-late", waitedMs: waitMs }), waitMs);
      let bytes = 0;
      const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytesMax) stop({ kind: "too-long", bytesMax: answerBytesMax });
        else chunks.push(chunk);
      };
      child.stdout.on("data", keep(output));
      child.stderr.on("data", keep(errors));
      child.on("error", (error: NodeJS.ErrnoException) =>
        stop({ kind: "not-started", code: error.code ?? error.message }),
      );
      const ended = (status: number | null, signal: NodeJS.Signals | null): void => {
        clearTimeout(timer);
        resolve({
          kind: "ended",
          status,
          signal,
          output: Buffer.concat(output),
          errors: Buffer.concat(errors),
        });
      };
      child.on("close", ended);
      // A killed program's children may keep its pipes open: nothing more is wanted of them.
      child.on("exit", (status, signal) => {
        if (signal !== null) ended(status, signal);
      });
      child.stdin.on("error", () => {}); // it ended without reading the digest; its end says more
      child.stdin.end(input);
    });
  }
}

/** Is there a person whom a program could ask? Windows has neither such terminals nor groups. */
function hasTerminal(): boolean {
  if (process.platform === "win32") return true;
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false; // without a controlling terminal nobody can open it
  }
}

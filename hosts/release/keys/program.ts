import { Thread } from "../../threads/thread.ts";
import type { ProgramEnd, ProgramQuestion } from "./running-programs.ts";

/** A person may have to touch a token or approve in a console. */
const answerMsMax = 120_000;

/**
 * Programs that answer on their standard output, in a bounded time and length. Nothing else waits
 * for them: a server goes on serving while its key service takes a second, and while a busy system
 * takes its time to start a program, which holds the thread that asks for it.
 */
export class Programs {
  readonly #waitMs: number;
  readonly #thread = new Thread<ProgramQuestion | "end", ProgramEnd | null>(
    new URL("./program-thread.ts", import.meta.url),
    "starts programs",
  );
  #running = 0;

  constructor(waitMs = answerMsMax) {
    this.#waitMs = waitMs;
  }

  async run(
    command: string,
    argv: readonly string[],
    input: Uint8Array,
    environment: Readonly<Record<string, string>>,
  ): Promise<ProgramEnd> {
    this.#running += 1;
    try {
      const waitMs = this.#waitMs;
      const end = await this.#thread.ask({ command, argv, input, environment, waitMs });
      if (end === null) throw new Error("a program was answered as none");
      if (end.kind !== "ended") return end;
      // From another thread they come as plain bytes.
      return { ...end, output: Buffer.from(end.output), errors: Buffer.from(end.errors) };
    } finally {
      this.#running -= 1;
    }
  }

  /** Kills what runs: each then answers as ended by a signal. */
  end(): void {
    if (this.#running === 0) return;
    this.#thread.ask("end").catch(() => {}); // a thread that is gone runs nothing
  }
}

import { parentPort, Worker } from "node:worker_threads";

interface Asked<Question> {
  readonly id: number;
  readonly question: Question;
}

interface Answered<Answer> {
  readonly id: number;
  readonly answer: Answer;
}

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** The thread was ended, by its owner or by the system, before it answered. */
export class ThreadEndedError extends Error {
  override readonly name = "ThreadEndedError";
}

/**
 * A thread beside the one that asks it. It is started by the first question, and again after it
 * ended; it keeps no process alive that waits for no answer. How many questions may wait is the
 * caller's to see to.
 */
export class Thread<Question, Answer> {
  readonly #script: URL;
  readonly #what: string;
  readonly #waiting = new Map<number, Waiting<Answer>>();
  #worker: Worker | null = null;
  #asked = 0;

  /** `what` it does: "checks images". */
  constructor(script: URL, what: string) {
    this.#script = script;
    this.#what = what;
  }

  ask(question: Question): Promise<Answer> {
    const worker = this.#ready();
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      worker.postMessage({ id, question } satisfies Asked<Question>);
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    await worker?.terminate();
    if (this.#worker === worker) this.#worker = null; // else it is one that was started since
  }

  #ready(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(this.#script);
    worker.unref();
    worker.on("message", ({ id, answer }: Answered<Answer>) => {
      this.#waiting.get(id)?.resolve(answer);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
    });
    const ended = (): Error => new ThreadEndedError(`the thread that ${this.#what} has ended`);
    worker.on("error", (error: NodeJS.ErrnoException) =>
      this.#end(worker, error.code === "ERR_WORKER_OUT_OF_MEMORY" ? ended() : error),
    );
    worker.on("exit", () => this.#end(worker, ended()));
    this.#worker = worker;
    return worker;
  }

  #end(worker: Worker, error: Error): void {
    if (this.#worker !== worker && this.#worker !== null) return;
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** The other end, in the thread's script: answers each question, several at once when it waits. */
export function answerQuestions<Question, Answer>(
  answerOf: (question: Question) => Answer | Promise<Answer>,
): void {
  parentPort?.on("message", async ({ id, question }: Asked<Question>) => {
    // What is thrown here ends the thread, and with it every question that waits.
    const answer = await answerOf(question);
    parentPort?.postMessage({ id, answer } satisfies Answered<Answer>);
  });
}

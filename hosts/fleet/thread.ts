import { once } from "node:events";
import { Worker } from "node:worker_threads";

/**
 * A thread beside the one that serves. It is started by the first question, answers each question
 * with one message, and is started again after it ended. One question at a time, which is the
 * caller's to see to.
 */
export class Thread<Question, Answer> {
  readonly #script: URL;
  readonly #what: string;
  #worker: Worker | null = null;

  /** `what` it does: "checks images". */
  constructor(script: URL, what: string) {
    this.#script = script;
    this.#what = what;
  }

  async ask(question: Question): Promise<Answer> {
    const worker = this.#ready();
    worker.ref();
    const settled = new AbortController();
    try {
      worker.postMessage(question);
      const { signal } = settled;
      const ended = once(worker, "exit", { signal }).then(() => {
        throw new Error(`the thread that ${this.#what} has ended`);
      });
      const answered = once(worker, "message", { signal });
      return (await Promise.race([answered, ended]))[0] as Answer;
    } finally {
      settled.abort();
      worker.unref();
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = null;
  }

  #ready(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(this.#script);
    const forget = (): void => {
      if (this.#worker === worker) this.#worker = null;
    };
    worker.on("error", forget); // whoever waits hears of it by `once`
    worker.on("exit", forget);
    this.#worker = worker;
    return worker;
  }
}

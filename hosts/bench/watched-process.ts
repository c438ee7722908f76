import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Turns } from "./turn-watch.ts";
import type { WatchedAnswer, WatchedWishes } from "./watched-fleet.ts";

const script = fileURLToPath(new URL("./watched-fleet.ts", import.meta.url));
/** Garbage is collected on the thread itself: no turn waits for another thread to get its time. */
const execArgv = ["--single-threaded-gc", "--expose-gc"];

/** The other end of watched-fleet.ts. */
export class WatchedProcess {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start(wishes: WatchedWishes): Promise<WatchedProcess> {
    const child = fork(script, [JSON.stringify(wishes)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv,
    });
    const died = once(child, "exit").then(([code]) => {
      throw new Error(`the watched server ended with ${code}`);
    });
    died.catch(() => {}); // of no meaning once it has answered
    const [{ url }] = (await Promise.race([once(child, "message"), died])) as [WatchedAnswer];
    return new WatchedProcess(child, url);
  }

  /** The turns since they were asked for last. */
  async turns(): Promise<Turns> {
    const answered = once(this.#child, "message") as Promise<[WatchedAnswer]>;
    this.#child.send("turns");
    return (await answered)[0].turns;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.send("close");
    await exited;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

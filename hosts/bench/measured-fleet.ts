import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { FleetAnswer, FleetOrder } from "./fleet-process.ts";

/** The fleet server in a child process, and a second connection to its database that only looks. */
export class MeasuredFleet {
  readonly url: string;
  readonly #child: ReturnType<typeof fork>;
  readonly #database: DatabaseSync;

  static async start(directory: string): Promise<MeasuredFleet> {
    const script = fileURLToPath(new URL("./fleet-process.ts", import.meta.url));
    const child = fork(script, [directory], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const [ready] = (await once(child, "message")) as [FleetAnswer];
    return new MeasuredFleet(child, ready.url, join(directory, "fleet.sqlite"));
  }

  private constructor(child: ReturnType<typeof fork>, url: string, databaseFile: string) {
    this.#child = child;
    this.url = url;
    this.#database = new DatabaseSync(databaseFile, { readOnly: true });
  }

  /**
   * Changes with every transaction of another connection that wrote something (SQLite, PRAGMA
   * data_version).
   */
  get dataVersion(): number {
    return Number(this.#database.prepare("PRAGMA data_version").get()?.["data_version"]);
  }

  async ask(order: FleetOrder): Promise<FleetAnswer> {
    const answered = once(this.#child, "message") as Promise<[FleetAnswer]>;
    this.#child.send(order);
    return (await answered)[0];
  }

  async close(): Promise<void> {
    this.#database.close();
    const exited = once(this.#child, "exit");
    this.#child.send({ kind: "close" } satisfies FleetOrder);
    await exited;
  }
}

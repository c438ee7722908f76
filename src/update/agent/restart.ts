import type { Ports } from "../../ports/ports.ts";

/** How long a restart waits for the last reports. */
const farewellMs = 5000;

export interface RestartTools {
  readonly ports: Ports;
  /** Nothing new is begun any more. */
  leaving(): void;
  /** Sends what the server should know before. */
  tell(): Promise<void>;
  /** Takes a promise that nobody waits for. */
  unattended(work: Promise<void>): void;
}

/**
 * Restarts once, after the last reports, or after a while without them. On a board nothing follows
 * the restart.
 */
export class Restart {
  readonly #tools: RestartTools;
  #begun = false;

  constructor(tools: RestartTools) {
    this.#tools = tools;
  }

  get begun(): boolean {
    return this.#begun;
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const { ports } = this.#tools;
    this.#tools.leaving();
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      ports.reset.restart();
    };
    this.#tools.unattended(this.#tools.tell().finally(leave));
    ports.clock.after(farewellMs, leave);
  }
}

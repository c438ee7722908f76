import { type ChildProcess, spawn } from "node:child_process";

/** The terminal in which a person types one block after another; variables stay. */
export class Shell {
  readonly #child: ChildProcess;
  #output = "";
  #heard: () => void = () => {};
  #blocks = 0;
  #exit: number | null = null;

  constructor(directory: string, environment: NodeJS.ProcessEnv) {
    this.#child = spawn("bash", ["--noprofile", "--norc", "-e"], {
      cwd: directory,
      env: environment,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const take = (part: Buffer): void => {
      this.#output += part.toString("utf8");
      this.#heard();
    };
    this.#child.stdout?.on("data", take);
    this.#child.stderr?.on("data", take);
    this.#child.stdin?.on("error", () => {}); // a block that failed has ended the shell, which is told below
    this.#child.once("close", (code) => {
      this.#exit = code ?? 1;
      this.#heard();
    });
  }

  /** What a block said; throws with that when one of its commands failed, which ends the shell. */
  async run(block: string): Promise<string> {
    const from = this.#output.length;
    this.#blocks += 1;
    const mark = `@@ block ${this.#blocks} is over @@`;
    this.#child.stdin?.write(`${block}\necho '${mark}'\n`);
    // Bounded by the commands, each of which ends.
    while (!this.#output.includes(mark, from)) {
      if (this.#exit !== null)
        throw new Error(`${block}\nfailed:\n${this.#output.slice(from).slice(-shownCharacters)}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    return this.#output.slice(from, this.#output.indexOf(mark, from));
  }

  close(): void {
    this.#child.kill();
  }
}

const shownCharacters = 4000;

/** A terminal of its own, whose command stays. */
export class Terminal {
  readonly #child: ChildProcess;
  #output = "";
  #heard: () => void = () => {};

  constructor(command: string, directory: string, environment: NodeJS.ProcessEnv) {
    this.#child = spawn("bash", ["--noprofile", "--norc", "-c", `exec ${command}`], {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const take = (part: Buffer): void => {
      this.#output += part.toString("utf8");
      this.#heard();
    };
    this.#child.stdout?.on("data", take);
    this.#child.stderr?.on("data", take);
    this.#child.once("close", () => this.#heard());
  }

  /** Resolves once it has said that; throws when it ends before. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`ended without ${pattern}:\n${this.#output}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Ctrl-C; answers the exit code. */
  async interrupt(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = new Promise((resolve) => this.#child.once("close", resolve));
      this.#child.kill("SIGINT");
      await closed;
    }
    return this.#child.exitCode;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

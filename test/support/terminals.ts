import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "../../hosts/moddable/real-fleet.ts";
import { type DocumentCommands, firstMissing } from "./documents.ts";
import { hangMs } from "./patience.ts";

interface Running {
  readonly child: ChildProcess;
  readonly output: string[];
}

export interface TerminalsOptions {
  /** Where it is typed. */
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** What a text of the document is here: other ports, other folders. */
  replaced(text: string): string;
  /** What every script starts with. */
  readonly beginning?: string;
}

/** Of a block: exported variables, and functions on one line or with their end on its own. */
const definitions = /^(?:export (?:.*\\\n)*.*|\w+\(\) \{(?:.*\}|\n(?:.*\n)*?\}))$/gm;

/** What is typed, as one shell script a block; programs that stay are ended at the end. */
export class Terminals {
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #replaced: (text: string) => string;
  readonly #kept = new Map<string, Running>();
  readonly #said: string[] = [];
  /** Variables and functions, which every later terminal begins with. */
  #beginning = "set -eu\n";

  constructor({ folder, environment, replaced, beginning = "" }: TerminalsOptions) {
    this.#folder = folder;
    this.#environment = environment;
    this.#replaced = replaced;
    this.#beginning += beginning;
  }

  async type({ terminal, commands, shown }: DocumentCommands): Promise<void> {
    const script = this.#replaced(commands);
    const lines = shown.map((line) => this.#replaced(line));
    for (const [definition] of script.matchAll(definitions)) this.#beginning += `${definition}\n`;
    const running = this.#start(script);
    if (terminal === null) {
      const code = await this.#ended(running, script);
      assert.equal(code, 0, `exit code of:\n${script}`);
      assert.equal(firstMissing(lines, running.output), null, `not shown by:\n${script}`);
      return;
    }
    await this.#end(terminal);
    this.#kept.set(terminal, running);
    await until(`${lines.at(-1)} of ${script}`, hangMs / 1000, () => {
      assert.equal(running.child.exitCode, null, `ended by itself: ${script}`);
      return firstMissing(lines, running.output) === null;
    });
    // The guide ends what it starts again elsewhere; a board cannot be switched on twice.
    if (terminal.endsWith("board")) await this.#end(terminal);
  }

  words(): string {
    return this.#said.slice(-80).join("\n");
  }

  async close(): Promise<void> {
    for (const terminal of [...this.#kept.keys()]) await this.#end(terminal);
  }

  #start(script: string): Running {
    const file = join(this.#folder, "typed.sh");
    writeFileSync(file, `${this.#beginning}${script}`);
    const child = spawn("bash", [file], {
      cwd: this.#folder,
      env: this.#environment,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, which Ctrl-C would reach
    });
    const output: string[] = [];
    const take = (line: string): void => {
      if (line === "") return;
      output.push(line);
      this.#said.push(line);
    };
    // A reader of its own for each: parts end anywhere, in a line and in a character of it.
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", take);
    return { child, output };
  }

  #ended({ child }: Running, script: string): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        interrupt(child);
        reject(new Error(`not ended after ${hangMs} ms:\n${script}`));
      }, hangMs);
      child.on("close", (code) => {
        clearTimeout(late);
        resolve(code);
      });
    });
  }

  async #end(terminal: string): Promise<void> {
    const running = this.#kept.get(terminal);
    this.#kept.delete(terminal);
    if (running === undefined || running.child.exitCode !== null) return;
    const closed = new Promise((resolve) => running.child.on("close", resolve));
    interrupt(running.child);
    await closed;
  }
}

/** Ctrl-C. */
function interrupt(child: ChildProcess): void {
  if (child.pid !== undefined) process.kill(-child.pid, "SIGINT");
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });
}

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { openDisplay } from "../../hosts/simulator/moddable/display.ts";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import { type ModdableSdk, projectRoot } from "../../hosts/simulator/moddable/sdk.ts";
import { commandsOf, type DocumentCommands, firstMissing } from "../support/document-commands.ts";
import type { Checks } from "./checks.ts";

const section = "## From nothing to an updated application";
/** Of each block; the longest compiles the SDK for Linux. */
const blockSeconds = 600;
const documentPort = "8080";

/** docs/moddable.md as somebody types it who has nothing but the SDK and a checkout. */
export async function checkDocument(
  checks: Checks,
  { sdk, runner, directory }: { sdk: ModdableSdk; runner: string; directory: string },
): Promise<void> {
  const folder = join(directory, "document");
  const lacks = await lackForMcsim(sdk, runner);
  if (lacks !== null) console.log(`skipped: mcsim, the runner instead: ${lacks}`);
  const terminals = await Terminals.open(folder, sdk, lacks === null ? "" : " --sim runner");
  const withWords = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      console.log(terminals.words());
      throw error;
    }
  };
  try {
    const leads = await checks.check(
      "docs/moddable.md leads from nothing to an updated application",
      () => withWords(() => typeDocument(terminals)),
    );
    if (!leads) return;
    await checks.check("the board of docs/moddable.md goes back from a release that throws", () =>
      withWords(() => takeBadRelease(terminals)),
    );
  } finally {
    await terminals.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function typeDocument(terminals: Terminals): Promise<void> {
  const text = readFileSync(join(projectRoot, "docs", "moddable.md"), "utf8");
  for (const block of commandsOf(text, section)) await terminals.type(block);
}

/** Offered to the board that the guide leaves. */
async function takeBadRelease(terminals: Terminals): Promise<void> {
  const release = [
    "sed -i '1i throw new Error(\"a bad release\");' blink/main.ts",
    "sluice moddable release blink --version 1.2.0 --key image.pem --out bad.bin",
    "sluice release publish bad.bin",
    "sluice rollout create --release 1.2.0 --stages 100 --soak 1s --start",
  ];
  await terminals.type({ terminal: null, commands: release.join("\n"), shown: [] });
  await terminals.type({
    terminal: "board",
    commands: "sluice moddable run blink",
    shown: [
      "-- booted 1.1.0 power-on",
      "-- booted 1.2.0 software",
      "-- booted 1.2.0 exception",
      "-- booted 1.2.0 exception",
      "-- booted 1.1.0 exception",
      "info: rolledBack -> idle on polled",
    ],
  });
  const shown = ["state     rolled-back (crashed)"];
  await terminals.type({ terminal: null, commands: "sluice device show moddable-1", shown });
}

async function lackForMcsim(sdk: ModdableSdk, runner: string): Promise<string | null> {
  const missing = sdk.missingForMcsim();
  if (missing !== null) return missing;
  const opened = await openDisplay(runner);
  if (!opened.ok) return opened.message;
  await opened.display.close();
  return null;
}

interface Running {
  readonly child: ChildProcess;
  readonly output: string[];
}

/** What is typed, as one shell script a block; programs that stay are ended at the end. */
class Terminals {
  readonly #folder: string;
  readonly #sdk: ModdableSdk;
  readonly #simulator: string;
  readonly #port: string;
  readonly #kept = new Map<string, Running>();
  readonly #said: string[] = [];
  /** Variables and functions, which every later terminal begins with. */
  #beginning = "set -eu\n";

  static async open(folder: string, sdk: ModdableSdk, simulator: string): Promise<Terminals> {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    symlinkSync(projectRoot, join(folder, "sluice"));
    return new Terminals(folder, sdk, simulator, String(await freePort()));
  }

  private constructor(folder: string, sdk: ModdableSdk, simulator: string, port: string) {
    this.#folder = folder;
    this.#sdk = sdk;
    this.#simulator = simulator;
    this.#port = port;
  }

  async type({ terminal, commands, shown }: DocumentCommands): Promise<void> {
    const script = this.#here(commands);
    const lines = shown.map((line) => this.#here(line));
    if (/^export |^\w+\(\) \{/.test(script)) this.#beginning += script;
    const running = this.#start(script);
    if (terminal === null) {
      const code = await this.#ended(running, script);
      assert.equal(code, 0, `exit code of:\n${script}`);
      assert.equal(firstMissing(lines, running.output), null, `not shown by:\n${script}`);
      return;
    }
    await this.#end(terminal);
    this.#kept.set(terminal, running);
    await until(`${lines.at(-1)} of ${script}`, blockSeconds, () => {
      assert.equal(running.child.exitCode, null, `ended by itself: ${script}`);
      return firstMissing(lines, running.output) === null;
    });
    // The guide ends what it starts again elsewhere; a board cannot be switched on twice.
    if (terminal === "board") await this.#end(terminal);
  }

  words(): string {
    return this.#said.slice(-80).join("\n");
  }

  async close(): Promise<void> {
    for (const terminal of [...this.#kept.keys()]) await this.#end(terminal);
  }

  #here(text: string): string {
    return text
      .replaceAll(documentPort, this.#port)
      .replaceAll(/moddable run \S+/g, (words) => `${words}${this.#simulator}`);
  }

  #start(script: string): Running {
    const file = join(this.#folder, "typed.sh");
    writeFileSync(file, `${this.#beginning}${script}`);
    const child = spawn("bash", [file], {
      cwd: this.#folder,
      env: this.#sdk.environment,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, which Ctrl-C would reach
    });
    const output: string[] = [];
    const take = (part: Buffer): void => {
      const lines = part
        .toString("utf8")
        .split("\n")
        .filter((line) => line !== "");
      output.push(...lines);
      this.#said.push(...lines);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    return { child, output };
  }

  #ended({ child }: Running, script: string): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        interrupt(child);
        reject(new Error(`not ended after ${blockSeconds} s:\n${script}`));
      }, blockSeconds * 1000);
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

function freePort(): Promise<number> {
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

// The walk of docs/flashing.md, run as it stands there: its commands, on an emulated chip in place
// of the kit.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { run } from "../../../hosts/esp32/board-tools.ts";
import { withImageKey } from "../../../hosts/esp32/emulator/bootloader-key.ts";
import { EmulatedChip } from "../../../hosts/esp32/emulator/emulated-chip.ts";
import { until } from "../../../hosts/moddable/real-fleet.ts";
import { projectRoot } from "../../../hosts/moddable/sdk.ts";
import { trustedKeyFromPem } from "../../../hosts/release/pem-keys.ts";
import { type CommandBlock, commandBlocks, readDocument } from "../../support/documents.ts";
import type { Scenario } from "../schedule.ts";
import { type MadePort, makePort } from "../serial-port.ts";
import { type Check, SceneOver, type Stage } from "../stage.ts";
import { Shell, Terminal } from "./shell.ts";

const page = "docs/flashing.md";
const bootSeconds = 120;
const updateSeconds = 600;
const flashFile = "emulated.bin";

/** The way of a new user with a kit on a cable. */
export async function documentScenarios(stage: Stage): Promise<Scenario[]> {
  return [{ name: `the walk of ${page}`, run: () => walk(stage) }];
}

async function walk(stage: Stage): Promise<void> {
  const { checks, directory } = stage;
  const kit = await NewUser.sitDown(stage, directory);
  const check: Check = async (name, act) => {
    if (!(await checks.check(name, act))) throw new SceneOver(name);
  };
  try {
    for (const block of commandBlocks(readDocument(page)))
      if (block.kind !== null) await check(nameOf(block), () => kit.type(block));
    await check("every stand-in for the kit's hardware was needed", () => kit.assertAllStoodIn());
    await check("the board starts with the lines that the page shows", () => kit.assertConsole());
    await check("the link and the server end by Ctrl-C", () => kit.interruptAll());
  } finally {
    await kit.leave();
  }
}

function nameOf({ line, text }: CommandBlock): string {
  const [first = ""] = text.split("\n");
  return `${page}:${line} works: ${first.slice(0, 60)}`;
}

/** Whoever follows the page, and the parts of a kit that a machine has to stand in for. */
class NewUser {
  readonly #stage: Stage;
  readonly #directory: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #shell: Shell;
  readonly #terminals: Terminal[] = [];
  readonly #port: MadePort;
  readonly #standIns: readonly [string, string][];
  readonly #stoodIn = new Set<string>();
  /** False where there is no west workspace: the bootloader is then not built but taken. */
  readonly #hasWorkspace: boolean;
  #chip: EmulatedChip | null = null;
  readonly #console: string[] = [];
  #looks = 0;

  static async sitDown(stage: Stage, directory: string): Promise<NewUser> {
    mkdirSync(directory, { recursive: true });
    for (const name of ["bootloader", "hosts"])
      symlinkSync(join(projectRoot, name), join(directory, name));
    const programs = join(directory, "programs");
    mkdirSync(programs);
    // npx takes the command of the folder that it is called in, which is not the checkout here.
    const npx = join(programs, "npx");
    const main = join(projectRoot, "hosts/cli/main.ts");
    writeFileSync(npx, `#!/bin/sh\nshift\nexec "${process.execPath}" "${main}" "$@"\n`);
    chmodSync(npx, 0o755);
    const serverPort = await freePort();
    const environment = {
      ...process.env,
      PATH: [programs, process.env["PATH"] ?? ""].join(delimiter),
      SLUICE_FLEET: `http://127.0.0.1:${serverPort}`, // another server may have 8080
    };
    const { ZEPHYR_BASE: zephyr = "" } = process.env;
    const west = await run("west", ["build", "--help"], { ...environment }, directory);
    const hasMcuboot = existsSync(join(zephyr, "../bootloader/mcuboot/boot/zephyr"));
    let user: NewUser | null = null;
    const port = await makePort("python3", (bytes) => {
      if (user !== null) user.#chip?.putOnSerial(bytes);
    });
    user = new NewUser(stage, directory, {
      environment,
      port,
      serverPort,
      hasWorkspace: west.exitCode === 0 && hasMcuboot,
    });
    return user;
  }

  private constructor(
    stage: Stage,
    directory: string,
    parts: {
      readonly environment: NodeJS.ProcessEnv;
      readonly port: MadePort;
      readonly serverPort: number;
      readonly hasWorkspace: boolean;
    },
  ) {
    this.#stage = stage;
    this.#directory = directory;
    this.#environment = parts.environment;
    this.#port = parts.port;
    this.#hasWorkspace = parts.hasWorkspace;
    this.#shell = new Shell(directory, parts.environment);
    this.#standIns = [
      ["--port /dev/ttyUSB0", `--file ${flashFile}`],
      ["/dev/ttyUSB1", parts.port.name],
      ["fleet serve ", `fleet serve --port ${parts.serverPort} `],
    ];
  }

  /** One block, as the page has it but for what stands in. */
  async type(block: CommandBlock): Promise<void> {
    const text = this.#standingIn(block.text);
    if (block.kind === "terminal") await this.#openTerminal(text);
    else if (text.includes("west build") && !this.#hasWorkspace) this.#takeBootloader();
    else if (/\bwest build\b|\bboard build\b/.test(text))
      await this.#stage.kit.between(() => this.#shell.run(text));
    else if (text.includes("device show")) await this.#look(text);
    else await this.#shell.run(text);
  }

  assertAllStoodIn(): void {
    for (const [words] of this.#standIns)
      assert.ok(this.#stoodIn.has(words), `the page says "${words}" nowhere any more`);
  }

  /**
   * The console as the page shows it: each of its lines, in that order, whatever its numbers are.
   */
  assertConsole(): void {
    const shown = /```\n(ESP-ROM:[\s\S]*?)```/.exec(readDocument(page))?.[1] ?? "";
    assert.notEqual(shown, "", "the page shows no console");
    let at = 0;
    for (const line of shown.trim().split("\n")) {
      const form = withoutNumbers(line);
      const found = this.#console.findIndex((seen, index) => index >= at && seen === form);
      assert.ok(found >= 0, `the console says "${line}" not, or elsewhere`);
      at = found + 1;
    }
  }

  async interruptAll(): Promise<void> {
    for (const terminal of this.#terminals.toReversed())
      assert.equal(await terminal.interrupt(), 0);
  }

  async leave(): Promise<void> {
    this.#shell.close();
    for (const terminal of this.#terminals) terminal.kill();
    await this.#chip?.powerOff();
    this.#port.close();
  }

  #standingIn(text: string): string {
    let changed = text;
    for (const [words, instead] of this.#standIns) {
      if (!changed.includes(words)) continue;
      this.#stoodIn.add(words);
      changed = changed.replaceAll(words, instead);
    }
    return changed;
  }

  async #openTerminal(command: string): Promise<void> {
    const terminal = new Terminal(command, this.#directory, this.#environment);
    this.#terminals.push(terminal);
    if (!command.includes("board link")) {
      await terminal.says(/http:\/\/127\.0\.0\.1:\d+/);
      return;
    }
    await terminal.says(/open at 3000000 baud/);
    await this.#reset();
    await terminal.says(/^the board is there$/m);
  }

  /** Pressing RESET: the power goes and comes. */
  async #reset(): Promise<void> {
    await this.#chip?.powerOff();
    this.#chip = await EmulatedChip.powerOn({
      emulator: this.#stage.kit.emulator,
      flashFile: join(this.#directory, flashFile),
      onLine: (line) => this.#console.push(withoutNumbers(line)),
      onSerial: (bytes) => this.#port.put(bytes),
    });
  }

  /** The first look waits for the first start, the second for the update. */
  async #look(command: string): Promise<void> {
    const isUpdated = this.#looks > 0;
    this.#looks += 1;
    const version = isUpdated ? "1.1.0" : "1.0.0";
    if (isUpdated) await this.#reset(); // instead of waiting for the next poll
    let said = "";
    await until(
      `the server to know ${version}`,
      isUpdated ? updateSeconds : bootSeconds,
      async () => {
        said = await this.#shell.run(command);
        return new RegExp(`^runs +${version}, confirmed$`, "m").test(said);
      },
    );
  }

  /** In place of its build: the one that is there, with the key that the walk has made. */
  #takeBootloader(): void {
    console.log("the bootloader is not built here: no west, or no MCUboot beside ZEPHYR_BASE");
    const key = trustedKeyFromPem(readFileSync(join(this.#directory, "kit/image-pub.pem"), "utf8"));
    if (!key.ok) throw new Error("the walk made no key that can be read");
    const folder = join(this.#directory, "build/mcuboot/zephyr");
    mkdirSync(folder, { recursive: true });
    const made = withImageKey(this.#stage.kit.bootloader, key.key.publicKey);
    writeFileSync(join(folder, "zephyr.bin"), made);
  }
}

function withoutNumbers(line: string): string {
  return line.replace(/compile time .*/, "compile time").replace(/0x[0-9a-f]+|\d+/g, "0");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new TypeError("no port");
  return address.port;
}

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { writeApplication } from "./application.ts";

export const projectRoot = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");

/** What the firmware was tried with. */
export const sdkVersion = "8.2.3";

/** Everything that mcconfig and we build for Linux; may be deleted at any time. */
const buildFolder = join(projectRoot, ".build", "moddable");

export type SdkResult =
  | { readonly ok: true; readonly sdk: ModdableSdk }
  /** `missing` says what, and what to do about it, one line each. */
  | { readonly ok: false; readonly missing: readonly string[] };

/** The SDK that the environment variable MODDABLE names, built for Linux. */
export function findSdk(environment = process.env): SdkResult {
  const folder = environment["MODDABLE"];
  if (folder === undefined || folder === "")
    return refused(
      "MODDABLE is not set: give the folder of the Moddable SDK, see docs/moddable.md",
    );
  const tools = join(folder, "build", "bin", "lin", "release");
  if (!existsSync(join(tools, "mcconfig")))
    return refused(`${tools} has no mcconfig: build the SDK, see docs/moddable.md`);
  const sdk = new ModdableSdk(folder, tools);
  const missing: string[] = [];
  for (const [command, parameters, what] of neededTools) {
    const { status } = spawnSync(command, parameters, { env: sdk.environment, stdio: "ignore" });
    if (status !== 0) missing.push(`${command} ${parameters.join(" ")} fails: ${what}`);
  }
  return missing.length > 0 ? { ok: false, missing } : { ok: true, sdk };
}

const neededTools: readonly (readonly [string, readonly string[], string])[] = [
  ["gcc", ["--version"], "install a C compiler"],
  ["make", ["--version"], "install make"],
  ["pkg-config", ["--exists", "gio-2.0"], "install the GLib headers (Debian: libglib2.0-dev)"],
  ["tsc", ["--version"], "run npm ci, which brings TypeScript"],
];

function refused(line: string): SdkResult {
  return { ok: false, missing: [line] };
}

export interface BuildOptions {
  /** The manifest.json of an application. */
  readonly manifest: string;
  readonly variant: "release" | "debug";
}

/** Builds with the SDK's own tools, into a folder of this project. */
export class ModdableSdk {
  readonly folder: string;
  /** The version that the SDK tells; null for one so old that it tells none. */
  readonly version: string | null;
  readonly #tools: string;

  constructor(folder: string, tools: string) {
    this.folder = folder;
    this.#tools = tools;
    const named = join(folder, "tools", "VERSION");
    this.version = existsSync(named) ? readFileSync(named, "utf8").trim() : null;
  }

  /** With the SDK's tools and this project's on the PATH. */
  get environment(): NodeJS.ProcessEnv {
    const own = join(projectRoot, "node_modules", ".bin");
    const path = [this.#tools, own, process.env["PATH"] ?? ""].join(delimiter);
    return { ...process.env, MODDABLE: this.folder, PATH: path };
  }

  /** What the SDK's own simulator needs beside the runner, in a line; null when it is all there. */
  missingForMcsim(): string | null {
    if (!existsSync(join(this.#tools, "mcsim")))
      return `${this.#tools} has no mcsim: build the SDK with its tools on the PATH, see docs/moddable.md; --sim runner needs none`;
    const { status } = spawnSync("stdbuf", ["--version"], { stdio: "ignore" });
    return status === 0 ? null : "stdbuf is missing (Debian: coreutils); --sim runner needs none";
  }

  /**
   * Compiles an application with mcconfig; answers the path of its mc.so. Throws with the
   * compiler's last words.
   */
  async build({ manifest, variant }: BuildOptions): Promise<string> {
    mkdirSync(buildFolder, { recursive: true });
    const from = dirname(manifest);
    const debug = variant === "debug" ? ["-d"] : [];
    // Without a target mcconfig would also start the SDK's simulator, after it ended every running
    // one.
    const parameters = [...debug, "-m", "-p", "lin", "-t", "build", "-o", buildFolder];
    const built = await this.run("mcconfig", parameters, from);
    const library = join(buildFolder, "bin", "lin", "mc", variant, basename(from), "mc.so");
    if (built.exitCode !== 0 || !existsSync(library))
      throw new Error(`mcconfig failed on ${manifest}:\n${lastLines(built.output, 30)}`);
    return library;
  }

  /**
   * What `build` would do, without doing it: the TypeScript settings that mcconfig makes for an
   * application.
   */
  async configure(manifest: string): Promise<string> {
    mkdirSync(buildFolder, { recursive: true });
    const from = dirname(manifest);
    const parameters = ["-p", "lin", "-t", "build", "-o", buildFolder];
    const made = await this.run("mcconfig", parameters, from);
    if (made.exitCode !== 0) throw new Error(`mcconfig failed on ${manifest}:\n${made.output}`);
    return join(buildFolder, "tmp", "lin", "mc", "release", basename(from), "modules");
  }

  /**
   * An application of its own: a folder named `name` with a manifest.json, for what is not in this
   * project as a whole.
   */
  application(
    name: string,
    manifest: object,
    files: Readonly<Record<string, string>> = {},
  ): string {
    return writeApplication(join(buildFolder, "applications", name), manifest, files);
  }

  /**
   * Compiles runner.c; answers the path of the program. With `heap` it lays out the heap of debug
   * builds as a board does, and tells of its growth: see board-heap.c.
   */
  async runner(heap: "linux" | "board" = "linux"): Promise<string> {
    mkdirSync(buildFolder, { recursive: true });
    const own = join(projectRoot, "hosts", "moddable");
    const program = join(buildFolder, heap === "board" ? "runner-board-heap" : "runner");
    const headers = join(this.folder, "build", "simulators", "modules");
    const flags = await this.run("pkg-config", ["--cflags", "--libs", "glib-2.0"], own);
    const library = flags.output.trim().split(/\s+/);
    const engine = ["includes", "sources", "platforms"].map(
      (name) => `-I${join(this.folder, "xs", name)}`,
    );
    const boardHeap =
      heap === "board" ? [...debugEngine, ...engine, join(own, "board-heap.c")] : [];
    const compiled = await this.run(
      "gcc",
      [
        "-O1",
        "-DmxLinux=1",
        `-I${own}`,
        `-I${headers}`,
        join(own, "runner.c"),
        ...boardHeap,
        "-o",
        program,
      ].concat(library, "-ldl"),
      own,
    );
    if (compiled.exitCode !== 0) throw new Error(`runner.c does not compile:\n${compiled.output}`);
    return program;
  }

  /**
   * The payload of an image for this engine: the whole mc.so that mcconfig linked (engine, SDK, our
   * code as bytecode and natives: what zephyr.bin is on a board), without symbols and compressed.
   * So what boots is what was downloaded, and a release that is broken is broken here too. It is
   * compressed because half the size is half the time to download.
   */
  async payload(library: string): Promise<Uint8Array> {
    const stripped = join(buildFolder, `stripped-${process.pid}.so`);
    const result = await this.run("strip", ["-o", stripped, library], buildFolder);
    if (result.exitCode !== 0) throw new Error(`strip failed on ${library}: ${result.output}`);
    return gzipSync(readFileSync(stripped), { level: 9 });
  }

  /** Runs a program in `environment`; both outputs together. */
  run(
    command: string,
    parameters: readonly string[],
    directory: string,
  ): Promise<{ readonly exitCode: number; readonly output: string }> {
    return new Promise((resolve) => {
      const child = spawn(command, parameters, {
        cwd: directory,
        env: this.environment,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const parts: Buffer[] = [];
      child.stdout.on("data", (part: Buffer) => parts.push(part));
      child.stderr.on("data", (part: Buffer) => parts.push(part));
      child.on("error", (error) => resolve({ exitCode: 127, output: error.message }));
      child.on("close", (code) =>
        resolve({ exitCode: code ?? 1, output: Buffer.concat(parts).toString("utf8") }),
      );
    });
  }
}

/**
 * What decides of the layout of XS's structures in a debug build, as the SDK's make.lin.mk has it.
 */
const debugEngine = [
  "-DSLUICE_BOARD_HEAP=1",
  ...["-DINCLUDE_XSPLATFORM=1", '-DXSPLATFORM="lin_xs.h"', "-DXS_ARCHIVE=1"],
  ...["-DmxDebug=1", "-D_DEBUG=1", "-DmxInstrument=1", "-DMODINSTRUMENTATION=1"],
];

/** A name for a payload, for the files of those that were unpacked. */
export function payloadName(payload: Uint8Array): string {
  return createHash("sha256").update(payload).digest("hex").slice(0, 16);
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

const projectRoot = resolve(import.meta.dirname, "../..");

/** Where the tools of a board's build are, checked. */
export interface BoardTools {
  readonly moddable: string;
  readonly zephyrBase: string;
  /** The environment of every command of a build. */
  readonly environment: NodeJS.ProcessEnv;
}

export type BoardToolsResult =
  | { readonly ok: true; readonly tools: BoardTools }
  /** What is missing and where it is described, one line each. */
  | { readonly ok: false; readonly missing: readonly string[] };

const described = "docs/flashing.md says where it comes from";

/**
 * Looks for Zephyr, the Moddable SDK, the compiler and what they call. `host` is this machine's
 * compiler, for Zephyr's simulator of a board, which is a program of 32 bits.
 */
export async function findBoardTools(
  environment = process.env,
  compiler: "cross" | "host" = "cross",
): Promise<BoardToolsResult> {
  const missing: string[] = [];
  const folder = (name: string, file: string, what: string): string => {
    const path = environment[name] ?? "";
    if (path === "") missing.push(`${name} is not set: ${what}; ${described}`);
    else if (!existsSync(join(path, file)))
      missing.push(`${name} is ${path}, which has no ${file}: ${what}; ${described}`);
    return path;
  };
  const zephyrBase = folder("ZEPHYR_BASE", "VERSION", "the folder of Zephyr 4.3");
  const moddable = folder(
    "MODDABLE",
    "build/bin/lin/release/mcconfig",
    "the folder of the Moddable SDK, built",
  );
  const cross = environment["CROSS_COMPILE"] ?? "";
  const path = [join(moddable, "build/bin/lin/release"), join(projectRoot, "node_modules/.bin")];
  const own: NodeJS.ProcessEnv = {
    ...environment,
    ZEPHYR_TOOLCHAIN_VARIANT:
      compiler === "host" ? "host" : (environment["ZEPHYR_TOOLCHAIN_VARIANT"] ?? "cross-compile"),
    PATH: [...path, environment["PATH"] ?? ""].join(delimiter),
  };
  if (compiler === "host") {
    const tried = await run(
      "gcc",
      ["-m32", "-fsyntax-only", "-include", "stdio.h", "-x", "c", "/dev/null"],
      own,
    );
    if (tried.exitCode !== 0)
      missing.push("gcc does not compile for 32 bits: install Debian's gcc-multilib, or its like");
  } else if (cross === "")
    missing.push(`CROSS_COMPILE is not set: the compiler's path up to its "gcc"; ${described}`);
  else if ((await run(`${cross}gcc`, ["--version"], own)).exitCode !== 0)
    missing.push(`CROSS_COMPILE is ${cross}, but ${cross}gcc does not run; ${described}`);
  for (const command of ["cmake", "ninja", "dtc", "tsc"])
    if ((await run(command, ["--version"], own)).exitCode !== 0)
      missing.push(`${command} does not run: install it; ${described}`);
  if (missing.length > 0) return { ok: false, missing };
  return { ok: true, tools: { moddable, zephyrBase, environment: own } };
}

/** Runs a program to its end; both outputs together. A program that is not there exits with 127. */
export function run(
  command: string,
  parameters: readonly string[],
  environment: NodeJS.ProcessEnv,
  directory: string = projectRoot,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  return new Promise((done) => {
    const child = spawn(command, parameters, {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const end = (): void => void child.kill(); // nothing goes on behind the back of who was interrupted
    process.once("exit", end);
    const parts: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => parts.push(part));
    child.stderr.on("data", (part: Buffer) => parts.push(part));
    child.on("error", (error) => done({ exitCode: 127, output: error.message }));
    child.on("close", (code) => {
      process.off("exit", end);
      done({ exitCode: code ?? 1, output: Buffer.concat(parts).toString("utf8") });
    });
  });
}

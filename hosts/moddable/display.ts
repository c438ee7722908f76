import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";

/** An X server that nobody sees, or the display that is there. */
export interface Display {
  /** For the environment variable DISPLAY. */
  readonly name: string;
  close(): Promise<void>;
}

export type DisplayResult =
  | { readonly ok: true; readonly display: Display }
  | { readonly ok: false; readonly message: string };

/** Xvfb says which number it took, on this file descriptor. */
const numberDescriptor = 3;
const startMs = 30_000;

/**
 * The display of `environment`; where there is none, an Xvfb of our own, which `close` ends. It is
 * started by the program of runner.c, so that it ends with this process in any case.
 */
export async function openDisplay(
  runner: string,
  environment = process.env,
): Promise<DisplayResult> {
  const name = environment["DISPLAY"];
  if (name !== undefined && name !== "")
    return { ok: true, display: { name, close: async () => {} } };
  const server = ["Xvfb", "-displayfd", String(numberDescriptor), "-nolisten", "tcp"];
  const child = spawn(runner, ["--become", ...server, "-screen", "0", "1280x1024x24"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const number = await displayNumber(child);
  if (number !== null)
    return { ok: true, display: { name: `:${number}`, close: () => ended(child) } };
  await ended(child);
  const message =
    "mcsim needs a display: DISPLAY is not set and Xvfb does not start (Debian: apt-get install xvfb); --sim runner needs none";
  return { ok: false, message };
}

/** Null when it ends or stays silent. */
function displayNumber(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve) => {
    let text = "";
    const timer = setTimeout(() => resolve(null), startMs);
    const end = (number: string | null): void => {
      clearTimeout(timer);
      resolve(number);
    };
    child.once("error", () => end(null));
    child.once("exit", () => end(null));
    const pipe = child.stdio[numberDescriptor] as Readable;
    pipe.on("data", (part: Buffer) => {
      text += part.toString("ascii");
      const number = /^(\d{1,6})\n/.exec(text)?.[1];
      if (number !== undefined) end(number);
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

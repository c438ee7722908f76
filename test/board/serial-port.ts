import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A line of a chip as a serial port of this machine, made by a few lines of Python. */
export interface MadePort {
  readonly name: string;
  /** Bytes of the chip, to whoever has the port open. */
  put(bytes: Uint8Array): void;
  close(): void;
}

export async function makePort(
  python: string,
  received: (bytes: Buffer) => void,
): Promise<MadePort> {
  const script = join(import.meta.dirname, "serial-port.py");
  const child: ChildProcess = spawn(python, [script], { stdio: ["pipe", "pipe", "pipe"] });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new TypeError("no pipes");
  stdin.on("error", () => {}); // it ended before the chip did, which its client tells
  stdout.on("data", received);
  const name = await new Promise<string>((resolve, reject) => {
    createInterface(stderr).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the serial port ended with ${code}`)));
  });
  return { name, put: (bytes) => void stdin.write(bytes), close: () => stdin.end() };
}

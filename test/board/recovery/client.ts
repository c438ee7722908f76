// Who talks to a bootloader in serial recovery: a client of somebody else's where one is installed.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../hosts/esp32/board-tools.ts";
import type { EmulatedChip } from "../../../hosts/esp32/emulator/emulated-chip.ts";
import { type MadePort, makePort } from "../serial-port.ts";
import { SmpLine } from "./smp-line.ts";

export interface RecoveryClient {
  readonly name: string;
  /** Answers with words of its own that end with what came back; throws when nothing did. */
  echo(text: string): Promise<string>;
  /** Writes an image into the primary slot. */
  upload(image: Uint8Array): Promise<void>;
  reset(): Promise<void>;
  close(): void;
}

export type ClientKind =
  | { readonly kind: "smpclient"; readonly python: string }
  | { readonly kind: "mcumgr-client" }
  | { readonly kind: "own"; readonly why: string };

/** A stock client that is there, else our own. */
export async function findClient(environment = process.env): Promise<ClientKind> {
  const python = environment["SLUICE_SMPCLIENT"] ?? "";
  if (python !== "") {
    const tried = await run(python, ["-c", "import smpclient.transport.serial"], environment);
    if (tried.exitCode === 0) return { kind: "smpclient", python };
    throw new Error(`SLUICE_SMPCLIENT is ${python}, a Python without smpclient:\n${tried.output}`);
  }
  const stock = await run("mcumgr-client", ["--version"], environment);
  const anyPython = await run("python3", ["--version"], environment);
  if (stock.exitCode === 0 && anyPython.exitCode === 0) return { kind: "mcumgr-client" };
  const why =
    "neither SLUICE_SMPCLIENT (a Python with smpclient) nor mcumgr-client (and python3) on the PATH";
  return { kind: "own", why };
}

export async function connectClient(kind: ClientKind, chip: EmulatedChip): Promise<RecoveryClient> {
  if (kind.kind === "own") return ownClient(chip);
  const python = kind.kind === "smpclient" ? kind.python : "python3";
  const port = await openPort(python, chip);
  const script = join(import.meta.dirname, "smpclient-commands.py");
  const [program, ...first] =
    kind.kind === "smpclient"
      ? [python, script, port.name]
      : ["mcumgr-client", "-d", port.name, "-u", "20000"];
  const command = async (...parameters: string[]): Promise<string> => {
    const { exitCode, output } = await run(
      program as string,
      [...first, ...parameters],
      process.env,
    );
    if (exitCode !== 0) throw new Error(`${kind.kind} ${parameters[0]}: ${output.trim()}`);
    return output.trim();
  };
  const slot = kind.kind === "mcumgr-client" ? ["--slot", "0"] : []; // its own choice is the other one
  return {
    name: kind.kind,
    echo: (text) => command("echo", text),
    upload: (image) =>
      withFile(image, async (file) => void (await command("upload", ...slot, file))),
    reset: async () => void (await command("reset")),
    close: () => port.close(),
  };
}

function ownClient(chip: EmulatedChip): RecoveryClient {
  const line = new SmpLine(chip);
  return {
    name: "our own client",
    echo: async (text) => String(await line.echo(text)),
    upload: (image) => line.upload(image),
    reset: () => line.reset(),
    close() {},
  };
}

/** The chip's console as a port of this machine. */
async function openPort(python: string, chip: EmulatedChip): Promise<MadePort> {
  const port = await makePort(python, (bytes) => chip.type(bytes));
  chip.onConsoleData((bytes) => port.put(bytes));
  return port;
}

async function withFile(bytes: Uint8Array, use: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-recovery-"));
  try {
    const file = join(folder, "image.bin");
    writeFileSync(file, bytes);
    await use(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

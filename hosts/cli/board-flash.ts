import { spawn } from "node:child_process";
import type { Command } from "commander";
import { commandGroup } from "./command-group.ts";
import { explain } from "./environment-error.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { changeFile, readInput, writeResult } from "./files.ts";
import { wholeNumber } from "./options.ts";
import { formatBytes, note } from "./output.ts";

interface FlashFlags {
  readonly port?: string;
  readonly file?: string;
  readonly offset: number;
  readonly esptool: string;
}

/** `sluice board flash` */
export function registerBoardFlash(program: Command): void {
  commandGroup(program, "board", "Firmware for real boards")
    .command("flash")
    .description(
      "Write a file into a board's flash with esptool, or into a file that stands for it",
    )
    .argument("<file>", "flash.bin of sluice board build, or one partition with --offset")
    .option("--port <device>", "serial port of the board, such as /dev/ttyUSB0")
    .option("--file <flash>", "a file of the whole flash instead of a board")
    .option("--offset <bytes>", "where it goes", wholeNumber({ min: 0, max: 0xffffff }), 0)
    .option("--esptool <program>", "esptool", "esptool")
    .action(flash);
}

async function flash(source: string, flags: FlashFlags, command: Command): Promise<void> {
  const { port, file, offset } = flags;
  if ((port === undefined) === (file === undefined))
    throw new CommandError(
      "give --port of a board, or --file that stands for one",
      exitCodes.usage,
    );
  const bytes = readInput(source, "the file to write");
  if (file !== undefined) {
    if (offset === 0) writeResult(file, bytes);
    else
      await changeFile(file, "the flash file", "sluice board flash", (whole) =>
        placed(whole, file, bytes, offset),
      );
    note(command, `${file}: ${formatBytes(bytes.length)} at 0x${offset.toString(16)}`);
  } else if (port !== undefined) await withEsptool(flags.esptool, port, offset, source);
}

/** What does not begin at the start goes into the flash that is there. */
function placed(whole: Uint8Array, file: string, bytes: Uint8Array, offset: number): Uint8Array {
  if (offset + bytes.length > whole.length)
    throw new CommandError(
      `${bytes.length} bytes at ${offset} end behind ${file}, which has ${whole.length}`,
    );
  whole.set(bytes, offset);
  return whole;
}

function withEsptool(program: string, port: string, offset: number, file: string): Promise<void> {
  const parameters = ["--port", port, "write-flash", `0x${offset.toString(16)}`, file];
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { stdio: "inherit" });
    child.on("error", (error) =>
      reject(
        new CommandError(
          `cannot start ${program}: ${explain(error)}; "pip install esptool" brings it`,
        ),
      ),
    );
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(new CommandError(`${program} ended with ${code}`)),
    );
  });
}

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { boardLayout } from "../../flash/board-layout.ts";
import { encodeLayout } from "../../flash/layout.ts";
import { flashMiBs, type Soc, socs } from "../../flash/partitions.ts";
import { explain } from "../command/environment-error.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { changeFile, readInput, writeResult } from "../command/files.ts";
import { formatBytes, note } from "../command/output.ts";
import { collect, numberOf, wholeNumber } from "../options/options.ts";
import { type FactoryFlags, factoryBytes } from "./factory-flash.ts";

interface FlashFlags extends FactoryFlags {
  readonly port?: string;
  readonly file?: string;
  readonly offset: number;
  readonly esptool: string;
}

/** `sluice board flash` */
export function registerBoardFlash(group: Command): void {
  group
    .command("flash")
    .description(
      "Write a file into a board's flash with esptool, or into a file that stands for it",
    )
    .argument(
      "<file>",
      "flash.bin of sluice board build, one partition with --offset, or an image with --factory",
    )
    .option("--port <device>", "serial port of the board, such as /dev/ttyUSB0")
    .option("--file <flash>", "a file of the whole flash instead of a board")
    .option("--offset <bytes>", "where it goes", wholeNumber({ min: 0, max: 0xffffff }), 0)
    .option(
      "--factory",
      "the file is a signed image: make the whole flash of a new board around it",
    )
    .option("--bootloader <file>", "with --factory: the zephyr.bin of the board's bootloader")
    .option("--simulated", "with --factory and --file: a bootloader for sluice simulate instead")
    .option(
      "--image-key <pem>",
      "with --simulated: who signs; may be repeated",
      collect(String),
      [],
    )
    .option("--soc <chip>", "with --factory: what the board has", socOf, "esp32c3")
    .option("--flash <MiB>", "with --factory: the size of its flash", numberOf(flashMiBs), 4)
    .option("--layout <file>", "with --factory: also the layout, for sluice simulate")
    .option("--esptool <program>", "esptool", "esptool")
    .action(flash);
}

function socOf(text: string): Soc {
  const found = socs.find((soc) => soc === text);
  if (found === undefined) throw new InvalidArgumentError(`Must be one of ${socs.join(", ")}.`);
  return found;
}

async function flash(source: string, flags: FlashFlags, command: Command): Promise<void> {
  const { port, file, offset } = flags;
  if ((port === undefined) === (file === undefined))
    throw new CommandError(
      "give --port of a board, or --file that stands for one",
      exitCodes.usage,
    );
  if (flags.factory === true) return flashFactory(source, flags, command);
  const alone = factoryOptions.find((name) => flags[name] !== undefined);
  if (alone !== undefined || flags.imageKey.length > 0)
    throw new CommandError(
      "--bootloader, --simulated, --image-key and --layout go with --factory",
      exitCodes.usage,
    );
  const bytes = readInput(source, "the file to write");
  if (file !== undefined) {
    if (offset === 0) writeResult(file, bytes, 0o600);
    else
      await changeFile(file, "the flash file", "sluice board flash", (whole) =>
        placed(whole, file, bytes, offset),
      );
    note(command, `${file}: ${formatBytes(bytes.length)} at 0x${offset.toString(16)}`);
  } else if (port !== undefined) await withEsptool(flags.esptool, port, offset, source);
}

const factoryOptions = ["bootloader", "simulated", "layout"] as const;

/** The whole flash of a board as it leaves the factory, into a file or through esptool. */
async function flashFactory(image: string, flags: FlashFlags, command: Command): Promise<void> {
  const { port, file, layout, offset } = flags;
  if (offset !== 0)
    throw new CommandError("--offset is for one partition, not for --factory", exitCodes.usage);
  if (flags.simulated === true && port !== undefined)
    throw new CommandError("--simulated is for --file: no board starts it", exitCodes.usage);
  const bytes = factoryBytes(image, flags);
  if (layout !== undefined)
    writeResult(layout, `${JSON.stringify(encodeLayout(boardLayout(flags.flash)), null, 2)}\n`);
  if (file !== undefined) {
    writeResult(file, bytes, 0o600); // an enrolment writes the device's token into it
    const next = flags.simulated === true ? "then sluice simulate --flash" : "then board flash";
    note(command, `${file}: ${formatBytes(bytes.length)}; sluice device enroll --file, ${next}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "sluice-factory-"));
  try {
    const whole = join(folder, "flash.bin");
    writeResult(whole, bytes);
    if (port !== undefined) await withEsptool(flags.esptool, port, 0, whole);
  } finally {
    rmSync(folder, { recursive: true });
  }
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

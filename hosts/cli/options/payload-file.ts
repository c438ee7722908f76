import type { Command } from "commander";
import { readIntelHex } from "../../release/payload/intel-hex.ts";
import { foreignFormat, foreignMeanings } from "../../release/payload/payload-format.ts";
import { CommandError } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { formatBytes, note } from "../command/output.ts";

export interface NestedFlags {
  readonly allowNested?: true;
}

export function addNestedOption(command: Command): Command {
  return command.option("--allow-nested", "the payload may be a signed image itself");
}

/**
 * Reads what is to become the payload of an image: a binary, or Intel HEX, which becomes one. Any
 * other format that no bootloader starts is refused with the next step.
 */
export function readPayload(
  path: string,
  what: string,
  flags: NestedFlags,
  command: Command,
): Uint8Array {
  const file = readInput(path, what);
  if (foreignFormat(file) !== "intel-hex") {
    refuseForeign(file, path, flags);
    return file;
  }
  const read = readIntelHex(file);
  if (!read.ok)
    throw new CommandError(
      `${path} is Intel HEX, and line ${read.line} is wrong: ${read.problem}; build it again`,
    );
  const { bytes, baseAddress, gapBytes } = read;
  const gaps = gapBytes === 0 ? "" : `, ${formatBytes(gapBytes)} of gaps filled with 0xff`;
  note(
    command,
    `${path}: Intel HEX of ${formatBytes(bytes.length)} from 0x${baseAddress.toString(16)} on${gaps}`,
  );
  refuseForeign(bytes, path, flags);
  return bytes;
}

/** Ends the command for a payload that no bootloader could start. */
export function refuseForeign(payload: Uint8Array, path: string, flags: NestedFlags): void {
  const format = foreignFormat(payload);
  if (format === null || (format === "mcuboot-image" && flags.allowNested === true)) return;
  throw new CommandError(`${path} ${foreignMeanings[format]}`);
}

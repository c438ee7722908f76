import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Command } from "commander";
import { blockBytesDefault } from "../../../src/image/block-hashes.ts";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { plainImage } from "../../../src/image/writer.ts";
import { readRedirectHosts } from "../../../src/transfer/redirect-hosts.ts";
import { buildFirmware, type FirmwareBuild } from "../../esp32/board-build.ts";
import { writeBoardSbom } from "../../esp32/board-sbom.ts";
import { type BoardTools, findBoardTools } from "../../esp32/board-tools.ts";
import { type Board, boardNamed, boards } from "../../esp32/boards.ts";
import { readBootloaderFile } from "../../esp32/bootloader-file.ts";
import { factoryFlash } from "../../esp32/flash-image.ts";
import { sizeLimits, sizeText, sramRegion } from "../../esp32/size-limits.ts";
import { boardLayout } from "../../flash/board-layout.ts";
import { sectorBytes } from "../../flash/geometry.ts";
import { encodeLayout } from "../../flash/layout.ts";
import { partitionTable, writeBlockBytes } from "../../flash/partitions.ts";
import { counterOfVersion } from "../../release/counter.ts";
import { signImage } from "../../release/sign.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { makeFolder, readInput, writeResult } from "../command/files.ts";
import { formatBytes, note, printJson } from "../command/output.ts";
import * as parse from "../options/options.ts";
import {
  addSignerOptions,
  openImageSigners,
  reportingSigners,
  type SignerFlags,
  signersFor,
} from "../options/signer-options.ts";
import { afterBuildFailure } from "./build-failure.ts";

interface BuildFlags extends SignerFlags {
  readonly board: string;
  readonly manifest?: string;
  readonly version: ImageVersion;
  readonly securityCounter: number | "auto";
  readonly hardware?: string;
  readonly bootloader?: string;
  readonly set: readonly string[];
  readonly out: string;
  readonly withoutBlobs?: true;
  readonly json?: true;
}

/** `sluice board build` */
export function registerBoardBuild(group: Command): void {
  const names = boards.map(({ name }) => name).join(", ");
  const command = group
    .command("build")
    .description("Compile the firmware for a board, sign it, and make a file of its whole flash")
    .requiredOption("--board <name>", names)
    .option("--manifest <file>", "manifest.json of your application; else the reference firmware")
    .requiredOption("-v, --version <version>", "of the image", parse.version)
    .requiredOption("-s, --security-counter <n>", "number, or auto", parse.securityCounter)
    .option(
      "--hardware <id>",
      "the hardware that it is for; else the board's chip",
      parse.hardwareId,
    )
    .option(
      "--bootloader <file>",
      "a built bootloader (bootloader/README.md): also makes flash.bin",
    )
    .option(
      "--set <key=value>",
      "a setting of the build; may be repeated",
      parse.collect(String),
      [],
    )
    .option("--out <folder>", "where the files go", "board")
    .option(
      "--without-blobs",
      "only see whether it compiles without the chip maker's binary libraries; writes nothing",
    )
    .option("--json", "tell the result as JSON");
  addSignerOptions(command).action(build);
}

async function build(flags: BuildFlags, command: Command): Promise<void> {
  const board = knownBoard(flags.board);
  if (board.tried !== "emulated") note(command, untried[board.tried](board.name));
  const bootloader = fittingBootloader(command, board, flags);
  const settings = settingsOf(flags);
  const tools = await foundTools();
  const firmware = await compiled(tools, board, settings, flags);
  if (flags.withoutBlobs === true) {
    tellSizes(command, board, firmware, firmware.payload.length);
    note(command, "it was linked without Espressif's libraries and cannot run: nothing is written");
    return;
  }
  const image = await signedImage(board, firmware, flags);
  makeFolder(flags.out);
  const files: Record<string, Uint8Array | string> = {
    "image.bin": image,
    "layout.json": `${JSON.stringify(encodeLayout(boardLayout(board.flashMiB)), null, 2)}\n`,
  };
  if (bootloader !== null) {
    const made = factoryFlash(board, { bootloader, image });
    if (!made.ok) throw new CommandError(made.message);
    files["flash.bin"] = made.flash;
  }
  const facts = { board: board.name, version: formatVersion(flags.version), image };
  files["sbom.cdx.json"] = writeBoardSbom(tools, facts, bootloader);
  for (const [name, content] of Object.entries(files)) writeResult(join(flags.out, name), content);
  tell(command, flags, { board, firmware, image, files: Object.keys(files) });
}

function knownBoard(name: string): Board {
  const board = boardNamed(name);
  if (board !== null) return board;
  const names = boards.map((known) => known.name).join(", ");
  throw new CommandError(`there is no board "${name}": it is one of ${names}`, exitCodes.usage);
}

const untried = {
  built: (name: string) => `${name} was built before, and never run`,
  no: (name: string) => `${name} was never built whole and never run: docs/flashing.md says why`,
} as const;

/** Under another one the firmware would refuse every update: better here than in the field. */
function fittingBootloader(command: Command, board: Board, flags: BuildFlags): Uint8Array | null {
  if (flags.bootloader === undefined) return null;
  const file = readInput(flags.bootloader, "the bootloader");
  const accepts = flags.set.includes("unknownBootloader=accept");
  const { text, refusal } = readBootloaderFile(board, file, accepts ? "accept" : "refuse");
  if (refusal !== null)
    throw new CommandError(
      `${flags.bootloader} does not fit the firmware of ${board.name}: ${refusal.message}; bootloader/README.md has its build`,
    );
  note(command, `bootloader: ${text}`);
  return file;
}

async function foundTools(): Promise<BoardTools> {
  const found = await findBoardTools();
  if (!found.ok) throw new CommandError(found.missing.join("\n"));
  return found.tools;
}

/** The settings as the device will read them. */
function settingsOf({ set }: BuildFlags): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const pair of set) {
    const at = pair.indexOf("=");
    if (at < 1) throw new CommandError(`--set ${pair} is no key=value`, exitCodes.usage);
    settings[pair.slice(0, at)] = pair.slice(at + 1);
  }
  const redirectHosts = readRedirectHosts(settings["redirectHosts"]);
  if (!redirectHosts.ok) throw new CommandError(`--set ${redirectHosts.message}`, exitCodes.usage);
  return settings;
}

async function compiled(
  tools: BoardTools,
  board: Board,
  settings: Readonly<Record<string, string>>,
  flags: BuildFlags,
): Promise<FirmwareBuild> {
  const { manifest } = flags;
  const withoutBlobs = flags.withoutBlobs === true;
  const own = manifest === undefined ? {} : { manifest };
  const result = await buildFirmware(tools, { board, settings, withoutBlobs, ...own });
  if (!result.ok)
    throw new CommandError(
      `${result.step} failed:\n${result.output}${afterBuildFailure(result.output)}`,
    );
  return result.firmware;
}

async function signedImage(
  board: Board,
  firmware: FirmwareBuild,
  flags: BuildFlags,
): Promise<Uint8Array> {
  const { version, securityCounter } = flags;
  const counter = securityCounter === "auto" ? counterOfVersion(version) : securityCounter;
  const hardware = flags.hardware ?? `${board.soc}-a`;
  const keys = await openImageSigners(flags);
  if (keys.length === 0)
    throw new CommandError("no key to sign with: give --key or --signer", exitCodes.usage);
  const slotBytes = partitionTable(board).slot0.sizeBytes;
  const result = await reportingSigners(() =>
    signImage({
      payload: firmware.payload,
      options: {
        ...plainImage,
        ...{ version, hardware, securityCounter: counter, blockBytes: blockBytesDefault },
        buildId: createHash("sha256").update(firmware.payload).digest(),
      },
      signers: signersFor(keys, `board ${board.name} ${formatVersion(version)}`),
      slot: { slotBytes, sectorBytes, writeBlockBytes, maxAlignBytes: 8 },
      form: "file",
    }),
  );
  if (!result.ok) throw new CommandError(result.message);
  return result.signed.image;
}

function tell(
  command: Command,
  flags: BuildFlags,
  made: { board: Board; firmware: FirmwareBuild; image: Uint8Array; files: string[] },
): void {
  const { firmware, image, files } = made;
  if (flags.json === true) {
    const { usedBytes } = firmware;
    printJson(command, { board: made.board.name, imageBytes: image.length, usedBytes, files });
    return;
  }
  tellSizes(command, made.board, firmware, image.length);
  for (const file of files) note(command, join(flags.out, file));
}

function tellSizes(
  command: Command,
  board: Board,
  firmware: FirmwareBuild,
  imageBytes: number,
): void {
  const { imageBytesTarget, sramBytesMax } = sizeLimits;
  note(command, `${board.name}: image of ${sizeText(imageBytes, imageBytesTarget)}`);
  for (const [region, bytes] of Object.entries(firmware.usedBytes))
    note(
      command,
      `  ${region}: ${region === sramRegion ? sizeText(bytes, sramBytesMax) : formatBytes(bytes)}`,
    );
}

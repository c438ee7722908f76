import type { Command } from "commander";
import { imageHeaderBytes } from "../../../src/image/header.ts";
import { type ImageDependency, imageBytesLargest } from "../../../src/image/info.ts";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { type ImageOptions, plainImage, type TlvValue } from "../../../src/image/writer.ts";
import { counterOfVersion } from "../../release/counter.ts";
import { type SignRequest, signImage } from "../../release/sign.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { writeResult } from "../command/files.ts";
import { formatBytes, note, printJson } from "../command/output.ts";
import * as parse from "../options/options.ts";
import {
  addNestedOption,
  type NestedFlags,
  readPayload,
  refuseForeign,
} from "../options/payload-file.ts";
import {
  addSignerOptions,
  openImageSigners,
  reportingSigners,
  type SignerFlags,
  signersFor,
} from "../options/signer-options.ts";

interface SignOptions extends SignerFlags, NestedFlags {
  readonly version: ImageVersion;
  readonly headerSize: number;
  readonly padHeader?: true;
  readonly slotSize: number;
  readonly align: 1 | 2 | 4 | 8 | 16 | 32;
  readonly maxAlign?: 8 | 16 | 32;
  readonly securityCounter?: number | "auto";
  readonly pad?: true;
  readonly confirm?: true;
  readonly customTlv: TlvValue[];
  readonly dependencies?: ImageDependency[];
  readonly hardware?: string;
  readonly buildId?: Uint8Array;
  readonly json?: true;
}

const sectorBytes = 4096;
const alignments = [1, 2, 4, 8, 16, 32] as const;

/** `sluice image sign` */
export function registerImageSign(group: Command): void {
  const bytes = parse.wholeNumber({ min: 1, max: imageBytesLargest });
  const headerBytes = parse.wholeNumber({ min: imageHeaderBytes, max: 0xffff });
  const command = group
    .command("sign")
    .description("Make a signed image from a binary; the options are those of imgtool sign")
    .argument("<in>", "the binary, or Intel HEX")
    .argument("<out>", "the image")
    .requiredOption("-v, --version <version>", "major.minor.revision+build", parse.version)
    .option("-H, --header-size <bytes>", "size of the header area", headerBytes, 32)
    .option("--pad-header", "the binary has no header area yet: put one in front")
    .requiredOption("-S, --slot-size <bytes>", "size of each slot", bytes)
    .option("--align <bytes>", "write block of the flash", parse.numberOf(alignments), 4)
    .option("--max-align <bytes>", "BOOT_MAX_ALIGN", parse.numberOf([8, 16, 32] as const))
    .option("-s, --security-counter <n>", "number, or auto", parse.securityCounter)
    .option("--pad", "fill the slot and request a test upgrade")
    .option("--confirm", "fill the slot and request a permanent upgrade")
    .option(
      "--custom-tlv <tag value>",
      "protected TLV; a value with 0x is hex, else text; may be repeated",
      parse.collect(parse.customTlv),
      [],
    )
    .option("-d, --dependencies <list>", '"(image, version), ..."', parse.dependencies)
    .option("--hardware <id>", "the hardware that it is for", parse.hardwareId)
    .option("--build-id <hex>", "names the build", parse.buildId)
    .option("--json", "tell the result as JSON");
  addSignerOptions(addNestedOption(command)).action(signFile);
}

async function signFile(
  input: string,
  output: string,
  options: SignOptions,
  command: Command,
): Promise<void> {
  if (/\.hex$/i.test(output))
    throw new CommandError(
      `${output}: images are written as binaries, not as Intel HEX; name it .img`,
      exitCodes.usage,
    );
  const { align, maxAlign = maxAlignOf(align) } = options;
  if (align > maxAlign)
    throw new CommandError(
      `--align ${align} is above --max-align ${maxAlign}, and no bootloader is built so; raise --max-align`,
      exitCodes.usage,
    );
  const { payload, headerFill } = payloadOf(input, options, command);
  refuseRepeatedTlvs(options);
  const keys = await openImageSigners(options);
  const result = await reportingSigners(() =>
    signImage({
      payload,
      options: { ...imageOptions(options), headerFill },
      signers: signersFor(keys, purposeOf(options)),
      slot: {
        slotBytes: options.slotSize,
        sectorBytes,
        writeBlockBytes: align,
        maxAlignBytes: maxAlign,
      },
      form: formOf(options),
    }),
  );
  if (!result.ok) throw new CommandError(`cannot sign ${input}: ${result.message}`);
  const { image, imageHash, fileHash } = result.signed;
  if (keys.length === 0) note(command, "unsigned: no --key was given; no device takes it");
  writeResult(output, image);
  if (options.json === true)
    printJson(command, { file: output, bytes: image.length, imageHash, fileHash });
  else note(command, `${output}: ${formatBytes(image.length)}, image hash ${imageHash}`);
}

/**
 * Without `--pad-header` the binary starts with zeros where the header goes, as linkers leave them.
 */
function payloadOf(
  path: string,
  options: SignOptions,
  command: Command,
): { payload: Uint8Array; headerFill: 0x00 | 0xff } {
  const binary = readPayload(path, "the binary", options, command);
  if (options.padHeader === true) return { payload: binary, headerFill: 0xff };
  const header = binary.subarray(0, options.headerSize);
  if (header.length < options.headerSize || header.some((byte) => byte !== 0))
    throw new CommandError(
      `${path} does not start with ${options.headerSize} zero bytes for the header; add --pad-header when it has none`,
    );
  const payload = binary.subarray(options.headerSize);
  refuseForeign(payload, `${path} behind its header area`, options);
  return { payload, headerFill: 0x00 };
}

function imageOptions(options: SignOptions): ImageOptions {
  const counter = options.securityCounter ?? null;
  return {
    ...plainImage,
    version: options.version,
    headerBytes: options.headerSize,
    securityCounter: counter === "auto" ? counterOfVersion(options.version) : counter,
    dependencies: options.dependencies ?? [],
    hardware: options.hardware ?? null,
    buildId: options.buildId ?? null,
    customTlvs: options.customTlv,
  };
}

function purposeOf({ version, hardware }: SignOptions): string {
  const whom = hardware === undefined ? "" : ` for ${hardware}`;
  return `image ${formatVersion(version)}${whom}`;
}

function refuseRepeatedTlvs(options: SignOptions): void {
  const types = options.customTlv.map(({ type }) => type);
  if (options.hardware !== undefined) types.push(0xa0);
  if (options.buildId !== undefined) types.push(0xa1);
  const repeated = types.find((type, index) => types.indexOf(type) !== index);
  if (repeated !== undefined)
    throw new CommandError(
      `TLV 0x${repeated.toString(16)} is given twice; 0xa0 is --hardware and 0xa1 is --build-id`,
    );
}

function maxAlignOf(align: SignOptions["align"]): 8 | 16 | 32 {
  return align === 16 || align === 32 ? align : 8;
}

function formOf(options: SignOptions): SignRequest["form"] {
  if (options.confirm === true) return "confirm";
  return options.pad === true ? "pad" : "file";
}

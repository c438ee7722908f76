import type { Command } from "commander";
import { type ImageInfo, readImageInfo } from "../../../src/image/info.ts";
import type { SignedReleaseFacts } from "../../../src/image/release-facts.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { tlvTypes } from "../../../src/image/tlv.ts";
import { formatVersion } from "../../../src/image/version.ts";
import { CommandError } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { formatBytes, print, printJson } from "../command/output.ts";
import { refusalMeanings } from "./refusals.ts";

/** `sluice image info` */
export function registerImageInfo(group: Command): void {
  group
    .command("info")
    .description("Tell what an image says of itself, without verifying it")
    .argument("<file>", "an image, or a dump of a whole slot")
    .option("--json", "tell it as JSON")
    .action((file: string, options: { json?: true }, command: Command) => {
      const read = readImageInfo(bytesSource(readInput(file, "the image")));
      if (!read.ok) throw new CommandError(`${file} is no image: ${refusalMeanings[read.reason]}`);
      if (options.json === true) printJson(command, describe(read.info));
      else print(command, render(read.info));
    });
}

function describe(info: ImageInfo): object {
  const { header, version, hardware, buildId, securityCounter, imageHash, problem } = info;
  return {
    version,
    hardware,
    buildId,
    securityCounter,
    imageHash,
    bytes: info.totalBytes,
    release: describeRelease(info.release),
    problem,
    header: {
      headerBytes: header.headerBytes,
      payloadBytes: header.payloadBytes,
      protectedTlvBytes: header.protectedTlvBytes,
      loadAddress: header.loadAddress,
      flags: header.flags,
    },
    dependencies: info.dependencies.map(({ imageIndex, versionMin }) => ({
      imageIndex,
      versionMin: formatVersion(versionMin),
    })),
    tlvs: info.tlvs.map(({ type, valueBytes, isProtected }) => ({
      type,
      name: tlvName(type),
      bytes: valueBytes,
      protected: isProtected,
    })),
  };
}

function describeRelease(release: SignedReleaseFacts): object {
  const { bootloaderVersionMin, steppingStone } = release;
  return {
    ...release,
    bootloaderVersionMin: bootloaderVersionMin && formatVersion(bootloaderVersionMin),
    steppingStone: steppingStone && formatVersion(steppingStone),
  };
}

function releaseLines(release: SignedReleaseFacts): string[] {
  const { hardware, bootloaderVersionMin, configurationSchemas, steppingStone } = release;
  const lines: string[] = [];
  if (hardware !== null) lines.push(`runs on           ${hardware.join(", ")}`);
  if (release.breaking) lines.push("breaking          needs an operator's approval");
  if (release.downgradeAllowed)
    lines.push("downgrade         may replace a newer version of its patch series");
  if (bootloaderVersionMin !== null)
    lines.push(`bootloader        ${formatVersion(bootloaderVersionMin)} or newer`);
  if (configurationSchemas !== null)
    lines.push(`schemas           ${configurationSchemas.min} to ${configurationSchemas.max}`);
  if (steppingStone !== null)
    lines.push(`stepping stone    ${formatVersion(steppingStone)} or newer must run before`);
  if (release.windowOverride)
    lines.push("window override   a forced deployment may ignore maintenance windows");
  return lines;
}

function render(info: ImageInfo): string {
  const { header } = info;
  const flags = header.flags === 0 ? "none" : `0x${header.flags.toString(16)}`;
  const lines = [
    `version           ${info.version}`,
    `hardware          ${info.hardware ?? "not told"}`,
    `build id          ${info.buildId ?? "not told"}`,
    `security counter  ${info.securityCounter ?? "none"}`,
    `image hash        ${info.imageHash ?? "none"}`,
    `size              ${info.totalBytes === null ? "unknown" : formatBytes(info.totalBytes)}`,
    `payload           ${formatBytes(header.payloadBytes)} behind a header of ${header.headerBytes}`,
    `flags             ${flags}`,
  ];
  lines.push(...releaseLines(info.release));
  for (const { imageIndex, versionMin } of info.dependencies)
    lines.push(`depends on        image ${imageIndex}, ${formatVersion(versionMin)} or newer`);
  for (const { type, valueBytes, isProtected } of info.tlvs) {
    const guard = isProtected ? "protected" : "unprotected";
    lines.push(`TLV               ${tlvName(type)}: ${formatBytes(valueBytes)}, ${guard}`);
  }
  if (info.problem !== null) lines.push(`problem           ${refusalMeanings[info.problem]}`);
  return lines.join("\n");
}

function tlvName(type: number): string {
  const found = Object.entries(tlvTypes).find(([, value]) => value === type);
  const code = `0x${type.toString(16).padStart(4, "0")}`;
  return found === undefined ? code : `${code} ${found[0]}`;
}

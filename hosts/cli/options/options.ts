import { InvalidArgumentError } from "commander";
import { isHardwareId } from "../../../src/image/hardware.ts";
import { fromHex } from "../../../src/image/hex.ts";
import { buildIdBytesMax, type ImageDependency } from "../../../src/image/info.ts";
import { type ImageVersion, parseVersion } from "../../../src/image/version.ts";
import type { TlvValue } from "../../../src/image/writer.ts";
import { deviceIdRule, isDeviceId } from "../../../src/protocol/device-id.ts";

// Parsers of option values: each answers the value or throws what commander shows as a usage error.

/** A whole number, decimal or with 0x. */
export function wholeNumber(limits: { min: number; max: number }): (text: string) => number {
  return (text) => {
    const value = numberOfText(text);
    if (!(value >= limits.min && value <= limits.max))
      throw new InvalidArgumentError(
        `Must be a whole number from ${limits.min} to ${limits.max}, decimal or 0x.`,
      );
    return value;
  };
}

/** Not a number for anything but digits, or hex digits behind 0x. */
function numberOfText(text: string): number {
  return /^(?:[0-9]+|0[xX][0-9a-fA-F]+)$/.test(text) ? Number(text) : Number.NaN;
}

export function deviceId(text: string): string {
  if (isDeviceId(text)) return text;
  throw new InvalidArgumentError(`A device's id is ${deviceIdRule}.`);
}

/** The number of a rollout. */
export const rolloutNumber = wholeNumber({ min: 1, max: 2 ** 31 - 1 });

/** How many items a page of a list has. */
export const pageLimit = wholeNumber({ min: 1, max: 500 });

/** A share of a whole, such as 0.05. */
export function share(text: string): number {
  const value = /^(?:\d+(?:\.\d*)?|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("Must be a number from 0 to 1, such as 0.05.");
}

/** One of a few numbers. */
export function numberOf<T extends number>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => String(choice) === text);
    if (found === undefined)
      throw new InvalidArgumentError(`Must be one of ${choices.join(", ")}.`);
    return found;
  };
}

export function version(text: string): ImageVersion {
  const parsed = parseVersion(text);
  if (parsed === null)
    throw new InvalidArgumentError(
      "Must be major.minor.revision+build such as 1.2.3 or 1.2.3+4, at most 255.255.65535+4294967295.",
    );
  return parsed;
}

/** A security counter, or "auto" for one made of the version as imgtool makes it. */
export function securityCounter(text: string): number | "auto" {
  return text.toLowerCase() === "auto" ? "auto" : wholeNumber({ min: 0, max: 0xffffffff })(text);
}

export function hardwareId(text: string): string {
  if (!isHardwareId(text))
    throw new InvalidArgumentError('Must be a hardware id such as "esp32c3-b", in lower case.');
  return text;
}

/** Several hardware ids, joined by commas. */
export function hardwareIds(text: string): string[] {
  return text.split(",").map(hardwareId);
}

export function buildId(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === null || bytes.length === 0 || bytes.length > buildIdBytesMax)
    throw new InvalidArgumentError(`Must be 1 to ${buildIdBytesMax} bytes in hex.`);
  return bytes;
}

/** Collects an option that may be given several times. */
export function collect<T>(parse: (text: string) => T): (text: string, before: T[]) => T[] {
  return (text, before) => [...before, parse(text)];
}

/** imgtool's form "(1, 1.2.3+0), (2, 1.0.0)". */
export function dependencies(text: string): ImageDependency[] {
  const found = [...text.matchAll(/\(\s*(\d{1,3})\s*,\s*([0-9.+]+)\s*\)/g)];
  const rest = text.replaceAll(/\(\s*\d{1,3}\s*,\s*[0-9.+]+\s*\)/g, "");
  if (found.length === 0 || !/^[\s,]*$/.test(rest))
    throw new InvalidArgumentError('Must look like "(1, 1.2.3+0), (2, 1.0.0)".');
  return found.map(([, index, least]) => {
    if (Number(index) > 255) throw new InvalidArgumentError(`Image ${index} is beyond 255.`);
    return { imageIndex: Number(index), versionMin: version(least ?? "") };
  });
}

const vendorTlvMin = 0x00a0;
const vendorTlvMax = 0xfffe;
/** The length of a TLV has 16 bits. */
const tlvBytesMax = 0xffff;

/** `TAG=VALUE`: hex after 0x, else text. imgtool's two words arrive so by `joinPairedArguments`. */
export function customTlv(text: string): TlvValue {
  const at = text.indexOf("=");
  const type = at < 1 ? Number.NaN : numberOfText(text.slice(0, at));
  if (!(type >= vendorTlvMin && type <= vendorTlvMax))
    throw new InvalidArgumentError("Must be TAG VALUE with a tag from 0x00a0 to 0xfffe.");
  const value = text.slice(at + 1);
  const bytes = value.startsWith("0x") ? fromHex(value.slice(2)) : new TextEncoder().encode(value);
  if (bytes === null)
    throw new InvalidArgumentError("A value after 0x must be an even number of hex digits.");
  if (bytes.length > tlvBytesMax)
    throw new InvalidArgumentError(
      `A value has at most ${tlvBytesMax} bytes, not ${bytes.length}.`,
    );
  return { type, value: bytes };
}

/**
 * imgtool gives a custom TLV as two words, which commander cannot: they become one, `TAG=VALUE`.
 */
export function joinPairedArguments(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    const tag = argv[index + 1];
    const value = argv[index + 2];
    joined.push(argument);
    if (argument !== "--custom-tlv" || tag === undefined || tag.includes("=")) continue;
    if (value === undefined) continue;
    joined.push(`${tag}=${value}`);
    index += 2;
  }
  return joined;
}

import { digits, partsAtStart } from "./text-parts.ts";

/** The version in an image header: MCUboot `struct image_version`. */
export interface ImageVersion {
  /** `iv_major`, 0 to 255. */
  readonly major: number;
  /** `iv_minor`, 0 to 255. */
  readonly minor: number;
  /** `iv_revision`, 0 to 65,535. */
  readonly revision: number;
  /** `iv_build_num`, 0 to 4,294,967,295. */
  readonly build: number;
}

/** The largest value of each part, from the field widths of `struct image_version`. */
const versionMax: ImageVersion = {
  major: 0xff,
  minor: 0xff,
  revision: 0xffff,
  build: 0xffffffff,
};

const textCharactersMax = 32;
/** What stands between two numbers. */
const separators = [".", ".", "+"];

/**
 * Reads `major[.minor[.revision[+build]]]`, the form that imgtool takes: no leading zeros, absent
 * parts are 0. Answers null for any other text and for a part that its field cannot hold.
 */
export function parseVersion(text: string): ImageVersion | null {
  if (text.length > textCharactersMax) return null;
  const numbers: number[] = [];
  let rest = text;
  for (const separator of ["", ...separators]) {
    if (rest === "" && numbers.length > 0) break;
    const taken = partsAtStart(rest, [separator, [digits, 1, textCharactersMax]]);
    const [number = ""] = taken?.parts ?? [];
    if (taken === null || (number.length > 1 && number.startsWith("0"))) return null;
    numbers.push(Number(number));
    rest = rest.slice(taken.length);
  }
  const [major = 0, minor = 0, revision = 0, build = 0] = numbers;
  const version = { major, minor, revision, build };
  return rest === "" && isImageVersion(version) ? version : null;
}

/** True when every part is a whole number that its field can hold. */
export function isImageVersion(version: ImageVersion): boolean {
  return (
    fits(version.major, versionMax.major) &&
    fits(version.minor, versionMax.minor) &&
    fits(version.revision, versionMax.revision) &&
    fits(version.build, versionMax.build)
  );
}

/** "1.2.3", or "1.2.3+4" when the build number is not 0. */
export function formatVersion(version: ImageVersion): string {
  const text = `${version.major}.${version.minor}.${version.revision}`;
  return version.build === 0 ? text : `${text}+${version.build}`;
}

/**
 * Negative when `a` is older than `b`, 0 when equal, positive when newer; the build number counts
 * last.
 */
export function compareVersions(a: ImageVersion, b: ImageVersion): number {
  return a.major - b.major || a.minor - b.minor || a.revision - b.revision || a.build - b.build;
}

function fits(part: number, max: number): boolean {
  return Number.isInteger(part) && part >= 0 && part <= max;
}

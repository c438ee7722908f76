import type { ImageVersion } from "../../../src/image/version.ts";

/**
 * Digits of the largest value of each part: `iv_major`, `iv_minor`, `iv_revision`, `iv_build_num`.
 */
const digits = { major: 3, minor: 3, revision: 5, build: 10 } as const;

/**
 * A text of 24 characters whose order is that of the versions, so that a database compares them
 * without knowing what a version is.
 */
export function versionKey(version: ImageVersion): string {
  const part = (name: keyof typeof digits): string =>
    String(version[name]).padStart(digits[name], "0");
  return `${part("major")}.${part("minor")}.${part("revision")}+${part("build")}`;
}

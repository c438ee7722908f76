import type { ImageVersion } from "../../src/image/version.ts";

const counterMax = 0xffff_ffff;

export interface CounterWish {
  readonly version: ImageVersion;
  /** A number, imgtool's `auto`, or null for that of the release before. */
  readonly wanted: number | "auto" | null;
  /** The counter of the release before, or null when nobody says. */
  readonly before: number | null;
  /** The release is meant to bar the way back to those before it. */
  readonly raise: boolean;
}

export type CounterVerdict =
  | { readonly ok: true; readonly counter: number }
  /** The message names the option that helps. */
  | { readonly ok: false; readonly message: string };

/**
 * The security counter of an image. It stays that of the release before unless `raise` says
 * otherwise, because a device can never go back to an image with a lower one.
 */
export function counterFor({ version, wanted, before, raise }: CounterWish): CounterVerdict {
  if (wanted === null && before === null)
    return refused(
      "the security counter is not known: give --previous with an image of the release before, whose counter is kept, or --security-counter N",
    );
  if (wanted === "auto" && !raise)
    return refused(
      "--security-counter auto raises the counter with every version, and no device could roll back late; give a number, or add --raise-counter",
    );
  if (wanted === null) return kept(before ?? 0, raise);
  const counter = wanted === "auto" ? counterOfVersion(version) : wanted;
  if (before !== null && counter < before)
    return refused(
      `--security-counter ${counter} is below ${before}, which the release before has; no device would boot it`,
    );
  if (before !== null && counter > before && !raise)
    return refused(
      `--security-counter ${counter} is above ${before}, which the release before has; no device could roll back late; add --raise-counter if that is meant`,
    );
  return { ok: true, counter };
}

/** imgtool's `auto`: major, minor and revision side by side. */
export function counterOfVersion(version: ImageVersion): number {
  return version.major * 2 ** 24 + version.minor * 2 ** 16 + version.revision;
}

function kept(before: number, raise: boolean): CounterVerdict {
  if (raise && before === counterMax)
    return refused(`the security counter is ${before} already and cannot be raised`);
  return { ok: true, counter: raise ? before + 1 : before };
}

function refused(message: string): CounterVerdict {
  return { ok: false, message };
}

import { isHardwareId } from "../../src/image/hardware.ts";
import { configurationSchemaMax, type SignedReleaseFacts } from "../../src/image/release-facts.ts";
import { formatVersion, type ImageVersion, parseVersion } from "../../src/image/version.ts";

/**
 * What the maker of a release wants its images to say, for every hardware alike; null and false say
 * nothing.
 */
export interface ReleaseWishes {
  readonly breaking: boolean;
  readonly allowDowngrade: boolean;
  readonly bootloaderMin: ImageVersion | null;
  readonly steppingStone: ImageVersion | null;
  readonly schemas: { readonly min: number; readonly max: number } | null;
  /** Hardware that each image runs on beside its own. */
  readonly alsoHardware: readonly string[];
  readonly overrideWindow: boolean;
  /** The security counter may be higher than that of the releases before. */
  readonly raiseCounter: boolean;
}

export const noWishes: ReleaseWishes = {
  breaking: false,
  allowDowngrade: false,
  bootloaderMin: null,
  steppingStone: null,
  schemas: null,
  alsoHardware: [],
  overrideWindow: false,
  raiseCounter: false,
};

/** What the image for this hardware is to say. */
export function factsOf(wishes: ReleaseWishes, hardware: string): SignedReleaseFacts {
  const others = wishes.alsoHardware.filter((id) => id !== hardware);
  return {
    hardware: others.length === 0 ? null : [hardware, ...others],
    breaking: wishes.breaking,
    downgradeAllowed: wishes.allowDowngrade,
    bootloaderVersionMin: wishes.bootloaderMin,
    configurationSchemas: wishes.schemas,
    steppingStone: wishes.steppingStone,
    windowOverride: wishes.overrideWindow,
  };
}

/** The wishes of the build, and what was added when it was signed. */
export function joinWishes(built: ReleaseWishes, signed: ReleaseWishes): ReleaseWishes {
  return {
    breaking: built.breaking || signed.breaking,
    allowDowngrade: built.allowDowngrade || signed.allowDowngrade,
    bootloaderMin: signed.bootloaderMin ?? built.bootloaderMin,
    steppingStone: signed.steppingStone ?? built.steppingStone,
    schemas: signed.schemas ?? built.schemas,
    alsoHardware: [...new Set([...built.alsoHardware, ...signed.alsoHardware])],
    overrideWindow: built.overrideWindow || signed.overrideWindow,
    raiseCounter: built.raiseCounter || signed.raiseCounter,
  };
}

/**
 * The `release` member of a manifest; undefined, so no member at all, when nothing is wished for.
 */
export function encodeWishes(wishes: ReleaseWishes): object | undefined {
  const { bootloaderMin, steppingStone, schemas, alsoHardware } = wishes;
  const members = {
    ...(wishes.breaking ? { breaking: true } : {}),
    ...(wishes.allowDowngrade ? { allowDowngrade: true } : {}),
    ...(bootloaderMin === null ? {} : { bootloaderMin: formatVersion(bootloaderMin) }),
    ...(steppingStone === null ? {} : { steppingStone: formatVersion(steppingStone) }),
    ...(schemas === null ? {} : { schemas: [schemas.min, schemas.max] }),
    ...(alsoHardware.length === 0 ? {} : { alsoHardware }),
    ...(wishes.overrideWindow ? { overrideWindow: true } : {}),
    ...(wishes.raiseCounter ? { raiseCounter: true } : {}),
  };
  return Object.keys(members).length === 0 ? undefined : members;
}

/**
 * Reads what `encodeWishes` wrote; null for anything else, so that a wish is never lost by a typing
 * error.
 */
export function parseWishes(json: unknown): ReleaseWishes | null {
  if (json === undefined) return noWishes;
  if (typeof json !== "object" || json === null || Array.isArray(json)) return null;
  let wishes = noWishes;
  for (const [name, value] of Object.entries(json)) {
    const member = parseMember(name, value);
    if (member === null) return null;
    wishes = { ...wishes, ...member };
  }
  return wishes;
}

const flags: readonly string[] = ["breaking", "allowDowngrade", "overrideWindow", "raiseCounter"];

function parseMember(name: string, value: unknown): Partial<ReleaseWishes> | null {
  if (flags.includes(name)) return typeof value === "boolean" ? { [name]: value } : null;
  if (name === "bootloaderMin" || name === "steppingStone") {
    const version = typeof value === "string" ? parseVersion(value) : null;
    return version === null ? null : { [name]: version };
  }
  if (!Array.isArray(value)) return null;
  if (name === "alsoHardware")
    return value.every((id) => typeof id === "string" && isHardwareId(id))
      ? { alsoHardware: value }
      : null;
  const [min, max]: unknown[] = value;
  if (name !== "schemas" || value.length !== 2 || !isSchema(min) || !isSchema(max)) return null;
  return min <= max ? { schemas: { min, max } } : null;
}

function isSchema(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= configurationSchemaMax;
}

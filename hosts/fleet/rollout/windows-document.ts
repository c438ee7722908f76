import { parseTimeZone } from "../../../src/policy/time-zone.ts";
import {
  type DecodedWindows,
  decodeWindows,
  type WallClock,
  type WindowList,
  wallClockOf,
} from "../../../src/policy/windows.ts";
import { isJsonObject, type JsonObject } from "../../../src/protocol/json.ts";
import { databaseClock, timeZoneDatabase } from "../../time-zones/database-clock.ts";

/** By whose clock windows are judged. */
export type WindowZone =
  | { readonly kind: "everywhere"; readonly wall: WallClock }
  /** Each device's own, of its registry entry; the fallback is for one that has none there. */
  | { readonly kind: "device"; readonly fallback: WallClock | null };

/** When devices may download and install. A null list does not say; an empty one is a freeze. */
export interface StepWindows {
  readonly zone: WindowZone;
  readonly download: WindowList;
  readonly install: WindowList;
}

/** The windows of a rollout: a group's come before those of all. */
export interface RolloutWindows extends StepWindows {
  readonly groups: ReadonlyMap<string, StepWindows>;
}

export type ReadWindows<Windows> =
  | { readonly ok: true; readonly windows: Windows }
  | { readonly ok: false; readonly message: string };

/** What a document says instead of a rule: the zone of each device. */
const deviceZone = "device";
const groupNameCharactersMax = 64;
/** Groups that a rollout may have windows for. */
const windowGroupsMax = 32;

/** The windows of a rollout, as docs/windows.md has them. */
export function readRolloutWindows(document: JsonObject): ReadWindows<RolloutWindows> {
  const own = readLists(document);
  if (!own.ok) return own;
  const groups = readGroups(document);
  if (!groups.ok) return groups;
  if (isSilent(own.windows) && groups.windows.size === 0)
    return refuse("the windows have neither `download` nor `install`, and no `groups` that have");
  return { ok: true, windows: { ...own.windows, groups: groups.windows } };
}

/** The windows of one group, which every rollout respects. */
export function readGroupWindows(document: JsonObject): ReadWindows<StepWindows> {
  if (Object.hasOwn(document, "groups"))
    return refuse("the windows of a group have no `groups` in them");
  const own = readLists(document);
  if (own.ok && isSilent(own.windows))
    return refuse("the windows have neither `download` nor `install`");
  return own;
}

function isSilent({ download, install }: StepWindows): boolean {
  return download === null && install === null;
}

function readLists(document: JsonObject, at = ""): ReadWindows<StepWindows> {
  const zone = readZone(document, at);
  if (!zone.ok) return zone;
  // The lists are read as a device reads its own; the zone is judged here.
  const decoded = decodeWindows({ ...document, timeZone: "UTC0" });
  if (!decoded.ok) return refuseDecoded(decoded, at);
  const { download, install } = decoded.windows;
  return { ok: true, windows: { zone: zone.windows, download, install } };
}

function readZone(document: JsonObject, at: string): ReadWindows<WindowZone> {
  const { timeZone: text, fallbackTimeZone: fallback } = document;
  if (text !== deviceZone) {
    if (fallback !== undefined && fallback !== null)
      return refuse(`${at}fallbackTimeZone goes with \`"timeZone": "${deviceZone}"\` only`);
    const decoded = decodeWindows({ timeZone: text ?? null });
    if (!decoded.ok)
      return refuse(
        `${at}timeZone of the windows is ${decoded.reason}: it is a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3, or "${deviceZone}" for the zone of each device; docs/windows.md tells the form`,
      );
    return { ok: true, windows: { kind: "everywhere", wall: wallClockOf(decoded.windows.zone) } };
  }
  if (fallback === undefined || fallback === null)
    return { ok: true, windows: { kind: "device", fallback: null } };
  const wall = typeof fallback === "string" ? wallOf(fallback) : null;
  if (wall !== null) return { ok: true, windows: { kind: "device", fallback: wall } };
  return refuse(
    `${at}fallbackTimeZone is neither a POSIX rule nor a name that the time zone database ${timeZoneDatabase} has, such as Europe/Berlin`,
  );
}

function wallOf(text: string): WallClock | null {
  const parsed = parseTimeZone(text);
  return parsed.ok ? wallClockOf(parsed.zone) : databaseClock(text);
}

function readGroups(document: JsonObject): ReadWindows<ReadonlyMap<string, StepWindows>> {
  const { groups = null } = document;
  const read = new Map<string, StepWindows>();
  if (groups === null) return { ok: true, windows: read };
  if (!isJsonObject(groups)) return refuse("groups is no object of windows by the name of a group");
  const names = Object.keys(groups);
  if (names.length > windowGroupsMax)
    return refuse(`groups has ${names.length} groups, at most ${windowGroupsMax} may have windows`);
  for (const name of names) {
    const value = groups[name];
    const at = `groups.${name.slice(0, groupNameCharactersMax)}`;
    if (!isJsonObject(value)) return refuse(`${at} is no object`);
    // What a group does not say of the zone is as it is for all.
    const zone = Object.hasOwn(value, "timeZone")
      ? {}
      : { timeZone: document["timeZone"], fallbackTimeZone: document["fallbackTimeZone"] };
    const own = readLists({ ...zone, ...value } as JsonObject, `${at}.`);
    if (!own.ok) return own;
    if (isSilent(own.windows)) return refuse(`${at} has neither \`download\` nor \`install\``);
    read.set(name, own.windows);
  }
  return { ok: true, windows: read };
}

type Refused = { readonly ok: false; readonly message: string };

function refuseDecoded(refused: Extract<DecodedWindows, { ok: false }>, at: string): Refused {
  return refuse(
    `${at}${refused.at} of the windows is ${refused.reason}; docs/windows.md tells the form`,
  );
}

function refuse(message: string): Refused {
  return { ok: false, message };
}

import { compareVersions, type ImageVersion, parseVersion } from "../../../src/image/version.ts";
import {
  type DeviceFacts,
  eligibility,
  type ImageFacts,
  type Ineligibility,
  type RolloutPermissions,
} from "./eligibility.ts";

/** More steps than any device is sent over; a plan that needs more is none. */
export const stepsMax = 32;

export type Way<Image> =
  /** The images to install one after another; the last one is the target. */
  | { readonly ok: true; readonly images: readonly [Image, ...Image[]] }
  | { readonly ok: false; readonly reason: Ineligibility };

/**
 * The shortest way of a device to a target: each step is one that `eligibility` allows, to a newer
 * version below the target. Of equally short ways the one whose first step is newest, then whose
 * second one is. `published` are images that may be steps: one of each release that is not
 * withdrawn, in any order; those that do not fit the device are left out here.
 *
 * Only a stepping stone is a reason for a detour: what an operator must approve, and what the
 * bootloader would refuse, no step makes right.
 */
export function wayTo<Image extends ImageFacts>(
  device: DeviceFacts,
  target: Image,
  published: readonly Image[],
  permissions: RolloutPermissions,
): Way<Image> {
  const direct = eligibility(device, target, permissions);
  if (direct.ok) return { ok: true, images: [target] };
  if (direct.reason !== "needs-stepping-stone") return direct;
  const open = stepsBetween(device, target, published, permissions);
  let arrived: readonly Arrival<Image>[] = [{ device, images: [] }];
  for (let count = 1; count < stepsMax && arrived.length > 0; count += 1) {
    arrived = arrived.flatMap((from) => arrivals(from, open, permissions));
    for (const { device: there, images } of arrived)
      if (eligibility(there, target, permissions).ok) {
        const [first = target, ...rest] = images;
        return { ok: true, images: [first, ...rest, target] };
      }
  }
  return direct;
}

interface Step<Image> {
  readonly image: Image;
  readonly version: ImageVersion;
}

interface Arrival<Image> {
  readonly device: DeviceFacts;
  readonly images: readonly Image[];
}

/** Where one step leads that no way came to so far; newest first. Takes those out of `open`. */
function arrivals<Image extends ImageFacts>(
  { device, images }: Arrival<Image>,
  open: Set<Step<Image>>,
  permissions: RolloutPermissions,
): Arrival<Image>[] {
  const running = parseVersion(device.running?.version ?? "");
  const found: Arrival<Image>[] = [];
  for (const step of open) {
    const { image, version } = step;
    if (running === null || compareVersions(version, running) <= 0) continue;
    if (!eligibility(device, image, permissions).ok) continue;
    open.delete(step);
    const runs = { version: image.version, imageHash: image.imageHash };
    const there = { ...device, running: runs, runningSecurityCounter: image.securityCounter };
    found.push({ device: there, images: [...images, image] });
  }
  return found;
}

/**
 * What may be a step, newest first. Of the patches of one minor version that say the same of
 * themselves the newest is enough: whatever leads to another one of them leads to it, and it leads
 * at least as far.
 */
function stepsBetween<Image extends ImageFacts>(
  device: DeviceFacts,
  target: Image,
  published: readonly Image[],
  permissions: RolloutPermissions,
): Set<Step<Image>> {
  const running = parseVersion(device.running?.version ?? "");
  const end = parseVersion(target.version);
  const newest = new Map<string, Step<Image>>();
  if (running === null || end === null) return new Set();
  for (const image of published) {
    const version = parseVersion(image.version);
    if (version === null || compareVersions(version, running) <= 0) continue;
    if (compareVersions(version, end) >= 0) continue;
    if (device.refusedImages.has(image.imageHash) && !permissions.retryRolledBack) continue;
    const { breaking, steppingStone, hardware } = image.release;
    const alike = [version.major, version.minor, breaking, steppingStone, hardware];
    const key = JSON.stringify([...alike, image.hardware, image.securityCounter]);
    const before = newest.get(key);
    if (before === undefined || compareVersions(version, before.version) > 0)
      newest.set(key, { image, version });
  }
  const newestFirst = (a: Step<Image>, b: Step<Image>): number =>
    compareVersions(b.version, a.version) || (a.image.imageHash < b.image.imageHash ? -1 : 1);
  return new Set([...newest.values()].sort(newestFirst));
}

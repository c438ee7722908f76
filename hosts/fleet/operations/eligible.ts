import type { RolloutDefinition } from "../rollout/definition.ts";
import {
  configurationEligibility,
  type DeviceFacts,
  eligibility,
  type Ineligibility,
} from "../rollout/eligibility.ts";
import { type Way, wayTo } from "../rollout/stepping-stones.ts";
import type { DeviceRow } from "../storage/devices.ts";
import type { FleetMemory } from "./memory.ts";
import { type FirmwareImage, imageFor, type ReleaseFile, withFilesThat } from "./releases.ts";

/** What decides about the eligibility of a device. */
export type Candidate = Pick<
  DeviceRow,
  "id" | "hardware" | "running_version" | "running_hash" | "configuration_version"
>;

interface Offer {
  readonly image: ReleaseFile;
  readonly definition: RolloutDefinition;
  readonly refusedImages: ReadonlySet<string>;
}

/** Why a device may not be offered an image or a configuration document, or null. */
function whyNotOffered(memory: FleetMemory, device: Candidate, offer: Offer): Ineligibility | null {
  const { image, definition, refusedImages } = offer;
  const { hardware } = device;
  const verdict =
    image.kind === "firmware"
      ? eligibility(factsOf(memory, device, refusedImages), image, definition)
      : configurationEligibility(
          { hardware, configurationVersion: device.configuration_version, refusedImages },
          image,
          definition,
        );
  return verdict.ok ? null : verdict.reason;
}

/**
 * What a device is to be offered on its way to the image of a rollout: that image, or the next
 * stepping stone; or why there is nothing to offer.
 */
export function nextOffered(
  memory: FleetMemory,
  device: Candidate,
  offer: Offer,
): { readonly image: ReleaseFile; readonly reason: Ineligibility | null } {
  const way = wayOffered(memory, device, offer);
  return way.ok
    ? { image: way.images[0], reason: null }
    : { image: offer.image, reason: way.reason };
}

/** All that a device is offered one after another on its way to the image of a rollout. */
export function wayOffered(memory: FleetMemory, device: Candidate, offer: Offer): Way<ReleaseFile> {
  const { image, definition, refusedImages } = offer;
  const reason = whyNotOffered(memory, device, offer);
  if (reason === null) return { ok: true, images: [image] };
  const { stepImageIdMax } = definition;
  if (reason !== "needs-stepping-stone" || image.kind !== "firmware" || stepImageIdMax === null)
    return { ok: false, reason };
  const facts = factsOf(memory, device, refusedImages);
  const { allowDowngrade, approved, retryRolledBack } = definition;
  const permissions = { allowDowngrade, approved, retryRolledBack };
  const alike = { ...facts, refusedImages: [...refusedImages].sort() };
  return memory.ways.of(memory.plan.number, [image.id, stepImageIdMax, permissions, alike], () =>
    wayTo(facts, image, stepImages(memory, device.hardware, stepImageIdMax), permissions),
  );
}

/** Where the steps of a rollout that is planned now end. */
export function newestImageId(memory: FleetMemory): number {
  let newest = 0;
  for (const id of memory.images.keys()) newest = Math.max(newest, id);
  return newest;
}

function factsOf(
  memory: FleetMemory,
  device: Candidate,
  refusedImages: ReadonlySet<string>,
): DeviceFacts {
  const { hardware, running_hash: imageHash, running_version: version } = device;
  const running = memory.imageOfHash(imageHash ?? "");
  return {
    hardware,
    running: imageHash === null || version === null ? null : { version, imageHash },
    runningSecurityCounter: running?.kind === "firmware" ? running.securityCounter : null,
    refusedImages,
  };
}

/** One image of each release that had one for this hardware by then. */
function stepImages(
  memory: FleetMemory,
  hardware: string | null,
  idMax: number,
): readonly FirmwareImage[] {
  const images: FirmwareImage[] = [];
  for (const release of memory.releases.values()) {
    const image = imageFor(
      withFilesThat(release, ({ id }) => id <= idMax),
      hardware,
    );
    if (image?.kind === "firmware") images.push(image);
  }
  return images;
}

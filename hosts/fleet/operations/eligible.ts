import type { RolloutDefinition } from "../rollout/definition.ts";
import {
  configurationEligibility,
  eligibility,
  type Ineligibility,
} from "../rollout/eligibility.ts";
import type { DeviceRow } from "../storage/devices.ts";
import type { FleetMemory } from "./memory.ts";
import type { ReleaseFile } from "./releases.ts";

/** What decides about the eligibility of a device. */
export type Candidate = Pick<
  DeviceRow,
  "id" | "hardware" | "running_version" | "running_hash" | "configuration_version"
>;

/** Why a device may not be offered an image or a configuration document, or null. */
export function whyNotOffered(
  memory: FleetMemory,
  device: Candidate,
  offer: {
    readonly image: ReleaseFile;
    readonly definition: RolloutDefinition;
    readonly refusedImages: ReadonlySet<string>;
  },
): Ineligibility | null {
  const { image, definition, refusedImages } = offer;
  const { hardware, running_hash: imageHash, running_version: version } = device;
  const running = memory.imageOfHash(imageHash ?? "");
  const verdict =
    image.kind === "firmware"
      ? eligibility(
          {
            hardware,
            running: imageHash === null || version === null ? null : { version, imageHash },
            runningSecurityCounter: running?.kind === "firmware" ? running.securityCounter : null,
            refusedImages,
          },
          image,
          definition,
        )
      : configurationEligibility(
          { hardware, configurationVersion: device.configuration_version, refusedImages },
          image,
          definition,
        );
  return verdict.ok ? null : verdict.reason;
}

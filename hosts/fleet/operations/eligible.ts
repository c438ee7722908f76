import type { RolloutDefinition } from "../rollout/definition.ts";
import {
  configurationEligibility,
  eligibility,
  type Ineligibility,
} from "../rollout/eligibility.ts";
import type { DeviceRow } from "../storage/devices.ts";
import type { FleetMemory, Image } from "./memory.ts";

/** Of a device, what decides about its eligibility. */
export type Candidate = Pick<
  DeviceRow,
  "id" | "hardware" | "running_version" | "running_hash" | "configuration_version"
>;

/** Why a device may not be offered an image or a configuration document, or null. */
export function whyNotOffered(
  memory: FleetMemory,
  device: Candidate,
  offer: {
    readonly image: Image;
    readonly definition: RolloutDefinition;
    readonly refusedImages: ReadonlySet<string>;
  },
): Ineligibility | null {
  const { image, definition, refusedImages } = offer;
  const { hardware, running_hash: imageHash, running_version: version } = device;
  const { configurationVersion } = image;
  const verdict =
    configurationVersion === null
      ? eligibility(
          {
            hardware,
            running: imageHash === null || version === null ? null : { version, imageHash },
            runningSecurityCounter: memory.imageOfHash(imageHash ?? "")?.securityCounter ?? null,
            refusedImages,
          },
          image,
          definition,
        )
      : configurationEligibility(
          { hardware, configurationVersion: device.configuration_version, refusedImages },
          { imageHash: image.imageHash, configurationVersion },
          definition,
        );
  return verdict.ok ? null : verdict.reason;
}

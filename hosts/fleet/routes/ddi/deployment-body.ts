import { approvedKey, configurationPart, retryKey } from "../../../../src/protocol/ddi.ts";
import type { Rollout } from "../../operations/memory.ts";
import type { FirmwareImage, ReleaseFile } from "../../operations/releases.ts";
import type { ActionRow } from "../../storage/actions.ts";

/**
 * Where the links of one request point: the server as the device sees it, its tenant and the
 * device.
 */
export interface LinkBase {
  /** Without a slash at the end. */
  readonly serverUrl: string;
  readonly tenant: string;
  readonly deviceId: string;
}

/** An action with what it is about; the rollout is gone only for an action of long ago. */
export interface Offer {
  readonly action: ActionRow;
  readonly image: ReleaseFile;
  readonly rollout: Rollout | undefined;
  /** Null where no windows to install count for the device. */
  readonly windowOpen: boolean | null;
}

export function deviceUrl(base: LinkBase): string {
  return `${base.serverUrl}/${base.tenant}/controller/v1/${base.deviceId}`;
}

/**
 * DDI v1 `deploymentBase` and its twins `installedBase` and `confirmationBase`: one chunk with one
 * artifact.
 */
export function deploymentBody(
  base: LinkBase,
  offer: Offer,
  key: "deployment" | "confirmation",
): Record<string, unknown> {
  const { action } = offer;
  const handling = action.mode === "forced" ? "forced" : "attempt";
  return {
    id: String(action.id),
    [key]: {
      download: handling,
      update: handling,
      ...(offer.windowOpen === null
        ? {}
        : { maintenanceWindow: offer.windowOpen ? "available" : "unavailable" }),
      chunks: [chunkOf(base, offer)],
    },
  };
}

/** hawkBit's software module: an image, or a configuration document, which is a type of its own. */
function chunkOf(base: LinkBase, offer: Offer): Record<string, unknown> {
  const { image } = offer;
  const content = { artifacts: [artifactBody(base, image)], metadata: metadataOf(offer) };
  return image.kind === "firmware"
    ? { part: "bApp", version: image.version, name: image.hardware, ...content }
    : {
        part: configurationPart,
        version: String(image.configurationVersion),
        name: configurationPart,
        ...content,
      };
}

/**
 * `download-http` is what Zephyr and rauc-hawkbit-updater read; `download` is what SWUpdate and our
 * agent prefer.
 */
export function artifactBody(base: LinkBase, image: ReleaseFile): Record<string, unknown> {
  const url = `${deviceUrl(base)}/softwaremodules/${image.id}/artifacts/${image.fileName}`;
  const file = { href: url };
  const md5sum = { href: `${url}.MD5SUM` };
  return {
    filename: image.fileName,
    hashes: { sha1: image.fileSha1, md5: image.fileMd5, sha256: image.fileHash },
    size: image.fileBytes,
    _links: { download: file, "download-http": file, md5sum, "md5sum-http": md5sum },
  };
}

function metadataOf({ image, action, rollout }: Offer): { key: string; value: string }[] {
  const facts: [string, string | number | null][] = [
    ...(image.kind === "firmware" ? factsOf(image) : []),
    [approvedKey, rollout?.definition.approved ? "true" : null],
    [retryKey, action.retry === 1 ? "true" : null],
  ];
  return facts.flatMap(([key, value]) => (value === null ? [] : [{ key, value: String(value) }]));
}

function factsOf(image: FirmwareImage): [string, string | number | null][] {
  return [
    ["sluice-image-hash", image.imageHash],
    ["sluice-version", image.version],
    ["sluice-hardware", image.hardware],
    ["sluice-security-counter", image.securityCounter],
    ["sluice-build-id", image.buildId],
  ];
}

import { encodeReleaseFacts, type SignedReleaseFacts } from "../../../src/image/release-facts.ts";
import { isOlder } from "../rollout/eligibility.ts";
import type { StoredArtifact } from "../storage/artifacts.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import { insertImage, insertRelease } from "../storage/releases.ts";
import { limits } from "../terms/limits.ts";
import type { Fleet } from "./fleet.ts";
import type { CheckedImage, ImageCheckRefusal, PublishRules } from "./image-check.ts";
import type { FirmwareImage } from "./releases.ts";

export type PublishRefusal =
  | ImageCheckRefusal
  | "hardware-taken"
  | "too-many-images"
  | "too-many-releases";

/** What an operator should know of an image that was published all the same. */
export interface PublishWarning {
  readonly warning: "ends-late-rollback" | "below-newest-counter" | "not-in-rollouts";
  readonly message: string;
}

export type Published =
  | {
      readonly ok: true;
      readonly image: FirmwareImage;
      readonly created: boolean;
      readonly warnings: readonly PublishWarning[];
    }
  | { readonly ok: false; readonly reason: PublishRefusal; readonly message: string };

/**
 * Verifies an image as the bootloader will and adds it to the release of its version. The file is
 * on the disk before the database names it; a power cut in between leaves a file that the next
 * attempt finds and uses.
 */
export async function publishImage(
  fleet: Fleet,
  rules: PublishRules,
  bytes: Uint8Array,
): Promise<Published> {
  const { check: checked, artifact } = await fleet.images.check(bytes, rules);
  if (!checked.ok) return checked;
  const { facts } = checked;
  const file = await fleet.artifacts.store(bytes, artifact);
  const added = await fleet.database.write((unit) => addToRelease(unit, fleet, facts, file));
  if (!added.ok) return added;
  const image = fleet.memory.images.get(added.imageId);
  if (image?.kind !== "firmware") throw new Error(`image ${added.imageId} is not in memory`);
  const warnings = [...counterWarnings(fleet, image), ...rolloutWarnings(fleet, image)];
  return { ok: true, image, created: added.created, warnings };
}

/**
 * A rollout keeps to the images that it was planned with: what comes later begins at a first stage
 * of its own.
 */
function rolloutWarnings(fleet: Fleet, image: FirmwareImage): PublishWarning[] {
  const without = [...fleet.memory.rollouts.values()].filter(
    ({ releaseId, definition, state }) =>
      releaseId === image.releaseId &&
      definition.imageIds?.includes(image.id) !== true &&
      state !== "cancelled",
  );
  const last = without.at(-1);
  if (last === undefined) return [];
  return [
    {
      warning: "not-in-rollouts",
      message: `rollout ${last.id} of ${image.version} was planned without ${image.hardware} and does not offer this image; "sluice rollout create --release ${image.version} --hardware ${image.hardware}" begins one at its first stage`,
    },
  ];
}

/**
 * Compares the security counter with that of the newest other release for the same hardware: what
 * most of the fleet runs, or soon will.
 */
function counterWarnings(fleet: Fleet, image: FirmwareImage): PublishWarning[] {
  const others = [...fleet.memory.images.values()].filter(
    (other): other is FirmwareImage =>
      other.kind === "firmware" &&
      other.releaseId !== image.releaseId &&
      other.hardware === image.hardware,
  );
  const [first, ...rest] = others;
  if (first === undefined) return [];
  const newest = rest.reduce((a, b) => (isOlder(a.version, b.version) ? b : a), first);
  const [counter, before] = [image.securityCounter ?? 0, newest.securityCounter ?? 0];
  const numbers = `security counter ${counter}, and ${newest.version}, the newest other release for ${image.hardware}, has ${before}`;
  if (counter > before)
    return [
      {
        warning: "ends-late-rollback",
        message: `${image.version} has ${numbers}: a device that confirmed it can never go back, not even when it turns out bad within its soak; sign it with --previous and without --raise-counter unless that is meant`,
      },
    ];
  if (counter === before) return [];
  return [
    {
      warning: "below-newest-counter",
      message: `${image.version} has ${numbers}: no device that runs that one can take it; sign it with --previous`,
    },
  ];
}

async function addToRelease(
  unit: UnitOfWork,
  fleet: Fleet,
  facts: CheckedImage,
  file: StoredArtifact,
): Promise<
  | { readonly ok: true; readonly imageId: number; readonly created: boolean }
  | ReturnType<typeof refuse>
> {
  const { memory } = fleet;
  const known = memory.release(facts.version);
  const taken = known?.images.find(({ hardware }) => hardware === facts.hardware);
  if (taken !== undefined)
    return taken.fileHash === file.sha256
      ? { ok: true, imageId: taken.id, created: false }
      : refuse("hardware-taken", takenText(facts, taken, file.sha256));
  if ((known?.images.length ?? 0) >= limits.imagesPerReleaseMax)
    return refuse("too-many-images", `a release has at most ${limits.imagesPerReleaseMax} images`);
  if (known === null && memory.releases.size >= limits.releasesMax)
    return refuse("too-many-releases", `a server keeps at most ${limits.releasesMax} releases`);
  const release =
    known === null
      ? await insertRelease(unit.db, {
          version: facts.version,
          configuration_version: null,
          created_at: unit.nowUnixMs,
        })
      : {
          id: known.id,
          version: known.version,
          configuration_version: null,
          created_at: known.createdAtUnixMs,
        };
  const { release: _, ...told } = facts;
  const row = await insertImage(unit.db, {
    release_id: release.id,
    hardware: facts.hardware,
    image_hash: facts.imageHash,
    file_sha256: file.sha256,
    file_sha1: file.sha1,
    file_md5: file.md5,
    file_bytes: file.sizeBytes,
    file_name: `${facts.hardware}-${facts.version.replace("+", "-")}.bin`,
    security_counter: facts.securityCounter,
    build_id: facts.buildId,
    facts: textOf(facts.release),
    created_at: unit.nowUnixMs,
  });
  await addEvent(
    unit.db,
    { kind: "image-published", releaseVersion: facts.version, details: { ...told } },
    unit.nowUnixMs,
  );
  unit.onCommit(() => {
    memory.setRelease(release);
    memory.addImage(row);
    memory.plan.advance(); // a rollout of this release may now have something for other hardware
  });
  return { ok: true, imageId: row.id, created: true };
}

function textOf(release: SignedReleaseFacts): string | null {
  const value = encodeReleaseFacts(release);
  return value === null ? null : new TextDecoder().decode(value);
}

function takenText(
  facts: CheckedImage,
  taken: { readonly fileHash: string },
  sha256: string,
): string {
  const { version, hardware } = facts;
  return (
    `release ${version} has another image for ${hardware} (SHA-256 ${taken.fileHash}, not ${sha256}); ` +
    "published images never change: build a new version"
  );
}

function refuse(
  reason: PublishRefusal,
  message: string,
): { readonly ok: false; readonly reason: PublishRefusal; readonly message: string } {
  return { ok: false, reason, message };
}

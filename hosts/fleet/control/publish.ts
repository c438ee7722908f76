import { limits } from "../limits.ts";
import type { StoredArtifact } from "../storage/artifacts.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import { insertImage, insertRelease } from "../storage/releases.ts";
import type { Fleet } from "./fleet.ts";
import {
  type CheckedImage,
  checkImage,
  type ImageCheckRefusal,
  type PublishRules,
} from "./image-check.ts";
import type { Image } from "./memory.ts";

export type PublishRefusal =
  | ImageCheckRefusal
  | "hardware-taken"
  | "too-many-images"
  | "too-many-releases";

export type Published =
  | { readonly ok: true; readonly image: Image; readonly created: boolean }
  | { readonly ok: false; readonly reason: PublishRefusal; readonly message: string };

/**
 * Verifies an image as the bootloader will and adds it to the release of its version. The file is on the disk before
 * the database names it; a power cut in between leaves a file that the next attempt finds and uses.
 */
export async function publishImage(
  fleet: Fleet,
  rules: PublishRules,
  bytes: Uint8Array,
): Promise<Published> {
  const checked = checkImage(bytes, rules);
  if (!checked.ok) return checked;
  const { facts } = checked;
  const file = await fleet.artifacts.store(bytes);
  const added = await fleet.database.write((unit) => addToRelease(unit, fleet, facts, file));
  if (!added.ok) return added;
  const image = fleet.memory.images.get(added.imageId);
  if (image === undefined) throw new Error(`image ${added.imageId} is not in memory`);
  return { ok: true, image, created: added.created };
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
    return taken.fileSha256 === file.sha256
      ? { ok: true, imageId: taken.id, created: false }
      : refuse("hardware-taken", takenText(facts, taken, file.sha256));
  if ((known?.images.length ?? 0) >= limits.imagesPerReleaseMax)
    return refuse("too-many-images", `a release has at most ${limits.imagesPerReleaseMax} images`);
  if (known === null && memory.releases.size >= limits.releasesMax)
    return refuse("too-many-releases", `a server keeps at most ${limits.releasesMax} releases`);
  const release =
    known === null
      ? await insertRelease(unit.db, { version: facts.version, created_at: unit.nowUnixMs })
      : { id: known.id, version: known.version, created_at: known.createdAtUnixMs };
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
    created_at: unit.nowUnixMs,
  });
  await addEvent(
    unit.db,
    { kind: "image-published", releaseVersion: facts.version, details: { ...facts } },
    unit.nowUnixMs,
  );
  unit.onCommit(() => {
    memory.setRelease(release);
    memory.addImage(row);
    memory.planVersion += 1; // a rollout of this release may now have something for other hardware
  });
  return { ok: true, imageId: row.id, created: true };
}

function takenText(facts: CheckedImage, taken: Image, sha256: string): string {
  const { version, hardware } = facts;
  return (
    `release ${version} has another image for ${hardware} (SHA-256 ${taken.fileSha256}, not ${sha256}); ` +
    "published images never change: build a new version"
  );
}

function refuse(
  reason: PublishRefusal,
  message: string,
): { readonly ok: false; readonly reason: PublishRefusal; readonly message: string } {
  return { ok: false, reason, message };
}

import type { ConfigurationDocument } from "../../../src/config/configuration-document.ts";
import { openConfiguration } from "../../release/configuration.ts";
import type { StoredArtifact } from "../storage/artifacts.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import { insertImage, insertRelease } from "../storage/releases.ts";
import { limits } from "../terms/limits.ts";
import type { Fleet } from "./fleet.ts";
import type { ConfigurationRelease } from "./releases.ts";

export type ConfigurationRefusal =
  | "no-configuration-keys"
  | "too-large"
  | "malformed-envelope"
  | "signature-invalid"
  | "malformed-document"
  | "limit-exceeded"
  | "windows-invalid"
  | "version-taken"
  | "too-many-releases";

export type PublishedConfiguration =
  | { readonly ok: true; readonly release: ConfigurationRelease; readonly created: boolean }
  | { readonly ok: false; readonly reason: ConfigurationRefusal; readonly message: string };

/**
 * What stands for the hardware of a configuration's file: no hardware id, so no device can have it.
 */
const anyHardware = "*";

/** The release that a configuration document is, by its version. */
export function releaseNameOf(configurationVersion: number): string {
  return `configuration-${configurationVersion}`;
}

export function configurationOf(fleet: Fleet, version: number): ConfigurationRelease | null {
  const release = fleet.memory.release(releaseNameOf(version));
  return release?.kind === "configuration" ? release : null;
}

/** Verifies a signed configuration document as a device will, and keeps it for rollouts. */
export async function publishConfiguration(
  fleet: Fleet,
  keys: readonly Uint8Array[],
  envelope: Uint8Array,
): Promise<PublishedConfiguration> {
  if (keys.length === 0) {
    const message =
      "the server has no key for configurations; start it with --configuration-key PEM";
    return { ok: false, reason: "no-configuration-keys", message };
  }
  const opened = openConfiguration(envelope, keys);
  if (!opened.ok) return opened;
  const file = await fleet.artifacts.store(envelope);
  const { document } = opened;
  const name = releaseNameOf(document.version);
  const added = await fleet.database.write(async (unit): Promise<Added> => {
    const [taken] = fleet.memory.release(name)?.images ?? [];
    if (taken !== undefined) {
      if (taken.fileHash === file.sha256) return { ok: true, imageId: taken.id, created: false };
      const message = `configuration ${document.version} is another document (SHA-256 ${taken.fileHash}); sign this one under a higher version`;
      return { ok: false, reason: "version-taken", message };
    }
    if (fleet.memory.releases.size >= limits.releasesMax) {
      const message = `a server keeps at most ${limits.releasesMax} releases`;
      return { ok: false, reason: "too-many-releases", message };
    }
    return { ok: true, imageId: await add(unit, fleet, document, file), created: true };
  });
  if (!added.ok) return added;
  const release = configurationOf(fleet, document.version);
  if (release === null) throw new Error(`configuration ${document.version} is not in memory`);
  return { ok: true, release, created: added.created };
}

type Added =
  | { readonly ok: true; readonly imageId: number; readonly created: boolean }
  | Extract<PublishedConfiguration, { ok: false }>;

async function add(
  unit: UnitOfWork,
  fleet: Fleet,
  document: ConfigurationDocument,
  file: StoredArtifact,
): Promise<number> {
  const { version, schema } = document;
  const { nowUnixMs } = unit;
  const release = await insertRelease(unit.db, {
    version: releaseNameOf(version),
    configuration_version: version,
    created_at: nowUnixMs,
  });
  const row = await insertImage(unit.db, {
    release_id: release.id,
    hardware: anyHardware,
    image_hash: file.sha256,
    file_sha256: file.sha256,
    file_sha1: file.sha1,
    file_md5: file.md5,
    file_bytes: file.sizeBytes,
    file_name: `configuration-${version}.slc`,
    security_counter: null,
    build_id: null,
    facts: null,
    created_at: nowUnixMs,
  });
  const details = { version, schema, sizeBytes: file.sizeBytes };
  await addEvent(unit.db, { kind: "configuration-published", details }, nowUnixMs);
  unit.onCommit(() => {
    fleet.memory.setRelease(release);
    fleet.memory.addImage(row);
  });
  return row.id;
}

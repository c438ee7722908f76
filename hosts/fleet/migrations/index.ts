import type { Migration, MigrationProvider } from "kysely";
import * as initial from "./0001-initial.ts";
import * as approvalAndRetry from "./0002-approval-and-retry.ts";
import * as countedApart from "./0003-counted-apart.ts";
import * as configurations from "./0004-configurations.ts";
import * as tokenMacs from "./0005-token-macs.ts";
import * as serviceTime from "./0006-service-time.ts";
import * as countedEvents from "./0007-counted-events.ts";
import * as endsAndRetries from "./0008-ends-and-retries.ts";
import * as directorTimes from "./0009-director-times.ts";
import * as spelledIds from "./0010-spelled-ids.ts";
import * as eventBytes from "./0011-event-bytes.ts";
import * as knownAddresses from "./0012-known-addresses.ts";
import * as replacedImages from "./0013-replaced-images.ts";
import * as deviceRegistry from "./0014-device-registry.ts";
import * as policies from "./0015-policies.ts";
import * as admission from "./0016-admission.ts";
import * as counters from "./0017-counters.ts";
import * as windows from "./0020-windows.ts";

/** Every migration, in the order of the names; one that was released is never changed. */
const migrations: Readonly<Record<string, Migration>> = {
  "0001-initial": initial,
  "0002-approval-and-retry": approvalAndRetry,
  "0003-counted-apart": countedApart,
  "0004-configurations": configurations,
  "0005-token-macs": tokenMacs,
  "0006-service-time": serviceTime,
  "0007-counted-events": countedEvents,
  "0008-ends-and-retries": endsAndRetries,
  "0009-director-times": directorTimes,
  "0010-spelled-ids": spelledIds,
  "0011-event-bytes": eventBytes,
  "0012-known-addresses": knownAddresses,
  "0013-replaced-images": replacedImages,
  "0014-device-registry": deviceRegistry,
  "0015-policies": policies,
  "0016-admission": admission,
  "0017-counters": counters,
  "0020-windows": windows,
};

export const migrationNames: readonly string[] = Object.keys(migrations);

export const migrationProvider: MigrationProvider = {
  getMigrations: async () => migrations,
};

import type { AddressBudget } from "../access/address-budget.ts";
import type { AttemptGuard } from "../access/attempts.ts";
import type { TokenKey } from "../access/tokens.ts";
import type { Admission } from "../admission/admission.ts";
import type { ArtifactFolder } from "../storage/artifacts.ts";
import type { FleetDatabase, Queries } from "../storage/database.ts";
import { countDevices } from "../storage/devices.ts";
import { listImages, listReleases } from "../storage/releases.ts";
import { listRollouts, listStages } from "../storage/rollouts.ts";
import type { ServedMark } from "../storage/served-mark.ts";
import { listGroupWindows } from "../storage/windows.ts";
import type { FleetClock } from "../time/clock.ts";
import type { ServiceTime } from "../time/service-time.ts";
import type { FleetTrust } from "../trust/fleet-trust.ts";
import type { Comparisons } from "./comparisons.ts";
import type { CounterDesk } from "./counter-desk.ts";
import type { DevicePaces } from "./device-paces.ts";
import type { ImageDesk } from "./image-desk.ts";
import { type DeviceEntry, DevicesOfOneServer } from "./known-devices.ts";
import { FleetMemory, rolloutOfRow, stepWindowsOfRow } from "./memory.ts";
import type { Outages } from "./outages.ts";
import { PlanOfOneServer } from "./plan.ts";
import type { ScanDesk } from "./scan-desk.ts";

/** What every operation of the server works on. */
export interface Fleet {
  readonly database: FleetDatabase;
  readonly memory: FleetMemory;
  readonly artifacts: ArtifactFolder;
  readonly outages: Outages;
  /** Null for a database that can be lost, as those of simulations. */
  readonly mark: ServedMark | null;
  /** Null for a server that knows nothing of signed metadata. */
  readonly trust: FleetTrust | null;
  /** What the database keeps of tokens is made with it. */
  readonly tokens: TokenKey;
  readonly attempts: AttemptGuard;
  readonly addresses: AddressBudget;
  readonly paces: DevicePaces;
  /** Who may be offered a release, and download it, now. */
  readonly admission: Admission<DeviceEntry>;
  readonly images: ImageDesk;
  readonly scans: ScanDesk;
  readonly counters: CounterDesk;
  readonly comparisons: Comparisons;
  readonly clock: FleetClock;
  /** How often devices are told to poll. */
  readonly pollSeconds: number;
  /** What durations are measured in. */
  readonly time: ServiceTime;
}

/**
 * Reads what is kept in memory from the start: releases, images and rollouts; devices follow at
 * their first contact.
 */
export async function loadMemory(database: FleetDatabase): Promise<FleetMemory> {
  return readMemory(database.queries);
}

export async function readMemory(db: Queries): Promise<FleetMemory> {
  const registered = await countDevices(db);
  const memory = new FleetMemory(new DevicesOfOneServer(registered), new PlanOfOneServer());
  for (const row of await listReleases(db)) memory.setRelease(row);
  for (const row of await listImages(db)) memory.addImage(row);
  for (const row of await listGroupWindows(db))
    memory.setGroupWindows(row.device_group, stepWindowsOfRow(row));
  for (const row of await listRollouts(db))
    memory.setRollout(rolloutOfRow(row, await listStages(db, row.id)));
  return memory;
}

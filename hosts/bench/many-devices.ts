import { DatabaseSync } from "node:sqlite";
import { openTokenKey } from "../fleet/access/tokens.ts";
import { FleetDatabase } from "../fleet/storage/database.ts";
import { systemClock } from "../fleet/time/clock.ts";

const devicesPerWrite = 1000;

export function manyDeviceId(number: number): string {
  return `device-${String(number).padStart(7, "0")}`;
}

/**
 * Fills the database of a server that does not run yet: all devices have one token and run 1.0.0.
 */
export async function addManyDevices(
  databaseFile: string,
  wishes: { readonly devices: number; readonly hardware: string; readonly token: string },
): Promise<void> {
  const database = await FleetDatabase.open(databaseFile, systemClock);
  try {
    const tokenMac = openTokenKey(databaseFile, false).mac(wishes.token);
    for (let from = 0; from < wishes.devices; from += devicesPerWrite)
      await database.write(async ({ db, nowUnixMs }) => {
        const end = Math.min(from + devicesPerWrite, wishes.devices);
        for (let number = from; number < end; number += 1)
          await db
            .insertInto("devices")
            .values(row(manyDeviceId(number), wishes.hardware, tokenMac, nowUnixMs))
            .execute();
      });
  } finally {
    await database.close();
  }
}

/** The same for more devices, in one statement: they differ in region, time zone and version. */
export async function fillDevices(
  databaseFile: string,
  wishes: { readonly devices: number; readonly hardware: string; readonly token: string },
): Promise<void> {
  await (await FleetDatabase.open(databaseFile, systemClock)).close();
  const tokenMac = openTokenKey(databaseFile, false).mac(wishes.token);
  const database = new DatabaseSync(databaseFile);
  try {
    database
      .prepare(`
        with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n + 1 < ?)
        insert into devices (id, token_mac, hardware, hardware_by_operator, created_at,
          running_version, running_version_key, running_hash, running_confirmed, state, state_at,
          attributes_wanted, region, timezone)
        select printf('device-%07d', n), ?, ?, 1, 0, '1.0.' || (n % 7), '1.0.' || (n % 7),
          printf('%064x', n % 7), 1, 'idle', 0, 0, 'region-' || (n % 5), 'Etc/GMT-' || (n % 11)
        from numbers`)
      .run(wishes.devices, tokenMac, wishes.hardware);
  } finally {
    database.close();
  }
}

function row(id: string, hardware: string, tokenMac: string, nowUnixMs: number) {
  return {
    id,
    token_sha256: null,
    token_mac: tokenMac,
    hardware,
    hardware_by_operator: 1,
    created_at: nowUnixMs,
    last_seen_at: null,
    running_version: "1.0.0",
    running_hash: "0".repeat(64),
    running_confirmed: 1,
    state: "idle" as const,
    reason: null,
    state_at: nowUnixMs,
    attributes_wanted: 0,
    installed_action_id: null,
    auto_confirm_at: null,
    auto_confirm_initiator: null,
    auto_confirm_remark: null,
    configuration_version: null,
  };
}

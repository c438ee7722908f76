import { type Kysely, sql } from "kysely";
import { parseVersion } from "../../../src/image/version.ts";
import { versionKey } from "../terms/version-key.ts";

/**
 * What is known of a device beside what it runs. The columns hold what counts: the operator's word
 * (`device_registrations`), else what the device told in its attributes. Labels are the operator's
 * alone.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const column of ["region", "timezone", "connectivity", "criticality", "bootloader"])
    await sql`alter table devices add column ${sql.ref(column)} text`.execute(db);
  for (const column of ["battery", "signal"])
    await sql`alter table devices add column ${sql.ref(column)} real`.execute(db);
  await sql`alter table devices add column running_version_key text`.execute(db);
  const { rows } = await sql<{ version: string }>`
    select distinct running_version as version from devices where running_version is not null`.execute(
    db,
  );
  for (const { version } of rows) {
    const parsed = parseVersion(version);
    if (parsed !== null)
      await sql`update devices set running_version_key = ${versionKey(parsed)}
        where running_version = ${version}`.execute(db);
  }
  await sql`create table device_registrations (
    device_id text not null references devices (id),
    field text not null,
    value text not null,
    primary key (device_id, field)
  ) without rowid`.execute(db);
  await sql`create table device_labels (
    device_id text not null references devices (id),
    kind text not null,
    label text not null,
    primary key (device_id, kind, label)
  ) without rowid`.execute(db);
  await sql`create index device_labels_by_label on device_labels (kind, label, device_id)`.execute(
    db,
  );
}

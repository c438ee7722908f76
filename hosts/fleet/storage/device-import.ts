import { sql } from "kysely";
import {
  type OperatorField,
  operatorFields,
  type RegistryColumns,
  type RegistryField,
  registryFields,
} from "../terms/registry.ts";
import type { Queries } from "./database.ts";
import { listOf, rowsOf } from "./sqlite/statements.ts";
import type { LabelKind } from "./tables.ts";

/**
 * Reads and writes of many devices at once, for files of them: each takes a page of ids, and as
 * many statements as for one device.
 */

/** What an operator says of a device, and its hardware. */
export interface OperatorFacts {
  readonly hardware: string | null;
  readonly fields: Readonly<Partial<Record<OperatorField, string>>>;
  /** Sorted. */
  readonly labels: Readonly<Record<LabelKind, readonly string[]>>;
}

export async function readOperatorFacts(
  db: Queries,
  ids: readonly string[],
): Promise<ReadonlyMap<string, OperatorFacts>> {
  const devices = await db
    .selectFrom("devices")
    .select(["id", "hardware"])
    .where("id", "in", listOf(ids))
    .execute();
  const facts = new Map(
    devices.map(({ id, hardware }) => [
      id,
      {
        hardware,
        fields: {} as Partial<Record<OperatorField, string>>,
        labels: { tag: [] as string[], group: [] as string[] },
      },
    ]),
  );
  for (const { device_id: id, field, value } of await readSetFields(db, ids)) {
    const known = operatorFields.find((one) => one === field);
    const of = facts.get(id);
    if (known !== undefined && of !== undefined) of.fields[known] = value;
  }
  const labels = await db
    .selectFrom("device_labels")
    .selectAll()
    .where("device_id", "in", listOf(ids))
    .orderBy("label")
    .execute();
  for (const { device_id: id, kind, label } of labels) facts.get(id)?.labels[kind].push(label);
  return facts;
}

function readSetFields(db: Queries, ids: readonly string[]) {
  return db
    .selectFrom("device_registrations")
    .selectAll()
    .where("device_id", "in", listOf(ids))
    .execute();
}

/** For each device what its columns are made of: what the operator set, and what it told. */
export async function readRegistrySources(
  db: Queries,
  ids: readonly string[],
): Promise<
  ReadonlyMap<
    string,
    {
      readonly set: Partial<Record<RegistryField, string>>;
      readonly told: Record<string, string>;
    }
  >
> {
  const sources = new Map(
    ids.map((id) => [
      id,
      { set: {} as Partial<Record<RegistryField, string>>, told: {} as Record<string, string> },
    ]),
  );
  for (const { device_id: id, field, value } of await readSetFields(db, ids)) {
    const known = registryFields.find((one) => one === field);
    const of = sources.get(id);
    if (known !== undefined && of !== undefined) of.set[known] = value;
  }
  const keys = registryFields.flatMap((field) => [`sluice-${field}`, field]);
  const told = await db
    .selectFrom("device_attributes")
    .selectAll()
    .where("device_id", "in", listOf(ids))
    .where("key", "in", listOf(keys))
    .execute();
  for (const { device_id: id, key, value } of told) {
    const of = sources.get(id);
    if (of !== undefined) of.told[key] = value;
  }
  return sources;
}

export async function countAmong(db: Queries, ids: readonly string[]): Promise<number> {
  const row = await db
    .selectFrom("devices")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("id", "in", listOf(ids))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Devices without a token; answers how many ids were free. */
export async function insertImported(
  db: Queries,
  devices: readonly { readonly id: string; readonly hardware: string }[],
  nowUnixMs: number,
): Promise<number> {
  const rows = devices.map(({ id, hardware }) => [id, hardware]);
  const result = await sql`
    insert into devices (id, hardware, hardware_by_operator, created_at, state, state_at,
      attributes_wanted)
    select id, hardware, 1, ${nowUnixMs}, 'unknown', ${nowUnixMs}, 1
    from ${rowsOf(["id", "hardware"], rows)} as added where true
    on conflict (id) do nothing`.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}

/** Null takes the operator's word back. */
export async function writeSetFields(
  db: Queries,
  values: readonly (readonly [id: string, field: OperatorField, value: string | null])[],
): Promise<void> {
  const pairs = values.map(([id, field]) => [id, field]);
  await sql`delete from device_registrations where (device_id, field) in
    ${rowsOf(["device_id", "field"], pairs)}`.execute(db);
  const kept = values.flatMap(([id, field, value]) => (value === null ? [] : [[id, field, value]]));
  await sql`insert into device_registrations (device_id, field, value)
    select device_id, field, value
    from ${rowsOf(["device_id", "field", "value"], kept)}`.execute(db);
}

/** The labels of that kind are these, and no others. */
export async function replaceLabels(
  db: Queries,
  kind: LabelKind,
  labels: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  await db
    .deleteFrom("device_labels")
    .where("kind", "=", kind)
    .where("device_id", "in", listOf([...labels.keys()]))
    .execute();
  const rows = [...labels].flatMap(([id, all]) => all.map((label) => [id, label]));
  await sql`insert into device_labels (device_id, kind, label)
    select device_id, ${kind}, label from ${rowsOf(["device_id", "label"], rows)}`.execute(db);
}

export async function writeHardware(
  db: Queries,
  devices: readonly { readonly id: string; readonly hardware: string }[],
): Promise<void> {
  const rows = devices.map(({ id, hardware }) => [id, hardware]);
  await sql`update devices set hardware = told.hardware, hardware_by_operator = 1
    from ${rowsOf(["id", "hardware"], rows)} as told where devices.id = told.id`.execute(db);
}

export async function writeRegistryColumns(
  db: Queries,
  columns: ReadonlyMap<string, RegistryColumns>,
): Promise<void> {
  const rows = [...columns].map(([id, values]) => [
    id,
    ...registryFields.map((field) => values[field]),
  ]);
  const sets = registryFields.map((field) => sql`${sql.ref(field)} = told.${sql.ref(field)}`);
  await sql`update devices set ${sql.join(sets)}
    from ${rowsOf(["id", ...registryFields], rows)} as told
    where devices.id = told.id`.execute(db);
}

/** The ones among these devices that are members of one of the rollouts. */
export async function listMembersAmong(
  db: Queries,
  rolloutIds: readonly number[],
  ids: readonly string[],
): Promise<string[]> {
  const rows = await db
    .selectFrom("rollout_members")
    .select("device_id")
    .distinct()
    .where("device_id", "in", listOf(ids))
    .where("rollout_id", "in", rolloutIds)
    .execute();
  return rows.map(({ device_id: id }) => id);
}

/** Each device's bound is kept by the next event of its own. */
export async function addEventsOfDevices(
  db: Queries,
  events: readonly { readonly kind: string; readonly id: string; readonly details: object }[],
  nowUnixMs: number,
): Promise<void> {
  const rows = events.map(({ kind, id, details }) => [kind, id, JSON.stringify(details)]);
  await sql`insert into events (at, kind, device_id, details)
    select ${nowUnixMs}, kind, device_id, details
    from ${rowsOf(["kind", "device_id", "details"], rows)}`.execute(db);
}

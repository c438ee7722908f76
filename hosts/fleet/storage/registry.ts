import type { RegistryField } from "../terms/registry.ts";
import type { Queries } from "./database.ts";
import type { LabelKind } from "./tables.ts";

/** What an operator set of a device. */
export async function readRegistrations(
  db: Queries,
  deviceId: string,
): Promise<Partial<Record<RegistryField, string>>> {
  const rows = await db
    .selectFrom("device_registrations")
    .select(["field", "value"])
    .where("device_id", "=", deviceId)
    .execute();
  return Object.fromEntries(rows.map(({ field, value }) => [field, value]));
}

/** Null takes the operator's word back: the device's own counts again. */
export async function writeRegistration(
  db: Queries,
  deviceId: string,
  field: RegistryField,
  value: string | null,
): Promise<void> {
  await db
    .deleteFrom("device_registrations")
    .where("device_id", "=", deviceId)
    .where("field", "=", field)
    .execute();
  if (value !== null)
    await db
      .insertInto("device_registrations")
      .values({ device_id: deviceId, field, value })
      .execute();
}

/** Tags or groups of a device, sorted. */
export async function listLabels(
  db: Queries,
  deviceId: string,
  kind: LabelKind,
): Promise<string[]> {
  const rows = await db
    .selectFrom("device_labels")
    .select("label")
    .where("device_id", "=", deviceId)
    .where("kind", "=", kind)
    .orderBy("label")
    .execute();
  return rows.map(({ label }) => label);
}

export async function addLabel(
  db: Queries,
  deviceId: string,
  kind: LabelKind,
  label: string,
): Promise<void> {
  await db
    .insertInto("device_labels")
    .values({ device_id: deviceId, kind, label })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function removeLabel(
  db: Queries,
  deviceId: string,
  kind: LabelKind,
  label: string,
): Promise<void> {
  await db
    .deleteFrom("device_labels")
    .where("device_id", "=", deviceId)
    .where("kind", "=", kind)
    .where("label", "=", label)
    .execute();
}

import { type Expression, type SqlBool, sql } from "kysely";
import type { Filter } from "../filter/filter.ts";
import type { Queries } from "./database.ts";
import { filterCondition } from "./filter-query.ts";
import { listOf, rowNumber, textList, textListOf } from "./sqlite/statements.ts";

/** Which devices are looked at. */
export interface DeviceSelection {
  readonly hardware: readonly string[] | null;
  readonly devices: readonly string[] | null;
  readonly filter: Filter | null;
  readonly nowUnixMs: number;
  /** Filters that tell the devices apart; null passes all. */
  readonly apart: readonly (Filter | null)[];
}

/** What devices have in common that a plan looks at. */
export interface GroupFacts {
  readonly hardware: string | null;
  readonly runningVersion: string | null;
  readonly runningHash: string | null;
  readonly configurationVersion: number | null;
  readonly region: string | null;
  readonly timeZone: string | null;
  /** For each of the filters that tell devices apart, whether these pass it. */
  readonly passes: readonly boolean[];
}

export interface DeviceGroup {
  readonly facts: GroupFacts;
  readonly count: number;
  /** The rows of the first ones. */
  readonly rows: readonly number[];
}

/** Rows that are kept of each group. */
const rowsKept = 10;
/** A fleet whose devices differ in more ways is to be looked at a part at a time. */
const groupsMax = 50_000;

/** Devices differ in too many ways to be counted by what they have in common. */
export class TooManyGroupsError extends Error {}

/** Counts devices by their keys, as the query of `groupKeys` answers them. */
export class GroupTally {
  readonly #groups = new Map<string, { count: number; readonly rows: number[] }>();

  add(key: string, row: number): void {
    const known = this.#groups.get(key);
    if (known !== undefined) {
      known.count += 1;
      if (known.count <= rowsKept) known.rows.push(row);
      return;
    }
    if (this.#groups.size >= groupsMax)
      throw new TooManyGroupsError(`the devices differ in more than ${groupsMax} ways`);
    this.#groups.set(key, { count: 1, rows: [row] });
  }

  get groups(): DeviceGroup[] {
    return [...this.#groups].map(([key, { count, rows }]) => ({
      facts: factsOfKey(key),
      count,
      rows,
    }));
  }
}

/** The key of the group and the number of the row of each selected device. */
export function groupKeys(db: Queries, selection: DeviceSelection) {
  return selected(db, selection).select((build) => [
    keyOf(selection.apart.map((filter) => passing(build, filter, selection.nowUnixMs))).as("key"),
    rowNumber("devices").as("row"),
  ]);
}

/** The selected devices that refuse an image, each with the hashes of what it refuses. */
export function refusingDevices(db: Queries, selection: DeviceSelection) {
  return selected(db, selection)
    .innerJoin("device_refusals", "device_refusals.device_id", "devices.id")
    .groupBy("device_refusals.device_id")
    .select((build) => [
      keyOf(selection.apart.map((filter) => passing(build, filter, selection.nowUnixMs))).as("key"),
      rowNumber("devices").as("row"),
      textListOf(sql.ref("device_refusals.image_hash")).as("refused"),
    ]);
}

/** The selected devices in the order of their ids, from the one after `after`. */
export async function listSelected(
  db: Queries,
  selection: DeviceSelection,
  page: { readonly after: string; readonly limit: number },
) {
  return selected(db, selection)
    .select(["id", "hardware", "running_version", "running_hash", "configuration_version"])
    .where("devices.id", ">", page.after)
    .orderBy("devices.id")
    .limit(page.limit)
    .execute();
}

/** The ids of the devices in these rows. */
export async function idsOfRows(
  db: Queries,
  rows: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const found = await db
    .selectFrom("devices")
    .select(["id", rowNumber("devices").as("row")])
    .where(rowNumber("devices"), "in", rows.length === 0 ? [-1] : rows)
    .execute();
  return new Map(found.map(({ id, row }) => [row, id]));
}

export function factsOfKey(key: string): GroupFacts {
  const [hardware, runningVersion, runningHash, configurationVersion, region, timeZone, ...passes] =
    JSON.parse(key);
  const facts = { hardware, runningVersion, runningHash, configurationVersion, region, timeZone };
  return { ...facts, passes: passes.map((passed: number) => passed === 1) };
}

function selected(db: Queries, { hardware, devices, filter, nowUnixMs }: DeviceSelection) {
  let query = db.selectFrom("devices");
  if (hardware !== null) query = query.where("devices.hardware", "in", hardware);
  if (devices !== null) query = query.where("devices.id", "in", listOf(devices));
  if (filter !== null) query = query.where((build) => filterCondition(build, filter, nowUnixMs));
  return query;
}

function keyOf(passes: readonly Expression<SqlBool>[]) {
  const columns = [
    ...["hardware", "running_version", "running_hash", "configuration_version"],
    ...["region", "timezone"],
  ].map((column) => sql.ref(`devices.${column}`));
  return textList([...columns, ...passes]);
}

type Builder = Parameters<typeof filterCondition>[0];

function passing(build: Builder, filter: Filter | null, nowUnixMs: number): Expression<SqlBool> {
  if (filter === null) return sql<SqlBool>`1`;
  return sql<SqlBool>`(${filterCondition(build, filter, nowUnixMs)}) is true`;
}

import type { ImportDefect } from "../registry-file/defects.ts";
import type { UnitOfWork } from "../storage/database.ts";
import {
  addEventsOfDevices,
  countAmong,
  insertImported,
  listMembersAmong,
  readRegistrySources,
  replaceLabels,
  writeHardware,
  writeRegistryColumns,
  writeSetFields,
} from "../storage/device-import.ts";
import { type DeviceRow, listSpelledOtherwise } from "../storage/devices.ts";
import { addEvent } from "../storage/events.ts";
import { limits } from "../terms/limits.ts";
import type { DeviceId } from "../terms/names.ts";
import { columnsOfRegistry, operatorFields } from "../terms/registry.ts";
import { leaveTurn } from "../time/slices.ts";
import { findEntry } from "./contact.ts";
import { decideInstruction } from "./decide.ts";
import { DeviceChange } from "./device-change.ts";
import type { Fleet } from "./fleet.ts";
import {
  type ImportChange,
  type ImportCounts,
  type ImportQuestion,
  importScan,
} from "./import-scan.ts";
import { undecided } from "./plan.ts";

export type ImportResult =
  | { readonly ok: true; readonly counts: ImportCounts; readonly applied: boolean }
  | {
      readonly ok: false;
      readonly reason: "file-invalid";
      readonly defects: readonly ImportDefect[];
      readonly count: number;
    }
  | {
      readonly ok: false;
      readonly reason: "fleet-changed" | "too-many-devices";
      readonly message: string;
    };

/**
 * Takes a file of devices: all that it says, or nothing. A file with any defect changes nothing,
 * nor does a `dryRun`, which tells what would be.
 */
export async function importDevices(
  fleet: Fleet,
  question: ImportQuestion,
  dryRun: boolean,
): Promise<ImportResult> {
  const judged = await fleet.scans.ask(fleet.database, importScan, question);
  if (!judged.ok) return { ...judged, reason: "file-invalid" };
  const { counts, pages } = judged;
  const registered = fleet.memory.devices.registered + counts.created;
  if (registered > limits.devicesMax)
    return refuse(
      "too-many-devices",
      `the fleet would have ${registered} devices, of at most ${limits.devicesMax}; remove what is gone (sluice device remove)`,
    );
  if (dryRun || counts.created + counts.changed === 0)
    return { ok: true, counts, applied: !dryRun };
  const done = await fleet.database
    .write((unit) => apply(unit, fleet, counts, pages))
    .catch((error: unknown) => {
      if (!(error instanceof Overtaken)) throw error;
      return refuse(
        "fleet-changed",
        `${error.message} since the file was judged, and nothing was changed; import it again`,
      );
    });
  if (done !== null) return done;
  await decideAgain(fleet, pages);
  return { ok: true, counts, applied: true };
}

/** Undoes the unit of work; never leaves this file. */
class Overtaken extends Error {}

type Patch = readonly [id: DeviceId, columns: Partial<DeviceRow>];

async function apply(
  unit: UnitOfWork,
  fleet: Fleet,
  counts: ImportCounts,
  pages: readonly string[],
): Promise<null> {
  const patches: Patch[] = [];
  for (const text of pages) {
    await leaveTurn();
    const page = JSON.parse(text) as ImportChange[];
    if (page.length > 0) patches.push(...(await applyPage(unit, page)));
  }
  const details = { ...counts };
  await addEvent(unit.db, { kind: "devices-imported", details }, unit.nowUnixMs);
  unit.onCommit(() => bringUpToDate(fleet, counts.created, patches));
  return null;
}

async function applyPage(
  { db, nowUnixMs }: UnitOfWork,
  page: readonly ImportChange[],
): Promise<Patch[]> {
  const withHardware = page.flatMap(({ id, isNew, hardware }) =>
    hardware === undefined ? [] : [{ id, isNew, hardware }],
  );
  const created = withHardware.filter(({ isNew }) => isNew);
  for (const { id } of created) {
    const [other] = await listSpelledOtherwise(db, id);
    if (other !== undefined) throw new Overtaken(`device ${other} was registered`);
  }
  if ((await insertImported(db, created, nowUnixMs)) !== created.length)
    throw new Overtaken("a device of the file was registered");
  await writeHardware(
    db,
    withHardware.filter(({ isNew }) => !isNew),
  );
  const ids = page.map(({ id }) => id);
  if ((await countAmong(db, ids)) !== ids.length)
    throw new Overtaken("a device of the file was removed");
  await writeSetFields(
    db,
    page.flatMap(({ id, fields }) =>
      operatorFields.flatMap((field) => {
        const value = fields[field];
        return value === undefined ? [] : [[id, field, value] as const];
      }),
    ),
  );
  for (const kind of ["tag", "group"] as const) {
    const labels = page.flatMap(({ id, labels }) => {
      const all = labels[kind];
      return all === undefined ? [] : [[id, all] as const];
    });
    await replaceLabels(db, kind, new Map(labels));
  }
  const sources = await readRegistrySources(db, ids);
  const columns = new Map(
    [...sources].map(([id, { set, told }]) => [id, columnsOfRegistry(set, told)]),
  );
  await writeRegistryColumns(db, columns);
  await addEventsOfDevices(db, page.map(eventOf), nowUnixMs);
  return page.map(({ id, isNew, hardware }) => {
    const own = isNew || hardware === undefined ? {} : { hardware, hardware_by_operator: 1 };
    return [id, { ...columns.get(id), ...own }];
  });
}

function eventOf({ id, isNew, hardware, fields, labels }: ImportChange) {
  const kind = isNew ? "device-registered" : "device-registry-set";
  const said = hardware === undefined ? {} : { hardware };
  return { kind, id, details: { by: "import", ...said, ...fields, ...labels } };
}

/** What memory knows of the devices, which are decided about again at their next contact. */
async function bringUpToDate(
  fleet: Fleet,
  created: number,
  patches: readonly Patch[],
): Promise<void> {
  const { devices } = fleet.memory;
  devices.noteRegistered(created);
  for (const [index, [id, columns]] of patches.entries()) {
    if (index % patchesPerTurn === 0) await leaveTurn();
    const entry = devices.find(id);
    if (entry === null) continue;
    entry.row = { ...entry.row, ...columns };
    entry.decidedPlan = undecided;
    entry.pollAnswer = null;
  }
}

const patchesPerTurn = 100;

/**
 * Members of rollouts are decided about at once: one that a filter does not take any more is not
 * waited for. Should the server end before, their next contact does it.
 */
async function decideAgain(fleet: Fleet, pages: readonly string[]): Promise<void> {
  const served = [...fleet.memory.rollouts.values()]
    .filter(({ state }) => state !== "cancelled" && state !== "halted")
    .map(({ id }) => id);
  if (served.length === 0) return;
  for (const text of pages) {
    await leaveTurn();
    const ids = (JSON.parse(text) as ImportChange[]).flatMap(({ id, isNew }) => (isNew ? [] : id));
    const members = await listMembersAmong(fleet.database.queries, served, ids);
    if (members.length === 0) continue;
    await fleet.database.write(async (unit) => {
      for (const id of members) {
        const entry = await findEntry(fleet, id, unit.db);
        if (entry === null) continue;
        const decidedPlan = fleet.memory.plan.number;
        const change = new DeviceChange(unit, fleet, entry);
        await decideInstruction(change);
        await change.finish(decidedPlan);
      }
    });
  }
}

function refuse(reason: "fleet-changed" | "too-many-devices", message: string) {
  return { ok: false, reason, message } as const;
}

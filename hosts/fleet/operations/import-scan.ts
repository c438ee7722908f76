import { DefectList, type ImportDefect } from "../registry-file/defects.ts";
import { type FileForm, readRecords } from "../registry-file/records.ts";
import { type FileRow, labelColumns, RowReader } from "../registry-file/rows.ts";
import type { Queries } from "../storage/database.ts";
import { type OperatorFacts, readOperatorFacts } from "../storage/device-import.ts";
import { listSpelledOtherwise } from "../storage/devices.ts";
import type { LabelKind } from "../storage/tables.ts";
import type { DeviceId } from "../terms/names.ts";
import { type OperatorField, operatorFields } from "../terms/registry.ts";
import type { Scan } from "./scan-desk.ts";

export interface ImportQuestion {
  readonly bytes: Uint8Array;
  readonly form: FileForm;
  /** Devices that the server does not know are registered, instead of refused. */
  readonly register: boolean;
}

/** What of a device is another in the file. */
export interface ImportChange {
  readonly id: DeviceId;
  readonly isNew: boolean;
  readonly hardware?: string;
  readonly fields: Readonly<Partial<Record<OperatorField, string | null>>>;
  readonly labels: Readonly<Partial<Record<LabelKind, readonly string[]>>>;
}

export interface ImportCounts {
  readonly devices: number;
  readonly created: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Values and labels that the file takes away. */
  readonly cleared: number;
}

export type JudgedImport =
  | {
      readonly ok: true;
      readonly counts: ImportCounts;
      /** `ImportChange[]` as JSON, a page in each: threads hand texts over at once. */
      readonly pages: readonly string[];
    }
  | { readonly ok: false; readonly defects: readonly ImportDefect[]; readonly count: number };

/** Devices that one statement, and one turn of the serving thread, is about. */
const pageSize = 100;

/** Reads a file of devices, and compares it with what is known of them. */
export const importScan: Scan<ImportQuestion, JudgedImport> = {
  name: "import",
  async answer({ db }, { bytes, form, register }) {
    const read = readRecords(bytes, form);
    if (!read.ok) return read;
    const defects = new DefectList();
    const reader = new RowReader(form, defects);
    const rows = read.records.flatMap((record) => reader.read(record) ?? []);
    const counts = { devices: rows.length, created: 0, changed: 0, unchanged: 0, cleared: 0 };
    const pages: string[] = [];
    for (let from = 0; from < rows.length; from += pageSize) {
      const page = rows.slice(from, from + pageSize);
      const known = await readOperatorFacts(
        db,
        page.map(({ id }) => id),
      );
      const changes: ImportChange[] = [];
      for (const row of page) {
        const facts = known.get(row.id) ?? null;
        if (facts === null) await checkNew(db, row, register, defects);
        checkHardware(row, facts, defects);
        const { change, cleared } = compared(row, facts);
        counts.cleared += cleared;
        if (change === null) counts.unchanged += 1;
        else changes.push(change);
        if (change !== null) counts[change.isNew ? "created" : "changed"] += 1;
      }
      pages.push(JSON.stringify(changes));
    }
    return defects.count > 0 ? defects.refusal() : { ok: true, counts, pages };
  },
};

async function checkNew(
  db: Queries,
  { line, id }: FileRow,
  register: boolean,
  defects: DefectList,
): Promise<void> {
  const [other] = await listSpelledOtherwise(db, id);
  const rule =
    other !== undefined
      ? `it is ${other} in another spelling, which is in the fleet; use that one`
      : register
        ? null
        : "no device is known by this id; --register (register=true) takes new ones in";
  if (rule !== null) defects.add({ line, column: "id", value: id, rule });
}

/** The file names the hardware of a device that comes with it, and cannot take one back. */
function checkHardware(row: FileRow, facts: OperatorFacts | null, defects: DefectList): void {
  const isLacking = facts === null ? row.hardware == null : row.hardware === null && facts.hardware;
  if (!isLacking) return;
  const rule =
    facts === null
      ? "a new device needs its hardware"
      : `it is ${facts.hardware}; a hardware is replaced by another, never taken back`;
  defects.add({ line: row.line, column: "hardware", value: null, rule });
}

function compared(
  row: FileRow,
  facts: OperatorFacts | null,
): { readonly change: ImportChange | null; readonly cleared: number } {
  let cleared = 0;
  const fields: Partial<Record<OperatorField, string | null>> = {};
  for (const field of operatorFields) {
    const value = row.fields[field];
    const before = facts?.fields[field] ?? null;
    if (value === undefined || value === before) continue;
    fields[field] = value;
    if (value === null) cleared += 1;
  }
  const labels: Partial<Record<LabelKind, readonly string[]>> = {};
  for (const column of ["tags", "groups"] as const) {
    const after = row.labels[column];
    const kind = labelColumns[column];
    const before = facts?.labels[kind] ?? [];
    if (after === undefined || after.join(" ") === [...before].sort().join(" ")) continue;
    labels[kind] = after;
    cleared += before.filter((label) => !after.includes(label)).length;
  }
  const isOther = row.hardware != null && row.hardware !== facts?.hardware;
  const isNew = facts === null;
  const isSame = Object.keys({ ...fields, ...labels }).length === 0 && !isOther;
  if (isSame && !isNew) return { change: null, cleared };
  const hardware = isOther ? { hardware: row.hardware } : {};
  return { change: { id: row.id, isNew, fields, labels, ...hardware }, cleared };
}

import { deviceIdRule } from "../../../src/protocol/device-id.ts";
import { type DeviceId, digitsOfId, parseDeviceId } from "../terms/names.ts";
import {
  isLabel,
  labelsPerDeviceMax,
  type OperatorField,
  operatorFields,
  whyNotRegistered,
} from "../terms/registry.ts";
import type { DefectList } from "./defects.ts";
import type { FileForm, FileRecord } from "./records.ts";

export const labelColumns = { tags: "tag", groups: "group" } as const;
type LabelColumn = keyof typeof labelColumns;

/** The columns of a file of devices, in the order in which an export writes them. */
const fileColumns = ["id", "hardware", ...operatorFields, "tags", "groups"] as const;

/** What a file says of a device; what it does not name stays as it is. */
export interface FileRow {
  readonly line: number;
  readonly id: DeviceId;
  /** Null: none is known. */
  readonly hardware?: string | null;
  /** Null takes the operator's word back. */
  readonly fields: Readonly<Partial<Record<OperatorField, string | null>>>;
  /** All of them: what is not among them is taken away. */
  readonly labels: Readonly<Partial<Record<LabelColumn, readonly string[]>>>;
}

/** The form of `hardwareId` in the management API. */
const hardwareForm = /^[a-z0-9.]+(?:-[a-z0-9.]+)+$/;
const hardwareRule = "family-revision such as esp32c3-b, in lower case, at most 32 characters";

/** Reads records as devices; each defect is told by its line and column. */
export class RowReader {
  readonly #defects: DefectList;
  readonly #form: FileForm;
  readonly #lines = new Map<string, number>();
  /** What was judged before: a time zone takes long to look up. */
  readonly #rules = new Map<string, string | null>();

  constructor(form: FileForm, defects: DefectList) {
    this.#form = form;
    this.#defects = defects;
  }

  read({ line, values }: FileRecord): FileRow | null {
    const before = this.#defects.count;
    const id = this.#id(line, values);
    const fields: Partial<Record<OperatorField, string | null>> = {};
    const labels: Partial<Record<LabelColumn, readonly string[]>> = {};
    let hardware: string | null | undefined;
    for (const [column, value] of values) {
      const field = operatorFields.find((one) => one === column);
      if (column === "id") continue;
      if (column === "hardware") hardware = this.#text(line, column, value);
      else if (field !== undefined) fields[field] = this.#text(line, field, value) ?? null;
      else if (column === "tags" || column === "groups")
        labels[column] = this.#labels(line, column, value);
      else {
        const rule = `no column is called so; columns: ${fileColumns.join(", ")}`;
        this.#wrong(this.#form === "csv" ? 1 : line, column, null, rule);
      }
    }
    if (hardware != null && !(hardwareForm.test(hardware) && hardware.length <= 32))
      this.#wrong(line, "hardware", hardware, hardwareRule);
    for (const field of operatorFields) {
      const why = fields[field] == null ? null : this.#why(field, fields[field]);
      if (why !== null) this.#wrong(line, field, fields[field] ?? null, why);
    }
    if (id === null || this.#defects.count > before) return null;
    return { line, id, fields, labels, ...(hardware === undefined ? {} : { hardware }) };
  }

  #id(line: number, values: ReadonlyMap<string, unknown>): DeviceId | null {
    const value = this.#text(line, "id", values.get("id") ?? null);
    if (value === undefined) return null;
    const id = parseDeviceId(value ?? "");
    if (id === null) {
      this.#wrong(line, "id", value, deviceIdRule);
      return null;
    }
    const name = digitsOfId(id) ?? id;
    const other = this.#lines.get(name);
    if (other !== undefined)
      this.#wrong(line, "id", id, `a device is named once, in one spelling: see line ${other}`);
    else this.#lines.set(name, line);
    return id;
  }

  /** Null for nothing; undefined for what is no text, which is told. */
  #text(line: number, column: string, value: unknown): string | null | undefined {
    if (value === null) return null;
    if (typeof value !== "string") {
      this.#wrong(line, column, JSON.stringify(value), "a text, or null");
      return undefined;
    }
    const text = this.#form === "csv" ? value.replace(/^ +| +$/g, "") : value;
    return text === "" && this.#form === "csv" ? null : text;
  }

  #labels(line: number, column: LabelColumn, value: unknown): readonly string[] {
    const texts: readonly unknown[] | null =
      typeof value === "string" && this.#form === "csv"
        ? value.split(/[ ,;]+/).filter((text) => text !== "")
        : Array.isArray(value)
          ? value
          : value === null
            ? []
            : null;
    if (texts === null) {
      this.#wrong(line, column, JSON.stringify(value), "an array of texts, or null");
      return [];
    }
    const all = new Set<string>();
    for (const text of texts)
      if (typeof text === "string" && isLabel(text)) all.add(text);
      else {
        const told = typeof text === "string" ? text : JSON.stringify(text);
        this.#wrong(line, column, told, "each is 1 to 64 letters, digits and . _ + / -");
      }
    if (all.size > labelsPerDeviceMax)
      this.#wrong(line, column, String(all.size), `a device has at most ${labelsPerDeviceMax}`);
    return [...all].sort();
  }

  #why(field: OperatorField, value: string): string | null {
    const name = `${field} ${value}`;
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    if (this.#rules.size >= rulesMax) this.#rules.clear();
    const why = whyNotRegistered(field, value);
    this.#rules.set(name, why);
    return why;
  }

  #wrong(line: number, column: string, value: string | null, rule: string): void {
    this.#defects.add({ line, column, value, rule });
  }
}

const rulesMax = 10_000;

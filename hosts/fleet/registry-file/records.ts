import { CsvError, parse } from "csv-parse/sync";
import { limits } from "../terms/limits.ts";
import { DefectList, type ImportDefect } from "./defects.ts";

/** How a file is written: CSV with a header, JSON lines, or one JSON array. */
export type FileForm = "csv" | "lines" | "array";

/** One device as the file has it: of CSV texts, of JSON any values. */
export interface FileRecord {
  /** From 1; the header of CSV is line 1. Of a JSON array, the number of the item. */
  readonly line: number;
  readonly values: ReadonlyMap<string, unknown>;
}

export type ReadRecords =
  | { readonly ok: true; readonly records: readonly FileRecord[] }
  | { readonly ok: false; readonly defects: readonly ImportDefect[]; readonly count: number };

/** A cell of a device is far shorter; what is longer lacks a closing quote. */
const recordCharactersMax = 32 * 1024;

/** Reads the records of a file of devices; of one that is damaged, nothing. */
export function readRecords(bytes: Uint8Array, form: FileForm): ReadRecords {
  const defects = new DefectList();
  const text = textOf(bytes);
  if (text === null) {
    defects.add({
      line: 1,
      column: null,
      value: null,
      rule: "the file is text in UTF-8; save it again in that coding",
    });
    return defects.refusal();
  }
  const records = form === "csv" ? csvRecords(text, defects) : jsonRecords(text, form, defects);
  if (records.length > limits.importedDevicesMax)
    defects.add({
      line: limits.importedDevicesMax + 1,
      column: null,
      value: null,
      rule: `a file has at most ${limits.importedDevicesMax} devices; split it`,
    });
  if (defects.count > 0) return defects.refusal();
  return { ok: true, records };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes); // takes a BOM away
  } catch {
    return null; // the caller says so
  }
}

interface CsvRecord {
  readonly info: { readonly lines: number };
  readonly record: readonly string[];
}

function csvRecords(text: string, defects: DefectList): FileRecord[] {
  let rows: readonly CsvRecord[];
  try {
    rows = parse(text, {
      info: true,
      delimiter: delimiterOf(text),
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: recordCharactersMax,
      to: limits.importedDevicesMax + 2,
    }) as unknown as readonly CsvRecord[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error["lines"] === "number" ? error["lines"] : 1;
    const rule = `it is no CSV (RFC 4180): ${error.message}`;
    defects.add({ line, column: null, value: null, rule });
    return [];
  }
  const [header, ...others] = rows;
  const columns = header?.record.map((name) => name.trim().toLowerCase()) ?? [];
  for (const [place, name] of columns.entries())
    if (columns.indexOf(name) !== place)
      defects.add({ line: 1, column: name, value: null, rule: "a column is named once" });
  if (header === undefined)
    defects.add({ line: 1, column: null, value: null, rule: "the first line names the columns" });
  if (defects.count > 0) return [];
  return others.map(({ info, record }) => {
    if (record.length !== columns.length)
      defects.add({
        line: info.lines,
        column: null,
        value: String(record.length),
        rule: `a line has as many cells as the header, ${columns.length}`,
      });
    const cells = columns.map((name, place) => [name, record[place] ?? ""] as const);
    return { line: info.lines, values: new Map(cells) };
  });
}

/** Spreadsheets of other countries write a semicolon; no column has any of them in its name. */
function delimiterOf(text: string): string {
  const header = text.slice(0, 1000).split(/[\r\n]/, 1)[0] ?? "";
  const counts = [",", ";", "\t"].map((sign) => [header.split(sign).length, sign] as const);
  return counts.reduce((most, one) => (one[0] > most[0] ? one : most))[1];
}

function jsonRecords(text: string, form: "lines" | "array", defects: DefectList): FileRecord[] {
  const items: { line: number; value: unknown }[] = [];
  if (form === "array") {
    const whole = jsonOf(text);
    if (!Array.isArray(whole)) {
      const rule = "it is a JSON array of objects; objects on lines of their own are JSON lines";
      defects.add({ line: 1, column: null, value: null, rule });
      return [];
    }
    for (const [index, value] of whole.entries()) items.push({ line: index + 1, value });
  } else
    for (const [index, line] of text.split("\n").entries())
      if (line.trim() !== "") items.push({ line: index + 1, value: jsonOf(line) });
  const records: FileRecord[] = [];
  for (const { line, value } of items)
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      records.push({ line, values: new Map(Object.entries(value)) });
    else defects.add({ line, column: null, value: null, rule: "a device is a JSON object" });
  return records;
}

/** Undefined for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says what was expected
  }
}

import { printable } from "../../text/terminal-text.ts";

/** Wider tables would wrap on the terminals that they are made for. */
const tableColumnsMax = 80;
const gap = "  ";

export interface TableColumn<Row> {
  readonly title: string;
  readonly align?: "right";
  /** Shortened, the last of these first, when the table is too wide. */
  readonly shrinks?: true;
  text(row: Row): string;
}

/** Rows under their titles, at most 80 columns wide; texts that do not fit end in "~". */
export function formatTable<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
): string {
  const cells = [
    columns.map(({ title }) => title.toUpperCase()),
    ...rows.map((row) => columns.map((column) => printable(column.text(row)))),
  ];
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((line) => (line[index] ?? "").length)),
  );
  let excess =
    widths.reduce((sum, width) => sum + width, gap.length * (columns.length - 1)) - tableColumnsMax;
  for (let index = columns.length - 1; index >= 0 && excess > 0; index--) {
    const column = columns[index];
    if (column?.shrinks === undefined) continue;
    const width = widths[index] ?? 0;
    const cut = Math.min(excess, width - Math.max(column.title.length, 8));
    if (cut <= 0) continue;
    widths[index] = width - cut;
    excess -= cut;
  }
  return cells
    .map((line) =>
      line
        .map((text, index) => fit(text, widths[index] ?? 0, columns[index]?.align))
        .join(gap)
        .trimEnd(),
    )
    .join("\n");
}

function fit(text: string, width: number, align: "right" | undefined): string {
  const short = text.length > width ? `${text.slice(0, width - 1)}~` : text;
  return align === "right" ? short.padStart(width) : short.padEnd(width);
}

export function formatTime(unixMs: number | null): string {
  if (unixMs === null) return "-";
  if (!isDate(unixMs)) return String(unixMs);
  return new Date(unixMs).toISOString().slice(0, 16).replace("T", " ");
}

/**
 * What others say of a time may be any number, and a date reaches so far only (ECMA-262, 21.4.1.1).
 */
export function isDate(unixMs: number): boolean {
  return Math.abs(unixMs) <= 8.64e15;
}

/** The whole of a digest is in --json. */
export function shortHash(digest: string): string {
  return digest.slice(0, 12);
}

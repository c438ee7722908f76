/** A part of a page that is generated, between two HTML comments. */
export interface MarkdownBlock {
  readonly start: string;
  readonly end: string;
  render(): string;
}

export function hasBlock(document: string, block: MarkdownBlock): boolean {
  return document.includes(block.start);
}

/**
 * `document` with what stands between the block's markers replaced by what it should say now.
 * Throws when the markers are missing: a page that should show the block and does not is a defect.
 */
export function withBlock(document: string, block: MarkdownBlock): string {
  const start = document.indexOf(block.start);
  const end = document.indexOf(block.end);
  if (start < 0 || end < start)
    throw new Error(
      `no block in the page: put "${block.start}" and "${block.end}" where it belongs`,
    );
  const before = document.slice(0, start + block.start.length);
  return `${before}\n\n${block.render()}\n\n${document.slice(end)}`;
}

/** A Markdown table with its columns padded, as the formatter wants it. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...rows.map(line)].join("\n");
}

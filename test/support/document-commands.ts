/** A block of commands in a guide, and the lines of their output that the guide shows. */
export interface DocumentCommands {
  /** Of a terminal that a program keeps, as the guide calls it; null for those that end. */
  readonly terminal: string | null;
  readonly commands: string;
  readonly shown: readonly string[];
}

/**
 * The blocks of a section of a Markdown text that are to be typed: fenced as `sh`, or as `sh
 * terminal=NAME` when a program stays in the foreground. A `text` block behind one is output.
 * Throws when there is no such section, or nothing to type in it.
 */
export function commandsOf(markdown: string, heading: string): DocumentCommands[] {
  const section = sectionOf(markdown, heading);
  const found: (DocumentCommands & { shown: string[] })[] = [];
  for (const [, info = "", body = ""] of section.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)) {
    const [language, ...words] = info.split(" ");
    if (language === "text") found.at(-1)?.shown.push(...body.trimEnd().split("\n"));
    if (language !== "sh") continue;
    const named = words.find((word) => word.startsWith("terminal="));
    found.push({ terminal: named?.slice("terminal=".length) ?? null, commands: body, shown: [] });
  }
  if (found.length === 0) throw new Error(`nothing to type below "${heading}"`);
  return found;
}

function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`no "${heading}" in the document`);
  const level = heading.slice(0, heading.indexOf(" ") + 1);
  const end = lines.findIndex((line, index) => index > start && line.startsWith(level));
  return lines.slice(start, end < 0 ? undefined : end).join("\n");
}

/** Null when the lines come in this order, others between them; else the first that is missing. */
export function firstMissing(shown: readonly string[], output: readonly string[]): string | null {
  let at = 0;
  for (const line of shown) {
    const found = output.indexOf(line, at);
    if (found < 0) return line;
    at = found + 1;
  }
  return null;
}

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** A block of commands in a page, between ```sh and ```. */
export interface CommandBlock {
  /** Of its first line of text, from 1 on. */
  readonly line: number;
  /** `walk` is run in order, `terminal` beside it until the end; null is run by nobody. */
  readonly kind: "walk" | "terminal" | null;
  readonly text: string;
}

/** The pages that tell people commands, from the root of the project. */
export function documentPaths(): string[] {
  const pages = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);
  return ["README.md", "bootloader/README.md", ...pages.sort()];
}

export function readDocument(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Fenced blocks, those without a language too: older pages have none at their commands. */
export function commandBlocks(page: string): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  let open: { line: number; info: string; lines: string[] } | null = null;
  for (const [index, line] of page.split("\n").entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (open === null && fence !== null)
      open = { line: index + 2, info: (fence[1] ?? "").trim(), lines: [] };
    else if (open !== null && fence !== null) {
      const [language = "", word = ""] = open.info.split(" ");
      const isTerminal = word.startsWith("terminal="); // its name is for people
      const kind = isTerminal ? "terminal" : word === "walk" ? "walk" : null;
      if (language === "" || language === "sh")
        blocks.push({ line: open.line, kind, text: open.lines.join("\n") });
      open = null;
    } else open?.lines.push(line);
  }
  return blocks;
}

/** A line of a block as the shell would run it: continued lines joined. */
export interface CommandLine {
  readonly line: number;
  readonly text: string;
}

export function commandLines(block: CommandBlock): CommandLine[] {
  const lines: CommandLine[] = [];
  let rest = "";
  let first = block.line;
  for (const [index, text] of block.text.split("\n").entries()) {
    if (rest === "") first = block.line + index;
    if (text.endsWith("\\")) {
      rest += text.slice(0, -1);
      continue;
    }
    lines.push({ line: first, text: rest + text });
    rest = "";
  }
  return lines;
}

/** What is said between backquotes outside of blocks. */
export function inlineCode(page: string): CommandLine[] {
  let isFenced = false;
  return page.split("\n").flatMap((line, index) => {
    if (line.startsWith("```")) isFenced = !isFenced;
    if (isFenced || line.startsWith("```")) return [];
    return [...line.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => ({ line: index + 1, text }));
  });
}

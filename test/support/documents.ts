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
  return fencedBlocks(page)
    .filter(({ language }) => language === "" || language === "sh")
    .map(({ line, words, text }) => {
      const [word = ""] = words;
      const isTerminal = word.startsWith(terminalWord); // its name is for people
      return { line, kind: isTerminal ? "terminal" : word === "walk" ? "walk" : null, text };
    });
}

const terminalWord = "terminal=";

interface FencedBlock {
  /** Of its first line of text, from 1 on. */
  readonly line: number;
  readonly language: string;
  /** Behind the language. */
  readonly words: readonly string[];
  readonly text: string;
}

function fencedBlocks(page: string): FencedBlock[] {
  const blocks: FencedBlock[] = [];
  let open: { line: number; info: string; lines: string[] } | null = null;
  for (const [index, line] of page.split("\n").entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (open === null && fence !== null)
      open = { line: index + 2, info: (fence[1] ?? "").trim(), lines: [] };
    else if (open !== null && fence !== null) {
      const [language = "", ...words] = open.info.split(" ");
      blocks.push({ line: open.line, language, words, text: open.lines.join("\n") });
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

/** A block of commands in a guide, and the lines of their output that the guide shows. */
export interface DocumentCommands {
  /** Of a terminal that a program keeps, as the guide calls it; null for those that end. */
  readonly terminal: string | null;
  readonly commands: string;
  readonly shown: readonly string[];
}

/**
 * What not every machine has: a block that says so is for those that have it, and typed by nobody.
 */
const needsWord = "needs=";

/**
 * The blocks of a section of a Markdown text that are to be typed: fenced as `sh`, or as `sh
 * terminal=NAME` when a program stays in the foreground. A `text` block behind one is output.
 * Throws when there is no such section, or nothing to type in it.
 */
export function commandsOf(markdown: string, heading: string): DocumentCommands[] {
  const found: (DocumentCommands & { shown: string[] })[] = [];
  for (const { language, words, text } of fencedBlocks(sectionOf(markdown, heading))) {
    if (language === "text") found.at(-1)?.shown.push(...text.trimEnd().split("\n"));
    if (language !== "sh" || words.some((word) => word.startsWith(needsWord))) continue;
    const named = words.find((word) => word.startsWith(terminalWord));
    const terminal = named?.slice(terminalWord.length) ?? null;
    found.push({ terminal, commands: `${text}\n`, shown: [] });
  }
  if (found.length === 0) throw new Error(`nothing to type below "${heading}"`);
  return found;
}

function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`no "${heading}" in the document`);
  const level = heading.slice(0, heading.indexOf(" ") + 1);
  let isFenced = false;
  const end = lines.findIndex((line, index) => {
    if (line.startsWith("```")) isFenced = !isFenced; // the shell's comments look like headings
    return index > start && !isFenced && line.startsWith(level);
  });
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

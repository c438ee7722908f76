import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, type Source, sources } from "./sources.ts";

const page = readFileSync(join(root, "docs/vocabulary.md"), "utf8");

interface Entry {
  readonly word: string;
  readonly places: readonly string[];
  readonly not: readonly string[];
}

const entries: readonly Entry[] = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| word") && !line.startsWith("| -"))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map((cells) => ({
    word: cells[1] ?? "",
    places: [...(cells[3] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""),
    not: (cells[7] ?? "").split(",").flatMap((word) => word.trim() || []),
  }));

/** Where a wire is read and written, and its words with it. */
const wires = [
  /^src\/protocol\/ddi\.ts$/,
  /^src\/transfer\/ddi-client\.ts$/,
  /^(src|hosts\/\w+)\/trust\//,
  /^hosts\/fleet\/routes\/ddi\//,
  /^hosts\/simulator\/ddi-server\.ts$/,
];

/** Identifiers of a source, without its comments, the texts in quotes and the columns of tables. */
function identifiersOf({ text }: Source): Set<string> {
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/[^\n]*/g, "")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
  return new Set(code.match(/\b[A-Za-z][A-Za-z0-9]*\b/g) ?? []);
}

/** Whether the words of an identifier hold those of the synonym, one behind the other. */
function holds(identifier: string, synonym: string): boolean {
  const words = (name: string): string =>
    ` ${name
      .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
      .replace(/_/g, " ")
      .toLowerCase()} `;
  return words(identifier).includes(words(synonym));
}

function found(source: Source): string[] {
  if (wires.some((wire) => wire.test(source.path))) return [];
  const identifiers = [...identifiersOf(source)];
  return entries.flatMap(({ word, not }) =>
    not.flatMap((synonym) =>
      identifiers
        .filter((identifier) => holds(identifier, synonym))
        .map((identifier) => `${source.path}: ${identifier} (the word is "${word}")`),
    ),
  );
}

test("identifiers use the words of docs/vocabulary.md, not their synonyms", () => {
  assert.deepEqual([...sources("src"), ...sources("hosts")].flatMap(found), []);
});

test("a synonym is found in an identifier, and nowhere else", () => {
  const path = "hosts/fleet/operations/x.ts";
  const text = 'const deviceTask = 1; // a task\nconst multitasking = "task";';
  assert.deepEqual(found({ path, text }), [`${path}: deviceTask (the word is "instruction")`]);
});

test("every place that the vocabulary names is there", () => {
  const paths = entries.flatMap(({ places }) =>
    places.filter((place) => /^(src|hosts|boot)/.test(place)),
  );
  assert.ok(paths.length > 20);
  assert.deepEqual(
    paths.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, sources } from "./sources.ts";

const columnsMax = 160;
/** Words for something above, which a reader who was led here by a link has not read. */
const leaning = /^(?:It|They|This|These|That|Those|Its|Their|Both|Such) /;

interface Line {
  readonly text: string;
  readonly number: number;
  readonly beginsParagraph: boolean;
}

/** The lines of prose: neither code nor tables. */
function* prose(document: string): Generator<Line> {
  let [isCode, before] = [false, ""];
  for (const [index, text] of document.split("\n").entries()) {
    if (/^\s*(?:```|~~~)/.test(text)) isCode = !isCode;
    else if (!isCode && !/^(?:\s*\||\s{4,})/.test(text))
      yield { text, number: index + 1, beginsParagraph: before === "" };
    before = isCode ? "code" : text;
  }
}

const documents = [
  ...sources("docs", /\.md$/),
  ...sources("bootloader", /\.md$/),
  ...["README.md", "CONTRIBUTING.md"].map((path) => ({
    path,
    text: readFileSync(join(root, path), "utf8"),
  })),
];

function defects(of: (line: Line) => boolean): string[] {
  return documents.flatMap(({ path, text }) =>
    [...prose(text)].filter(of).map(({ number, text: line }) => `${path}:${number}: ${line}`),
  );
}

test("the documents are found", () => {
  const paths = documents.map(({ path }) => path);
  for (const path of ["README.md", "docs/rollouts.md", "docs/decisions/devices-in-memory.md"])
    assert.ok(paths.includes(path), path);
});

test("no line of prose is longer than 160 columns", () => {
  assert.deepEqual(
    defects(({ text }) => text.length > columnsMax),
    [],
  );
});

test("no paragraph begins with a word for something above it", () => {
  assert.deepEqual(
    defects(({ text, beginsParagraph }) => beginsParagraph && leaning.test(text)),
    [],
  );
});

test("both rules see what they are for", () => {
  const text = `${"x".repeat(161)}\n\nIt does.\n\n\`\`\`\nIt is code.\n\`\`\`\n| It | is a table |\n`;
  const lines = [...prose(text)];
  assert.equal(lines.filter((line) => line.text.length > columnsMax).length, 1);
  assert.deepEqual(
    lines.filter((line) => line.beginsParagraph && leaning.test(line.text)).map((l) => l.number),
    [3],
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Source, sources } from "./sources.ts";

/** First words that lean on what stands above, which an editor does not show on hover. */
const leaning: ReadonlySet<string> = new Set(
  `of as it its they them their those these such both either neither that
    and but or so also else otherwise then`
    .split(/\s+/)
    .filter((word) => word !== ""),
);

/** A block comment of its own lines in C, a doc comment in the other languages. */
function commentStart(path: string): RegExp {
  return /\.[ch]$/.test(path)
    ? /^[ \t]*\/\*\*?\s+(?:\*\s+)?([A-Za-z]+)\b/gm
    : /\/\*\*\s+(?:\*\s+)?([A-Za-z]+)\b/g;
}

/** The comments whose first word leans on what stands above. */
function found({ path, text }: Source): string[] {
  return [...text.matchAll(commentStart(path))]
    .filter((match) => leaning.has((match[1] ?? "").toLowerCase()))
    .map(({ 0: start, 1: word, index }) => {
      const line = text.slice(0, index + start.length).split("\n").length;
      return `${path}:${line} begins with "${word}": name what the comment is about`;
    });
}

test("begins no doc comment with a word for something above it", () => {
  const files = ["src", "hosts"].flatMap((folder) => [...sources(folder, /\.(tsx?|js|c|h)$/)]);
  const kinds = new Set(files.map(({ path }) => path.slice(path.lastIndexOf("."))));
  assert.deepEqual([...kinds].sort(), [".c", ".h", ".js", ".ts"]);
  assert.deepEqual(files.flatMap(found), []);
});

test("finds a doc comment that leans on what stands above it", () => {
  const leans = [
    { path: "a.ts", text: "const a = 1;\n/** Of the image. */" },
    { path: "b.ts", text: "/**\n * As `run`, with more.\n */" },
    { path: "c.d.ts", text: "  readonly d: string; /** Its name. */" },
    { path: "d.c", text: "int d;\n\t/* Such as these. */" },
  ];
  assert.deepEqual(
    leans.flatMap(found).map((line) => line.split(" ")[0]),
    ["a.ts:2", "b.ts:2", "c.d.ts:1", "d.c:2"],
  );
});

test("lets a doc comment be that names what it is about", () => {
  const text = '/** Offers of the server. */\n/** Assigns it. */\nconst glob = "src/**/of";';
  assert.deepEqual(found({ path: "a.ts", text }), []);
  assert.deepEqual(found({ path: "a.c", text: "int a = 1; /* of two */" }), []);
});

test("writes no comment over more than 100 columns, tables and directives apart", () => {
  const wide = ["src", "hosts", "test"].flatMap((folder) =>
    [...sources(folder)].flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, index) => {
        const isComment = /^\s*(\/\/|\/?\*)/.test(line);
        const isKept = /^\s*\* \||biome-ignore|\$\{/.test(line);
        return isComment && !isKept && line.length > 100 ? [`${path}:${index + 1}`] : [];
      }),
    ),
  );
  assert.deepEqual(wide, []);
});

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { importsOf, sources } from "./sources.ts";

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

const files = [...sources("src"), ...sources("hosts")];
const paths = new Set(files.map(({ path }) => path));

/** Who imports whom, types included: a type that goes round is a circle for who reads it. */
const imports: Graph = new Map(
  files.map((source) => [
    source.path,
    new Set(importsOf(source).filter((to) => paths.has(to) && to !== source.path)),
  ]),
);

test("no file imports itself, over others or at once", () => {
  assert.deepEqual(circlesOf(imports), []);
});

test("no folder imports itself over others", () => {
  assert.deepEqual(circlesOf(between(imports, (path) => dirname(path))), []);
});

test("a circle of files and of folders is found", () => {
  const graph: Graph = new Map([
    ["a/1", new Set(["b/1"])],
    ["b/1", new Set(["c/1"])],
    ["c/1", new Set(["b/1"])],
    ["c/2", new Set(["a/1"])],
  ]);
  assert.deepEqual(circlesOf(graph), [["b/1", "c/1"]]);
  assert.deepEqual(circlesOf(between(graph, (path) => dirname(path))), [["a", "b", "c"]]);
});

/** The same graph between what `nameOf` puts together. */
function between(graph: Graph, nameOf: (path: string) => string): Graph {
  const joined = new Map<string, Set<string>>();
  for (const [from, targets] of graph)
    for (const to of targets) {
      const [a, b] = [nameOf(from), nameOf(to)];
      if (a === b) continue;
      const known = joined.get(a) ?? new Set();
      joined.set(a, known.add(b));
    }
  return joined;
}

/** Strongly connected components of more than one node, sorted: what reaches itself. */
function circlesOf(graph: Graph): string[][] {
  const reached = new Map([...graph.keys()].map((node) => [node, reachableFrom(graph, node)]));
  const seen = new Set<string>();
  const circles: string[][] = [];
  for (const [node, targets] of reached) {
    if (seen.has(node) || !targets.has(node)) continue;
    const circle = [...targets].filter((other) => reached.get(other)?.has(node)).sort();
    for (const member of circle) seen.add(member);
    circles.push(circle);
  }
  return circles;
}

function reachableFrom(graph: Graph, start: string): Set<string> {
  const found = new Set<string>();
  const open = [...(graph.get(start) ?? [])];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    open.push(...(graph.get(node) ?? []));
  }
  return found;
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesPattern, TargetSearch } from "../../../src/trust/delegation.ts";
import type { Authority, Delegation, Targets } from "../../../src/trust/targets.ts";
import { rulesWith } from "../../support/tuf-repository.ts";

const { crypto } = rulesWith();
const role = { keyIds: [], threshold: 1, keys: new Map() };
const everything: Authority = { kind: "paths", entries: ["*", "*/*"] };

/** `A!` delegates to A and is terminating. */
function targetsOf(...delegations: readonly (string | Delegation)[]): Targets {
  return {
    version: 1,
    expiresUnixMs: 0,
    targets: new Map(),
    delegations: delegations.map((text) =>
      typeof text === "string"
        ? {
            name: text.replace("!", ""),
            role,
            authority: everything,
            terminating: text.endsWith("!"),
          }
        : text,
    ),
  };
}

const file = { lengthBytes: 1, hashes: new Map([["sha256", "00"]]), custom: null };

/** The roles that a search visits in this graph, and where it ends. */
function visits(
  graph: Readonly<Record<string, Targets>>,
  options: { readonly target?: string; readonly visitedRolesMax?: number } = {},
): string {
  const search = new TargetSearch({
    targetName: options.target ?? "missing",
    targets: role,
    visitedRolesMax: options.visitedRolesMax ?? 32,
    crypto,
  });
  const visited: string[] = [];
  for (let step = search.next(); ; step = search.next()) {
    if (step.kind !== "visit") return [...visited, step.kind].join(" ");
    visited.push(step.visit.name);
    search.provide(step.visit.name, graph[step.visit.name] ?? targetsOf());
  }
}

for (const [says, graph, expected] of [
  [
    "5.6.7.2: goes into depth before it goes on, in order of appearance",
    { targets: targetsOf("A", "B"), A: targetsOf("C", "D") },
    "targets A C D B absent",
  ],
  [
    "5.6.7.1: visits no role twice, so that cycles end",
    { targets: targetsOf("A", "B"), B: targetsOf("C"), C: targetsOf("D"), D: targetsOf("B") },
    "targets A B C D absent",
  ],
  [
    "5.6.7.2.1: behind a terminating delegation there is nothing, on any level",
    { targets: targetsOf("A", "B"), A: targetsOf("C!", "D"), C: targetsOf("E") },
    "targets A C E absent",
  ],
] as const)
  test(says, () => {
    assert.equal(visits(graph), expected);
  });

test("5.6.7.1: the maximum of roles ends the search", () => {
  const chain = { targets: targetsOf("A"), A: targetsOf("B"), B: targetsOf("C") };
  assert.equal(visits(chain, { visitedRolesMax: 3 }), "targets A B absent");
});

test("the first role that lists the target ends the search", () => {
  const listing = { ...targetsOf("C"), targets: new Map([["x", file]]) };
  const graph = { targets: targetsOf("A", "B"), A: listing, B: listing };
  assert.equal(visits(graph, { target: "x" }), "targets A found");
});

test("4.5: a role is asked only for targets that its paths match", () => {
  const paths = (name: string, ...entries: readonly string[]): Delegation => ({
    name,
    role,
    authority: { kind: "paths", entries },
    terminating: false,
  });
  const graph = {
    targets: targetsOf(paths("docs", "*.md", "foo-?.tgz"), paths("releases", "releases/*/*")),
    releases: targetsOf(paths("x", "releases/x/*"), paths("y", "releases/y/*.zip")),
  };
  const where = (target: string): string => visits(graph, { target });
  assert.equal(where("README.md"), "targets docs absent");
  assert.equal(where("foo-1.tgz"), "targets docs absent");
  assert.equal(where("releases/x/v1"), "targets releases x absent");
  assert.equal(where("releases/y/v1.zip"), "targets releases y absent");
  assert.equal(where("releases/z/v1.zip"), "targets releases absent");
  assert.equal(where("releases/README.md"), "targets absent");
});

test("4.5: a role may have the targets whose path's hash begins with one of its prefixes", () => {
  const bin = (name: string, ...entries: readonly string[]): Delegation => ({
    name,
    role,
    authority: { kind: "hash-prefixes", entries },
    terminating: true,
  });
  // SHA-256 of "a" begins with ca97, that of "b" with 3e23.
  const graph = { targets: targetsOf(bin("low", "3", "4"), bin("high", "ca9")) };
  assert.equal(visits(graph, { target: "a" }), "targets high absent");
  assert.equal(visits(graph, { target: "b" }), "targets low absent");
});

test("TAP 15: bins are named by the first bits of the path's hash", () => {
  const bins = (bitLength: number): Delegation => ({
    name: "bin",
    role,
    authority: { kind: "bins", bitLength },
    terminating: true,
  });
  const where = (target: string, bitLength: number): string =>
    visits({ targets: targetsOf(bins(bitLength)) }, { target });
  assert.equal(where("a", 1), "targets bin-1 absent");
  assert.equal(where("b", 1), "targets bin-0 absent");
  assert.equal(where("a", 8), "targets bin-ca absent");
  assert.equal(where("b", 9), "targets bin-07c absent");
  assert.equal(where("b", 32), "targets bin-3e23e816 absent");
});

for (const [pattern, matching, others] of [
  ["*", ["", "a", "abc"], ["a/b", "/"]],
  ["a*c", ["ac", "abc", "abbc", "acc"], ["a", "ab", "a/c", "abcd"]],
  ["*a*b*", ["ab", "xaxbx", "aabb"], ["ba", "a", "b"]],
  ["?", ["a", "?"], ["", "ab", "/"]],
  ["a/?/*.zip", ["a/b/.zip", "a/b/c.zip"], ["a/bb/c.zip", "a/b/c.zi", "a/b/c/d.zip"]],
  ["a.b+[c]", ["a.b+[c]"], ["aXb+[c]", "a.b+c", "a.bb[c]"]],
  ["", [""], ["a"]],
] as const)
  test(`the pattern "${pattern}" matches what a shell's does`, () => {
    for (const name of matching) assert.ok(matchesPattern(name, pattern), name);
    for (const name of others) assert.ok(!matchesPattern(name, pattern), name);
  });

test("no pattern takes more than a moment", () => {
  assert.ok(!matchesPattern(`${"a".repeat(5000)}b`, `${"*a".repeat(500)}*c`));
});

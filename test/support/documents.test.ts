import assert from "node:assert/strict";
import { test } from "node:test";
import { commandsOf, firstMissing } from "./documents.ts";

const guide = [
  "## Before",
  "```sh",
  "never",
  "```",
  "## Now",
  "```sh terminal=server",
  "serve",
  "```",
  "```text",
  "listening",
  "```",
  "```ts",
  "notTyped();",
  "```",
  "```sh",
  "ask one",
  "ask two",
  "```",
  "## After",
  "```sh",
  "never",
  "```",
].join("\n");

test("takes what a section has to type, its terminal and the output that it shows", () => {
  assert.deepEqual(commandsOf(guide, "## Now"), [
    { terminal: "server", commands: "serve\n", shown: ["listening"] },
    { terminal: null, commands: "ask one\nask two\n", shown: [] },
  ]);
});

test("leaves out what needs more than every machine has, and takes no comment for a heading", () => {
  const page = "# A\n```sh needs=token\nsign\n```\n```sh\n# one\nask\n```\n```sh\nagain\n```\n";
  const none = { terminal: null, shown: [] };
  assert.deepEqual(commandsOf(page, "# A"), [
    { ...none, commands: "# one\nask\n" },
    { ...none, commands: "again\n" },
  ]);
});

test("refuses a section that is not there, and one with nothing to type", () => {
  assert.throws(() => commandsOf(guide, "## Later"), /no "## Later"/);
  assert.throws(() => commandsOf("## Empty\nwords\n", "## Empty"), /nothing to type/);
});

test("finds the first line that an output lacks, in order, whatever stands between", () => {
  assert.equal(firstMissing(["a", "b"], ["x", "a", "y", "b"]), null);
  assert.equal(firstMissing(["a", "b"], ["b", "a"]), "b");
  assert.equal(firstMissing([], []), null);
});

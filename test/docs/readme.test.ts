// The README leads to every guide, and says of every folder what is in it.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { readDocument } from "../support/documents.ts";

const root = resolve(import.meta.dirname, "../..");
const readme = readDocument("README.md");

test("every guide is linked from the README", () => {
  const guides = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  assert.ok(guides.length > 10);
  assert.deepEqual(
    guides.filter((name) => !readme.includes(`(docs/${name})`)),
    [],
  );
});

test("every folder of src and hosts has its place in the README", () => {
  const folders = ["src", "hosts"].flatMap((parent) =>
    readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => `${parent}/${name}/`),
  );
  assert.ok(folders.length > 10);
  assert.deepEqual(
    folders.filter((name) => !readme.includes(`\`${name}\``)),
    [],
  );
});

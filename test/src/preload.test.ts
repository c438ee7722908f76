import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const source = resolve(import.meta.dirname, "../../src");

/** A regular expression at the level of a module: at the start of a line, not in a function. */
const constant =
  /^(?:export )?(?:const|let) (\w+)(?:: RegExp)? =\s*(?:\/(?![/*])|new RegExp|RegExp\()/gm;

function constants(text: string): string[] {
  return [...text.matchAll(constant)].map(([, name = ""]) => name);
}

test("finds a regular expression that a module makes when it is loaded, and no other", () => {
  assert.deepEqual(
    constants("const a = /x/;\nexport const b =\n  /y/g;\nconst c = new RegExp(t);\n"),
    ["a", "b", "c"],
  );
  const others =
    "const a = (): RegExp => /x/;\n  const b = /y/;\nconst c = 1 / 2; // d\nconst e =\n  // f\n  1;\n";
  assert.deepEqual(constants(others), []);
});

// XS 8.2.3 leaks at each use of a preloaded one, and crashes when garbage is collected in it.
test("no module that boards preload makes a regular expression when it is loaded", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" });
  const sources = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
  assert.ok(sources.length > 100);
  const found = sources.flatMap((file) =>
    constants(readFileSync(join(source, file), "utf8")).map((name) => `src/${file}: ${name}`),
  );
  assert.deepEqual(found, []);
});

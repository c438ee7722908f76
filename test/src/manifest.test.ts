import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src");

const manifest = JSON.parse(readFileSync(join(source, "manifest.json"), "utf8")) as {
  modules: Record<string, string | string[]>;
  preload: string[];
};

const excluded = [manifest.modules["~"] ?? []].flat();

/** Every TypeScript file below src that a device may need, as its path from there. */
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.ts$/.test(path) && !path.endsWith(".d.ts") && path !== "main.ts")
  .map((path) => path.replace(/\.ts$/, ""))
  .filter((path) => !excluded.includes(`./${path}`));

/** The module name that the manifest gives a file, or null. */
function moduleName(path: string): string | null {
  for (const [name, mapped] of Object.entries(manifest.modules)) {
    const to = [mapped].flat();
    if (to.includes(`./${path}`)) return name;
    if (to.includes(`./${dirname(path)}/*`))
      return name.replace("*", path.slice(path.lastIndexOf("/") + 1));
  }
  return null;
}

test("the manifest to include maps every file of src to the name that relative imports expect", () => {
  const wrong = files.filter((path) => moduleName(path) !== `sluice/${path}`);
  assert.deepEqual(wrong, []);
});

test("what the manifest leaves out exists, and noble is among it", () => {
  for (const path of excluded) assert.ok(existsSync(join(source, `${path}.ts`)), path);
  assert.ok(excluded.includes("./ports/noble-crypto"));
});

test("no file that a device gets imports a package of npm", () => {
  const importing = files.filter((path) =>
    /from "@noble/.test(readFileSync(join(source, `${path}.ts`), "utf8")),
  );
  assert.deepEqual(importing, []);
});

test("the manifest preloads by full names, since a pattern would pass over TypeScript", () => {
  assert.deepEqual(
    manifest.preload.filter((name) => name.includes("*")),
    [],
  );
});

test("no module of a device keeps an expression with a state, which cannot change once preloaded", () => {
  const keeping = files.filter((path) =>
    /^(?:export )?const \w+(?:: RegExp)? = \/.*\/[a-z]*[gy][a-z]*;$/m.test(
      readFileSync(join(source, `${path}.ts`), "utf8"),
    ),
  );
  assert.deepEqual(keeping, []);
});

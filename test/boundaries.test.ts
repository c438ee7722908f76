import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

interface Rule {
  readonly says: string;
  readonly from: RegExp;
  /** `to` is a path relative to the root for relative imports, else the bare specifier. */
  forbids(to: string, from: string): boolean;
}

const bare = (to: string): boolean => !/^(src|hosts|test)\//.test(to);

const rules: readonly Rule[] = [
  {
    says: "src imports nothing from hosts or test",
    from: /^src\//,
    forbids: (to) => /^(hosts|test)\//.test(to),
  },
  {
    says: "src imports no package but @noble, and bare modules of a board only in src/device",
    from: /^src\/(?!device\/)/,
    forbids: (to) => bare(to) && !to.startsWith("@noble/"),
  },
  {
    says: "src/device imports no Node module and no package",
    from: /^src\/device\//,
    forbids: (to) => bare(to) && (to.startsWith("node:") || to.startsWith("@")),
  },
  {
    says: "ports, image and trust import nothing above them",
    from: /^src\/(ports|image|trust)\//,
    forbids: (to, from) =>
      !bare(to) && !/^src\/(ports|image)\//.test(to) && !to.startsWith(dirname(from)),
  },
  {
    says: "the command and the dashboard speak HTTP to the fleet, never SQL",
    from: /^hosts\/(cli|dashboard)\//,
    forbids: (to) =>
      /^hosts\/fleet\/(storage|migrations)\//.test(to) || to === "kysely" || to === "node:sqlite",
  },
  { says: "nothing imports test", from: /^(src|hosts)\//, forbids: (to) => to.startsWith("test/") },
];

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts")) yield path;
  }
}

function importsOf(path: string, text: string): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"\n]+)"/g)].map(
    (match) => match[1] ?? "",
  );
  return specifiers.map((specifier) =>
    specifier.startsWith(".") ? relative(root, resolve(root, dirname(path), specifier)) : specifier,
  );
}

function violations(path: string, text: string): string[] {
  return rules
    .filter((rule) => rule.from.test(path))
    .flatMap((rule) =>
      importsOf(path, text)
        .filter((to) => rule.forbids(to, path))
        .map((to) => `${path} imports ${to}: ${rule.says}`),
    );
}

test("every import keeps to the dependency rule of the design", () => {
  const found = [...sources("src"), ...sources("hosts")].flatMap((path) =>
    violations(path, readFileSync(join(root, path), "utf8")),
  );
  assert.deepEqual(found, []);
});

test("the rule sees a host import, a Node module, an SDK module outside device, and SQL in the command", () => {
  const forbidden: ReadonlyArray<readonly [string, string]> = [
    ["src/update/runner.ts", 'import { x } from "../../hosts/fleet/app.ts";'],
    ["src/update/runner.ts", 'import fs from "node:fs";'],
    ["src/update/runner.ts", 'import Flash from "embedded:storage/flash";'],
    ["src/device/flash.ts", 'import fs from "node:fs";'],
    ["src/image/header.ts", 'import { x } from "../update/state.ts";'],
    ["hosts/cli/device.ts", 'import { open } from "../fleet/storage/database.ts";'],
    ["hosts/fleet/app.ts", 'const m = await import("../../test/support/x.ts");'],
  ];
  for (const [path, text] of forbidden)
    assert.notDeepEqual(violations(path, text), [], `${path}: ${text}`);
});

test("the rule lets through what the design allows", () => {
  assert.deepEqual(
    violations("src/ports/noble-crypto.ts", 'import { sha256 } from "@noble/hashes/sha2.js";'),
    [],
  );
  assert.deepEqual(
    violations("src/device/flash.ts", 'import Flash from "embedded:storage/flash";'),
    [],
  );
  assert.deepEqual(
    violations("src/trust/root.ts", 'import type { Crypto } from "../ports/crypto.ts";'),
    [],
  );
});

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { importsOf, type Source, sources } from "./sources.ts";

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

function violations(source: Source): string[] {
  const { path } = source;
  return rules
    .filter((rule) => rule.from.test(path))
    .flatMap((rule) =>
      importsOf(source)
        .filter((to) => rule.forbids(to, path))
        .map((to) => `${path} imports ${to}: ${rule.says}`),
    );
}

test("every import keeps to the dependency rule of the design", () => {
  const found = [...sources("src"), ...sources("hosts")].flatMap(violations);
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
    assert.notDeepEqual(violations({ path, text }), [], `${path}: ${text}`);
});

test("the rule lets through what the design allows", () => {
  assert.deepEqual(
    violations({
      path: "src/ports/noble-crypto.ts",
      text: 'import { sha256 } from "@noble/hashes/sha2.js";',
    }),
    [],
  );
  assert.deepEqual(
    violations({
      path: "src/device/flash.ts",
      text: 'import Flash from "embedded:storage/flash";',
    }),
    [],
  );
  assert.deepEqual(
    violations({
      path: "src/trust/root.ts",
      text: 'import type { Crypto } from "../ports/crypto.ts";',
    }),
    [],
  );
});

import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type BuildOptions,
  buildFirmware,
  type FirmwareBuild,
} from "../../../hosts/release/build.ts";
import { encodeManifest, parseManifest } from "../../../hosts/release/manifest.ts";
import { temporaryFolder } from "../../support/command-line.ts";

const project = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

const sources: Readonly<Record<string, string>> = {
  "src/main.ts": `import Flash from "embedded:storage/flash";
import Timer from "timer";
import { greet } from "./greeting.ts";
import type { Unused } from "./types.ts";
class Counter { #count = 0; next() { return this.#count++; } }
const flash = Flash.open({ path: "primary" });
Timer.set(() => flash.write(greet(new Counter().next(), "Grüße, 世界")));
`,
  "src/greeting.ts": `export const greet = (count: number, name: string): string => name + count;\n`,
  "src/types.ts": "export interface Unused { readonly x: number }\n",
};

function writeSources(root: string): void {
  mkdirSync(join(root, "src"), { recursive: true });
  for (const [path, text] of Object.entries(sources)) writeFileSync(join(root, path), text);
}

function optionsFor(root: string, change: Partial<BuildOptions> = {}): BuildOptions {
  return {
    root,
    entry: "src/main.ts",
    version: { major: 1, minor: 2, revision: 3, build: 0 },
    hardware: ["esp32c3-b"],
    variant: "release",
    ...change,
  };
}

async function built(root: string, change: Partial<BuildOptions> = {}): Promise<FirmwareBuild> {
  const result = await buildFirmware(optionsFor(root, change));
  assert.ok(result.ok, result.ok ? "" : result.message);
  return result.build;
}

function textOf(build: FirmwareBuild): string {
  return new TextDecoder().decode(build.payloads[0]);
}

function sourcesIn(context: TestContext, name: string): string {
  const root = join(temporaryFolder(context), name);
  writeSources(root);
  return root;
}

test("the same sources in two folders give the same bytes and the same manifest", async (context) => {
  const one = sourcesIn(context, "one");
  const two = join(temporaryFolder(context), "a folder", "deeper");
  cpSync(one, two, { recursive: true });
  // What lies around the sources in one of them does not matter.
  writeFileSync(join(two, "package.json"), '{ "type": "module" }');
  writeFileSync(join(two, "src", "tsconfig.json"), '{ "compilerOptions": { "target": "es5" } }');
  for (const variant of ["release", "debug"] as const) {
    const first = await built(one, { variant });
    const second = await built(two, { variant });
    assert.equal(textOf(first), textOf(second));
    assert.equal(encodeManifest(first.manifest), encodeManifest(second.manifest));
  }
});

test("the payload is one script that leaves every module of the board to require", async (context) => {
  const root = sourcesIn(context, "one");
  for (const variant of ["release", "debug"] as const) {
    const build = await built(root, { variant });
    const text = textOf(build);
    assert.match(
      text,
      /^\/\/ Sluice firmware 1\.2\.3 for esp32c3-b, (?:release|debug), build [0-9a-f]{32}\n/,
    );
    assert.ok(text.includes("Grüße, 世界"), "UTF-8 is not escaped");
    assert.ok(!text.includes(root), "no path of this machine");
    const written: string[] = [];
    const board: Readonly<Record<string, unknown>> = {
      "embedded:storage/flash": { open: () => ({ write: (value: string) => written.push(value) }) },
      timer: { set: (run: () => void) => run() },
    };
    new Function("require", "module", "exports", text)((name: string) => board[name], {}, {});
    assert.deepEqual(written, ["Grüße, 世界0"]);
    assert.deepEqual(build.manifest.modules, ["embedded:storage/flash", "timer"]);
  }
});

test("the payload is padded with newlines to whole write blocks", async (context) => {
  const root = sourcesIn(context, "one");
  for (const name of ["a", "ab", "abc", "abcd"]) {
    writeFileSync(join(root, "src", "greeting.ts"), `export const greet = () => "${name}";\n`);
    const [payload] = (await built(root)).payloads;
    assert.equal((payload?.length ?? 1) % 4, 0);
    assert.equal(payload?.at(-1), 0x0a);
  }
});

test("lists the bundled files with their hashes, and no others", async (context) => {
  const root = sourcesIn(context, "one");
  const { manifest } = await built(root);
  assert.deepEqual(
    manifest.sources.map(({ path }) => path),
    ["src/greeting.ts", "src/main.ts"],
  );
  assert.match(manifest.sources[0]?.sha256 ?? "", /^[0-9a-f]{64}$/);
});

test("the build id changes with every input and with nothing else", async (context) => {
  const root = sourcesIn(context, "one");
  const idOf = async (change: Partial<BuildOptions> = {}) =>
    (await built(root, change)).manifest.artifacts[0]?.buildId ?? "";
  const first = await idOf();
  assert.match(first, /^[0-9a-f]{32}$/);
  assert.equal(await idOf(), first);
  const others = [
    await idOf({ variant: "debug" }),
    await idOf({ hardware: ["esp32c6-a"] }),
    await idOf({ version: { major: 1, minor: 2, revision: 4, build: 0 } }),
  ];
  writeFileSync(join(root, "src", "greeting.ts"), `${sources["src/greeting.ts"]}// changed\n`);
  others.push(await idOf());
  assert.equal(new Set([first, ...others]).size, 5);
});

test("each hardware has a payload of its own", async (context) => {
  const root = sourcesIn(context, "one");
  const { manifest, payloads } = await built(root, { hardware: ["esp32c3-b", "esp32c6-a"] });
  assert.equal(payloads.length, 2);
  assert.deepEqual(
    manifest.artifacts.map(({ file, hardware }) => [file, hardware]),
    [
      ["sluice-1.2.3-esp32c3-b-release.payload", "esp32c3-b"],
      ["sluice-1.2.3-esp32c6-a-release.payload", "esp32c6-a"],
    ],
  );
});

test("refuses files outside the root, missing files and short file names", async (context) => {
  const root = sourcesIn(context, "one");
  const refused: ReadonlyArray<readonly [string, RegExp]> = [
    ['import "../../secret.ts";', /\.\.\/secret\.ts lies outside the folder of the sources/],
    ['import "./missing.ts";', /there is no file src\/missing\.ts/],
    ['import "./greeting";', /src\/greeting does not end in \.ts, \.js, \.json/],
  ];
  for (const [text, message] of refused) {
    writeFileSync(join(root, "src", "main.ts"), text);
    const result = await buildFirmware(optionsFor(root));
    assert.ok(!result.ok);
    assert.equal(result.reason, "bundle-failed");
    assert.match(result.message, message);
  }
});

test("refuses hardware that is no id, is named twice or is missing", async (context) => {
  const root = sourcesIn(context, "one");
  for (const hardware of [["ESP32"], ["esp32"], ["esp32c3-b", "esp32c3-b"], []]) {
    const result = await buildFirmware(optionsFor(root, { hardware }));
    assert.ok(!result.ok && result.reason === "hardware-invalid", hardware.join());
  }
});

test("builds the reference firmware, which asks nothing of Node and no package", async () => {
  const { manifest, payloads } = await built(project);
  const modules = manifest.modules.filter((name) => /^node:|^@/.test(name));
  assert.deepEqual(modules, []);
  assert.ok((payloads[0]?.length ?? 0) > 10_000);
});

test("a manifest reads back, and a damaged one tells what is missing", async (context) => {
  const { manifest } = await built(sourcesIn(context, "one"));
  const text = encodeManifest(manifest);
  assert.deepEqual(parseManifest(text), { ok: true, manifest });
  const without = (change: object) => {
    const parsed = parseManifest(JSON.stringify({ ...JSON.parse(text), ...change }));
    return parsed.ok ? "ok" : parsed.reason;
  };
  assert.match(without({ version: "one" }), /no "version"/);
  assert.match(without({ variant: "beta" }), /no "variant"/);
  assert.match(without({ artifacts: [] }), /no "artifacts"/);
  const [artifact] = JSON.parse(text).artifacts;
  for (const change of [{ file: "../x" }, { hardware: "X" }, { sha256: "00" }, { bytes: 1.5 }])
    assert.match(without({ artifacts: [{ ...artifact, ...change }] }), /no "artifacts"/);
  assert.match(without({ sources: [{}] }), /"sources"/);
  assert.match(without({ tools: { esbuild: 1 } }), /"tools"/);
  const notJson = parseManifest("{");
  assert.ok(!notJson.ok && /is not JSON/.test(notJson.reason));
});

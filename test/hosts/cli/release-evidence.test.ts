import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

const lock = {
  lockfileVersion: 3,
  packages: {
    "node_modules/greeting": {
      version: "1.0.0",
      license: "MIT",
      integrity: `sha512-${Buffer.alloc(64, 7).toString("base64")}`,
    },
    "node_modules/esbuild": { version: "0.28.2", license: "MIT" },
  },
};

/** A project with an npm package, a native part, a bootloader and a configuration. */
function project(context: TestContext): string {
  const root = join(temporaryFolder(context), "project");
  mkdirSync(join(root, "hosts", "esp32"), { recursive: true });
  mkdirSync(join(root, "src"));
  writeFileSync(join(root, "src", "main.ts"), 'import hello from "greeting";\nhello();\n');
  writeFileSync(join(root, "package.json"), '{"name":"thermostat","license":"ISC"}');
  writeFileSync(join(root, "package-lock.json"), JSON.stringify(lock));
  const parts = [{ name: "zephyr", version: "4.3.0", license: "Apache-2.0", in: ["bootloader"] }];
  writeFileSync(join(root, "hosts", "esp32", "native-parts.json"), JSON.stringify({ parts }));
  writeFileSync(join(root, "boot.bin"), "bootloader");
  writeFileSync(join(root, "defaults.json"), "{}");
  writeFileSync(join(root, "notes-in.md"), "# Quieter fans\n");
  return root;
}

const build = (root: string, out: string, ...rest: string[]) =>
  sluice(
    ...["release", "build", "--root", root, "--out", out, "--version", "1.2.3"],
    ...["--hardware", "esp32c3-b,esp32c3-c"],
    ...["--bootloader", `esp32c3-b=${join(root, "boot.bin")}`],
    ...["--configuration", join(root, "defaults.json")],
    ...["--notes", join(root, "notes-in.md"), ...rest],
  );

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(folder, name), "latin1")]),
  );
}

test("two folders give the same payloads, manifest, SBOM and notes, byte for byte", async (context) => {
  const one = project(context);
  const two = join(temporaryFolder(context), "elsewhere", "deeper");
  cpSync(one, two, { recursive: true });
  for (const variant of ["release", "debug"]) {
    const [first, second] = [join(one, `out-${variant}`), join(two, `other-${variant}`)];
    assert.equal((await build(one, first, "--variant", variant)).exitCode, 0);
    assert.equal((await build(two, second, "--variant", variant)).exitCode, 0);
    assert.deepEqual(Object.keys(filesOf(first)), [
      "manifest.json",
      "notes.md",
      "sbom.cdx.json",
      `sluice-1.2.3-esp32c3-b-${variant}.payload`,
      `sluice-1.2.3-esp32c3-c-${variant}.payload`,
    ]);
    assert.deepEqual(filesOf(first), filesOf(second));
  }
});

test("the manifest has the hash of every component, the notes say them too", async (context) => {
  const root = project(context);
  const out = join(root, "out");
  const built = await build(root, out, "--json");
  assert.equal(built.exitCode, 0, built.stderr);
  const { components, artifacts } = JSON.parse(built.stdout);
  assert.deepEqual(
    components.map(({ kind, hardware, name, sha256: hash }: Record<string, string>) => [
      kind,
      hardware,
      name,
      hash,
    ]),
    [
      ...artifacts.map((one: Record<string, string>) => [
        "application",
        one["hardware"],
        one["file"],
        one["sha256"],
      ]),
      ["bootloader", "esp32c3-b", "boot.bin", sha256("bootloader")],
      ["configuration", null, "defaults.json", sha256("{}")],
    ],
  );
  const notes = readFileSync(join(out, "notes.md"), "utf8");
  assert.match(notes, /^# Quieter fans\n\n## Files\n/);
  assert.ok(notes.includes(sha256("bootloader")) && notes.includes(artifacts[1].buildId));
});

test("the SBOM is CycloneDX 1.6 with npm and native parts, their licences and hashes", async (context) => {
  const root = project(context);
  const out = join(root, "out");
  await build(root, out);
  const bom = JSON.parse(readFileSync(join(out, "sbom.cdx.json"), "utf8"));
  assert.deepEqual([bom.bomFormat, bom.specVersion], ["CycloneDX", "1.6"]);
  assert.match(
    bom.serialNumber,
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.equal(bom.metadata.timestamp, undefined);
  const { component } = bom.metadata;
  assert.deepEqual(
    [component.type, component.name, component.version],
    ["firmware", "thermostat", "1.2.3"],
  );
  assert.deepEqual(component.licenses, [{ license: { id: "ISC" } }]);
  assert.equal(component.components.length, 4);
  const parts = bom.components.map((one: Record<string, unknown>) => [
    one["name"],
    one["version"],
    one["scope"],
    (one["licenses"] as { license: { id: string } }[])[0]?.license.id,
  ]);
  assert.deepEqual(parts.sort(), [
    ["esbuild", "0.28.2", "excluded", "MIT"],
    ["greeting", "1.0.0", "required", "MIT"],
    ["zephyr", "4.3.0", "required", "Apache-2.0"],
  ]);
  const greeting = bom.components.find(({ name }: { name: string }) => name === "greeting");
  assert.deepEqual(greeting.hashes, [{ alg: "SHA-512", content: "07".repeat(64) }]);
  const needed = bom.dependencies.find(({ ref }: { ref: string }) => ref === component["bom-ref"]);
  assert.deepEqual(needed.dependsOn, ["native/zephyr@4.3.0", "npm/greeting@1.0.0"]);
});

test("a binary of another build becomes a payload with a build id of its own", async (context) => {
  const root = project(context);
  const binary = join(root, "zephyr.bin");
  writeFileSync(binary, "zephyr");
  const out = join(root, "out");
  const built = await build(root, out, "--json", "--binary", `esp32c3-c=${binary}`);
  assert.equal(built.exitCode, 0, built.stderr);
  const [bundled, given] = JSON.parse(built.stdout).artifacts;
  assert.equal(given.sha256, sha256("zephyr"));
  assert.notEqual(given.buildId, bundled.buildId);
  assert.equal(readFileSync(join(out, given.file), "utf8"), "zephyr");
  const other = await build(root, out, "--binary", `esp32c6-a=${binary}`);
  assert.equal(other.exitCode, 2);
  assert.match(other.stderr, /--binary is for esp32c6-a, which --hardware does not name/);
});

test("diff shows what changed: facts, components, sources, parts and licences", async (context) => {
  const root = project(context);
  const [a, b] = [join(root, "a"), join(root, "b")];
  await build(root, a);
  writeFileSync(join(root, "src", "main.ts"), 'import hello from "greeting";\nhello("world");\n');
  writeFileSync(join(root, "boot.bin"), "bootloader 2");
  const greeting = { version: "2.0.0", license: "GPL-3.0-only" };
  const packages = { ...lock.packages, "node_modules/greeting": greeting };
  writeFileSync(join(root, "package-lock.json"), JSON.stringify({ ...lock, packages }));
  const built = await sluice(
    ...["release", "build", "--root", root, "--out", b, "--version", "1.3.0", "--breaking"],
    ...["--hardware", "esp32c3-b", "--bootloader", `esp32c3-b=${join(root, "boot.bin")}`],
  );
  assert.equal(built.exitCode, 0, built.stderr);
  const told = await sluice("release", "diff", a, b);
  assert.equal(told.exitCode, 0, told.stderr);
  for (const line of [
    /^ {4}version: 1\.2\.3 -> 1\.3\.0$/m,
    /^ {2}\+ breaking: true$/m,
    /^ {4}application esp32c3-b: [0-9a-f]{12} -> [0-9a-f]{12} \(\+\d+ bytes\)$/m,
    /^ {2}- application esp32c3-c: [0-9a-f]{12}$/m,
    /^ {4}bootloader esp32c3-b: .* \(\+2 bytes\)$/m,
    /^ {2}- configuration defaults\.json/m,
    /^ {4}greeting: 1\.0\.0 -> 2\.0\.0$/m,
    /^ {4}greeting: MIT -> GPL-3\.0-only$/m,
    /^ {4}src\/main\.ts: [0-9a-f]{12} -> [0-9a-f]{12}$/m,
  ])
    assert.match(told.stdout, line);
  assert.doesNotMatch(told.stdout, /zephyr/);
  const json = JSON.parse((await sluice("release", "diff", a, b, "--json")).stdout);
  assert.deepEqual(json.licenses, [{ name: "greeting", before: "MIT", after: "GPL-3.0-only" }]);
});

test("a release does not differ from itself, and what is none is refused", async (context) => {
  const root = project(context);
  const out = join(root, "out");
  await build(root, out);
  const same = await sluice("release", "diff", out, join(out, "manifest.json"));
  assert.deepEqual([same.exitCode, same.stdout, same.stderr], [0, "", "nothing differs\n"]);
  assert.equal((await sluice("release", "diff", out, root)).exitCode, 65);
  writeFileSync(join(out, "sbom.cdx.json"), "{}");
  const broken = await sluice("release", "diff", out, out);
  assert.match(broken.stderr, /is no CycloneDX SBOM/);
});

test("a broken lock file or list of native parts ends the build with its name", async (context) => {
  const root = project(context);
  writeFileSync(join(root, "package-lock.json"), "{}");
  assert.match(
    (await build(root, join(root, "out"))).stderr,
    /package-lock\.json is no package-lock/,
  );
  writeFileSync(join(root, "package-lock.json"), JSON.stringify(lock));
  const parts = join(root, "parts.json");
  writeFileSync(parts, '{"parts":[{}]}');
  const refused = await build(root, join(root, "out"), "--native-parts", parts);
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /parts\.json has a part 1 without name/);
});

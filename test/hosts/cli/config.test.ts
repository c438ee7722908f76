import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { posixRuleOf } from "../../../hosts/time-zones/posix-rule.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { TestFleet } from "../fleet/test-fleet.ts";
import { runCommand } from "./run-command.ts";

const keys = createKeyPair();
const document = { version: 3, schema: 2, values: { report: 60 }, flags: { night: true } };
const windows = { install: [{ days: ["sun"], start: "02:00", minutes: 120 }] };
const berlin = "CET-1CEST,M3.5.0,M10.5.0/3";

function workplace(context: TestContext) {
  const folder = temporaryFolder(context);
  const file = (name: string, content: string | object): string => {
    const path = join(folder, name);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
  const key = file("key.pem", keys.privatePem);
  const audit = ["--audit-log", join(folder, "audit.jsonl")];
  const out = join(folder, "out.slc");
  return {
    file,
    out,
    publicKey: file("public.pem", keys.publicPem),
    sign: (path: string, ...rest: string[]) =>
      sluice("config", "sign", path, "--key", key, "--out", out, ...audit, ...rest),
  };
}

test("signs a document that says what it said, and verifies", async (t) => {
  const { file, out, publicKey, sign } = workplace(t);
  const signed = await sign(file("c.json", document), "--json");
  assert.equal(signed.exitCode, 0, signed.stderr);
  const bytes = readFileSync(out).length;
  assert.deepEqual(JSON.parse(signed.stdout), { file: out, version: 3, schema: 2, bytes });
  const info = await sluice("config", "info", out, "--key", publicKey, "--json");
  assert.deepEqual(JSON.parse(info.stdout), { ...document, verified: true });
  const other = join(out, "..", "other.pem");
  writeFileSync(other, createKeyPair().publicPem);
  assert.equal((await sluice("config", "info", out, "--key", other)).exitCode, 1);
  assert.match((await sluice("config", "info", out)).stdout, /^signature +not verified/m);
});

test("the same document signed twice has the same bytes", async (t) => {
  const { file, out, sign } = workplace(t);
  const path = file("c.json", JSON.stringify(document, null, 4));
  await sign(path);
  const first = readFileSync(out);
  await sign(path);
  assert.deepEqual(readFileSync(out), first);
});

test("takes windows from a file and their time zone from the command line", async (t) => {
  const { file, out, sign } = workplace(t);
  const path = file("c.json", document);
  const flags = ["--windows", file("w.json", windows), "--time-zone", berlin];
  const signed = await sign(path, ...flags, "--version", "4", "--schema", "5");
  assert.equal(signed.exitCode, 0, signed.stderr);
  const info = JSON.parse((await sluice("config", "info", out, "--json")).stdout);
  assert.deepEqual([info.version, info.schema], [4, 5]);
  assert.deepEqual(info.values, {
    report: 60,
    windows: { timeZone: berlin, download: null, ...windows },
  });
});

test("derives the rule of a zone that is asked for by its name", async (t) => {
  const { file, out, sign } = workplace(t);
  const flags = ["--windows", file("w.json", windows), "--time-zone-from", "Asia/Kolkata"];
  const signed = await sign(file("c.json", document), ...flags);
  assert.equal(signed.exitCode, 0, signed.stderr);
  const info = JSON.parse((await sluice("config", "info", out, "--json")).stdout);
  assert.equal(info.values.windows.timeZone, "<+0530>-5:30");
});

const refusals: ReadonlyArray<readonly [string, unknown, string[], RegExp, number]> = [
  ["text that is no JSON", "{", [], /is no JSON/, 65],
  ["an array", [], [], /it is no JSON object/, 65],
  ["no version", { schema: 1 }, [], /it needs a "version" from 1/, 65],
  ["values that are no object", { ...document, values: 1 }, [], /"values" are no object/, 65],
  ["a flag with a bad name", { ...document, flags: { "a b": true } }, [], /objects for/, 65],
  [
    "too many values",
    { ...document, values: Object.fromEntries([...Array(129).keys()].map((n) => [`v${n}`, n])) },
    [],
    /more than 128 values/,
    65,
  ],
  ["4,097 bytes", { ...document, values: { x: "x".repeat(4096) } }, [], /takes at most 4096/, 65],
  ["a zone without windows", document, ["--time-zone", "UTC0"], /no windows that the time/, 65],
  [
    "windows without a zone",
    { ...document, values: { windows } },
    [],
    /windows\.timeZone is time-zone-missing/,
    65,
  ],
  [
    "windows in a zone that is a name",
    { ...document, values: { windows } },
    ["--time-zone", "Europe/Berlin"],
    /windows\.timeZone is /,
    65,
  ],
  [
    "a window of no time",
    { ...document, values: { windows: { install: [{ ...windows.install[0], minutes: 0 }] } } },
    ["--time-zone", "UTC0"],
    /windows\.install\[0\]\.minutes is malformed-minutes/,
    65,
  ],
  [
    "windows in a zone that nobody knows",
    { ...document, values: { windows } },
    ["--time-zone-from", "Europe/Atlantis"],
    /time-zone-unknown: the time zone database \d{4}[a-z] has no zone "Europe\/Atlantis"/,
    65,
  ],
  [
    "a rule and the name of a zone",
    { ...document, values: { windows } },
    ["--time-zone", "UTC0", "--time-zone-from", "Europe/Berlin"],
    /give either --time-zone RULE or --time-zone-from NAME/,
    2,
  ],
  ["version 0", document, ["--version", "0"], /Must be a whole number/, 2],
];

for (const [name, content, flags, says, exitCode] of refusals)
  test(`signs no document with ${name}`, async (t) => {
    const { file, sign } = workplace(t);
    const refused = await sign(file("c.json", content as object | string), ...flags);
    assert.equal(refused.exitCode, exitCode, refused.stderr);
    assert.match(refused.stderr, says);
  });

test("signs no windows in a zone that no rule describes", async (t) => {
  const names = Intl.supportedValuesOf("timeZone");
  const name = names.find((each) => !posixRuleOf(each, Date.now()).ok);
  if (name === undefined) return t.skip("each zone has a rule in these years");
  const { file, sign } = workplace(t);
  const path = file("c.json", { ...document, values: { windows } });
  const refused = await sign(path, "--time-zone-from", name);
  assert.equal(refused.exitCode, 65, refused.stderr);
  assert.match(refused.stderr, /no-posix-rule: no POSIX rule tells the time of /);
});

test("says what is missing: a key, a file, an envelope", async (t) => {
  const { file, out, sign } = workplace(t);
  const path = file("c.json", document);
  const keyless = await sluice("config", "sign", path, "--out", out);
  assert.equal(keyless.exitCode, 2);
  assert.match(keyless.stderr, /give the one key to sign with/);
  assert.equal((await sign(`${path}.none`)).exitCode, 65);
  const info = await sluice("config", "info", path);
  assert.equal(info.exitCode, 65);
  assert.match(info.stderr, /are no signed configuration/);
});

test("publishes a configuration and rolls it out", async (t) => {
  const { file, out, sign } = workplace(t);
  const fleet = await TestFleet.open(t, { imageKeys: [keys.publicPem] });
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const run = (...line: string[]) => runCommand(...line, "--fleet", url);
  await fleet.addDevice("lamp");
  await sign(file("c.json", document));
  const published = await run("config", "publish", out);
  assert.deepEqual([published.exitCode, published.stdout], [0, "3\n"], published.stderr);
  assert.match(published.stderr, /published; `sluice rollout create --configuration 3`/);
  assert.match((await run("config", "list")).stdout, /^ +3 +\d+ /m);
  const created = await run("rollout", "create", "--configuration", "3", "--start");
  assert.match(created.stdout, /^rollout 1 "configuration 3" of .*: running, 1 devices/);
  assert.match((await run("device", "show", "lamp")).stdout, /^config +-$/m);
  for (const flags of [
    [],
    ["--release", "1.0.0", "--configuration", "3"],
    ["--configuration", "x"],
  ])
    assert.equal((await run("rollout", "create", ...flags)).exitCode, 2);
  const bad = await run("config", "publish", file("bad.slc", "SLC1 and no more of it"));
  assert.equal(bad.exitCode, 69);
  assert.match(bad.stderr, /bad\.slc: malformed-envelope/);
});

// What commands take from --config and SLUICE_CONFIG, and what goes before it.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CommandError, exitCodes } from "../../../../hosts/cli/command/exit.ts";
import {
  configured,
  configuredToken,
  readConfiguration,
  underConfiguration,
} from "../../../../hosts/cli/options/configuration.ts";
import { sluice, temporaryFolder } from "../../../support/command-line.ts";

const whole = {
  format: 1,
  fleet: "http://127.0.0.1:8123",
  adminTokenFile: "admin-token",
  keyring: "keys",
  trust: "trust",
  imageKeys: ["image-1.pub.pem"],
  imageSigner: "key:image-1",
  targetsSigner: "key:targets-1",
  onlineKey: "key:online-1",
  data: "data",
  host: "127.0.0.1",
  port: 8123,
  pollSeconds: 5,
};

function folderWith(t: TestContext, document: unknown): string {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "sluice.json"), JSON.stringify(document));
  writeFileSync(join(folder, "admin-token"), "the-admin-token-of-it\n");
  return folder;
}

function variable(t: TestContext, name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  t.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

test("paths are those of its folder", (t) => {
  const folder = folderWith(t, whole);
  const { keyring, imageKeys, data } = readConfiguration(folder, true);
  assert.deepEqual(
    [keyring, ...imageKeys, data],
    [join(folder, "keys"), join(folder, "image-1.pub.pem"), join(folder, "data")],
  );
});

const wrong: ReadonlyArray<readonly [string, unknown, RegExp]> = [
  ["no object", [1], /is no JSON object/],
  ["a format of later", { ...whole, format: 2 }, /has the format 2, this version knows 1/],
  ["a word that nobody knows", { ...whole, kyering: "keys" }, /has "kyering", which nobody knows/],
  ["a member that lacks", { ...whole, keyring: undefined }, /has no path in "keyring"/],
  ["a number as text", { ...whole, port: "8123" }, /has no whole number in "port"/],
  ["a list that is none", { ...whole, imageKeys: "a" }, /has no list of paths in "imageKeys"/],
];
for (const [what, document, message] of wrong)
  test(`refuses a configuration with ${what}`, (t) => {
    const folder = folderWith(t, document);
    assert.throws(
      () => readConfiguration(folder, true),
      (error) => error instanceof CommandError && message.test(error.message),
    );
  });

test("a folder that is not there is told with the way to make one", async () => {
  const refused = await sluice("rollout", "list", "--config", "/nowhere/at-all");
  assert.equal(refused.exitCode, exitCodes.usage);
  assert.match(
    refused.stderr,
    /there is no such folder; "sluice init \/nowhere\/at-all" makes one/,
  );
});

test("what the command line names goes before a variable, what SLUICE_CONFIG names after it", (t) => {
  const folder = folderWith(t, whole);
  const fleet = (): string | undefined => configured("SLUICE_FLEET", (found) => found.fleet);
  variable(t, "SLUICE_FLEET", "http://127.0.0.1:9");
  variable(t, "SLUICE_TOKEN", "token-of-the-environment");
  const by = (argv: readonly string[]) =>
    underConfiguration(argv, () => [fleet(), configuredToken()]);
  assert.deepEqual(by(["rollout", "list"]), ["http://127.0.0.1:9", "token-of-the-environment"]);
  for (const argv of [
    ["rollout", "list", "--config", folder],
    ["rollout", `--config=${folder}`],
  ])
    assert.deepEqual(by(argv), [whole.fleet, "the-admin-token-of-it"]);
  variable(t, "SLUICE_CONFIG", folder);
  assert.deepEqual(by(["rollout", "list"]), ["http://127.0.0.1:9", "token-of-the-environment"]);
  delete process.env["SLUICE_FLEET"];
  delete process.env["SLUICE_TOKEN"];
  assert.deepEqual(by(["rollout", "list"]), [whole.fleet, "the-admin-token-of-it"]);
});

test("init does not look at the configuration that the environment names", async (t) => {
  variable(t, "SLUICE_CONFIG", "/nowhere/at-all");
  const folder = join(temporaryFolder(t), "taken");
  mkdirSync(folder);
  writeFileSync(join(folder, "a"), "");
  assert.match((await sluice("init", folder)).stderr, /is not empty/);
});

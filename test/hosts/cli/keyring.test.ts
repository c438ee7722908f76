import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

function workplace(context: TestContext) {
  const folder = temporaryFolder(context);
  const passphrase = join(folder, "passphrase");
  writeFileSync(passphrase, "correct horse battery\n");
  const keyring = join(folder, "keys");
  const keys = (...argv: string[]) =>
    sluice("keys", ...argv, "--keyring", keyring, "--passphrase-file", passphrase);
  const list = async () =>
    JSON.parse((await sluice("keys", "list", "--keyring", keyring, "--json")).stdout).keys;
  return { folder, passphrase, keyring, keys, list };
}

test("a key of the keyring is encrypted, for its owner alone, and listed by name and role", async (context) => {
  const { keyring, keys, list } = workplace(context);
  const made = await keys("create", "--name", "root-1", "--role", "root");
  assert.equal(made.exitCode, 0, made.stderr);
  const file = join(keyring, "root-1.pem");
  assert.match(readFileSync(file, "utf8"), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(keyring).mode & 0o777, 0o700);
  const [key] = await list();
  assert.deepEqual([key.name, key.role, key.state], ["root-1", "root", "active"]);
  assert.equal(`${key.keyId}\n`, made.stdout);
  assert.match((await sluice("keys", "list", "--keyring", keyring)).stdout, /root-1 +root +active/);
});

test("a short passphrase, a missing one and a bad name make no key", async (context) => {
  const { keyring, passphrase, keys } = workplace(context);
  writeFileSync(passphrase, "short\n");
  const short = await keys("create", "--name", "root-1", "--role", "root");
  assert.equal(short.exitCode, 65);
  assert.match(short.stderr, /the passphrase has 5 characters; give at least 12/);
  const variable = await sluice(
    ...["keys", "create", "--name", "root-1", "--role", "root", "--keyring", keyring],
    ...["--passphrase-env", "SLUICE_TEST_UNSET"],
  );
  assert.equal(variable.exitCode, 2);
  writeFileSync(passphrase, "correct horse battery\n");
  const name = await keys("create", "--name", "../root", "--role", "root");
  assert.match(name.stderr, /"\.\.\/root" is no name of a key/);
  const role = await keys("create", "--name", "root-1", "--role", "chief");
  assert.equal(role.exitCode, 2);
  assert.deepEqual(readdirSync(join(keyring, "..")), ["passphrase"]);
});

test("shows the public half of a key of the keyring, and of an encrypted file", async (context) => {
  const { folder, keyring, keys, list } = workplace(context);
  const publicFile = join(folder, "image-1.pub.pem");
  await keys("create", "--name", "image-1", "--role", "image", "--public", publicFile);
  const [{ publicPem }] = await list();
  assert.equal(readFileSync(publicFile, "utf8"), publicPem);
  assert.equal((await keys("public", "key:image-1")).stdout, publicPem);
  assert.equal((await keys("public", join(keyring, "image-1.pem"))).stdout, publicPem);
  assert.equal((await keys("public", "key:image-9")).exitCode, 65);
});

test("never makes a second key of a name, nor imports a key twice", async (context) => {
  const { folder, keys, list } = workplace(context);
  const file = join(folder, "mine.pem");
  writeFileSync(file, createKeyPair().privatePem);
  assert.equal(
    (await keys("import", "--name", "a", "--role", "image", "--file", file)).exitCode,
    0,
  );
  assert.match(
    (await keys("create", "--name", "a", "--role", "image")).stderr,
    /a key "a" already/,
  );
  const again = await keys("import", "--name", "b", "--role", "image", "--file", file);
  assert.equal(again.exitCode, 65);
  assert.match(again.stderr, /that key is "a" already/);
  assert.equal((await list()).length, 1);
});

test("imports the public half of a key that somebody else holds, which then cannot sign here", async (context) => {
  const { folder, keyring, keys, list } = workplace(context);
  const file = join(folder, "alice.pem");
  writeFileSync(file, createKeyPair().publicPem);
  const done = await keys("import", "--name", "alice", "--role", "root", "--public", file);
  assert.equal(done.exitCode, 0, done.stderr);
  assert.equal((await list())[0].signer, null);
  assert.deepEqual(readdirSync(keyring), [".keyring.json.lock", "keyring.json"]);
  const neither = await keys("import", "--name", "bob", "--role", "root");
  assert.equal(neither.exitCode, 2);
});

test("rotating retires a key for its successor, revoking ends it for good", async (context) => {
  const { keys, list } = workplace(context);
  await keys("create", "--name", "targets-1", "--role", "targets");
  const rotated = await keys("rotate", "targets-1", "--as", "targets-2");
  assert.equal(rotated.exitCode, 0, rotated.stderr);
  assert.match(rotated.stderr, /sluice trust add-key targets targets-2/);
  const revoked = await keys("revoke", "targets-1", "--reason", "laptop stolen");
  assert.equal(revoked.exitCode, 0);
  const [old, successor] = await list();
  assert.deepEqual(
    [old.state, old.reason, old.replacedBy],
    ["revoked", "laptop stolen", "targets-2"],
  );
  assert.deepEqual([successor.state, successor.role], ["active", "targets"]);
  assert.equal((await keys("rotate", "targets-1", "--as", "targets-3")).exitCode, 65);
  assert.equal((await keys("revoke", "nobody", "--reason", "x")).exitCode, 65);
});

test("a rotation can be asked for again, whatever was done of it before", async (context) => {
  const { keyring, keys, list } = workplace(context);
  const path = join(keyring, "keyring.json");
  await keys("create", "--name", "root-1", "--role", "root");
  const before = readFileSync(path);
  const rotate = ["rotate", "root-1", "--as", "root-2"] as const;
  const first = await keys(...rotate);
  assert.equal(first.exitCode, 0, first.stderr);
  const after = readFileSync(path, "utf8");
  // Whole, but nobody was told.
  const again = await keys(...rotate);
  assert.deepEqual([again.exitCode, again.stdout], [0, first.stdout], again.stderr);
  assert.equal(readFileSync(path, "utf8"), after);
  // The successor is an entry and the old one still active, as earlier versions could leave it.
  const json = JSON.parse(after);
  Object.assign(json.keys[0], { state: "active", replacedBy: null });
  writeFileSync(path, JSON.stringify(json));
  assert.equal((await keys(...rotate)).exitCode, 0);
  assert.equal(readFileSync(path, "utf8"), after);
  // The successor's file alone is there: it is kept, under another name.
  writeFileSync(path, before);
  const anew = await keys(...rotate);
  assert.equal(anew.exitCode, 0, anew.stderr);
  assert.notEqual(anew.stdout, first.stdout);
  assert.equal(readdirSync(keyring).filter((name) => name.includes("unlisted")).length, 1);
  const states = (await list()).map((key: { state: string }) => key.state);
  assert.deepEqual(states, ["retired", "active"]);
});

test("a rotation revives no revoked key and takes no key of another role", async (context) => {
  const { keys } = workplace(context);
  await keys("create", "--name", "root-1", "--role", "root");
  await keys("create", "--name", "image-1", "--role", "image");
  const other = await keys("rotate", "root-1", "--as", "image-1");
  assert.match(other.stderr, /has a key "image-1" already, active and for image/);
  const itself = await keys("rotate", "root-1", "--as", "root-1");
  assert.equal(itself.exitCode, 65);
  await keys("rotate", "root-1", "--as", "root-2");
  await keys("revoke", "root-1", "--reason", "stolen");
  const revived = await keys("rotate", "root-1", "--as", "root-2");
  assert.match(revived.stderr, /the key "root-1" is revoked already/);
});

test("a keyring that was tampered with is refused as a whole", async (context) => {
  const { keyring, keys } = workplace(context);
  await keys("create", "--name", "root-1", "--role", "root");
  const path = join(keyring, "keyring.json");
  const other = createKeyPair().publicPem;
  const json = JSON.parse(readFileSync(path, "utf8"));
  json.keys[0].publicPem = other;
  writeFileSync(path, JSON.stringify(json));
  const listed = await sluice("keys", "list", "--keyring", keyring);
  assert.equal(listed.exitCode, 65);
  assert.match(listed.stderr, /is no keyring/);
});

test("a folder that cannot be written ends plainly", async (context) => {
  const { folder, passphrase } = workplace(context);
  const blocked = join(folder, "file");
  writeFileSync(blocked, "");
  mkdirSync(join(folder, "other"));
  const made = await sluice(
    ...["keys", "create", "--name", "a", "--role", "root", "--keyring", join(blocked, "keys")],
    ...["--passphrase-file", passphrase],
  );
  assert.equal(made.exitCode, 65);
  assert.match(made.stderr, /keyring\.json: .* a folder is needed/);
});

import assert from "node:assert/strict";
import { createHash, createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { serveFleet } from "../../../hosts/fleet/main.ts";
import { tufKeyId } from "../../../hosts/release/keys/signer.ts";
import { createKeyPair, signerFromKey } from "../../../hosts/release/pem-keys.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { skipWithoutSoftHsm, softToken } from "../../support/soft-hsm.ts";
import { signedImage } from "../../support/trust-repository.ts";

const names = ["root-1", "root-2", "root-3", "targets-1", "online-1", "image-1"];
const roleOf = (name: string): string => name.split("-")[0] ?? "";

/**
 * A keyring of public halves, whose private ones lie as plain files elsewhere: no time for scrypt.
 */
async function workplace(context: TestContext) {
  const folder = temporaryFolder(context);
  const places = ["--keyring", join(folder, "keys"), "--repository", join(folder, "trust")];
  const key = (name: string): string => join(folder, `${name}.pem`);
  const addKey = async (name: string) => {
    const pair = createKeyPair();
    writeFileSync(key(name), pair.privatePem);
    writeFileSync(join(folder, "public.pem"), pair.publicPem);
    const imported = await sluice(
      ...["keys", "import", "--name", name, "--role", roleOf(name), ...places.slice(0, 2)],
      ...["--public", join(folder, "public.pem")],
    );
    assert.equal(imported.exitCode, 0, imported.stderr);
  };
  for (const name of names) await addKey(name);
  const withoutKeyring = [
    ...["verify", "export-payload", "import-signature"],
    ...["set-threshold", "add-release", "remove-release"],
  ];
  const trust = (verb: string, ...argv: string[]) =>
    sluice(
      ...["trust", verb, ...argv],
      ...(withoutKeyring.includes(verb) ? places.slice(2) : places),
    );
  const done = async (verb: string, ...argv: string[]) => {
    const result = await trust(verb, ...argv);
    assert.equal(result.exitCode, 0, `${verb} ${argv.join(" ")}: ${result.stderr}`);
    return result;
  };
  const sign = (...keys: string[]) => done("sign", ...keys.flatMap((name) => ["--key", key(name)]));
  return { folder, key, addKey, trust, done, sign };
}

type Workplace = Awaited<ReturnType<typeof workplace>>;

async function begin({ done, sign, key }: Workplace): Promise<void> {
  await done("init");
  await sign("root-1", "root-2");
  await sign("targets-1");
  await done("refresh", "--key", key("online-1"));
}

test("two of three root keys, a targets key and the online key begin a repository", async (context) => {
  const place = await workplace(context);
  const { trust, done, sign, key } = place;
  assert.equal((await trust("verify")).exitCode, 1);
  const drafted = await done("init");
  assert.match(
    drafted.stderr,
    /root version 1, 0 of 2 signatures; keys: root 2 of 3, targets 1 of 1/,
  );
  assert.match((await sign("root-1")).stderr, /waits: root version 1, 1 of 2 signatures/);
  assert.match((await sign("root-3")).stderr, /root version 1 counts now/);
  const early = await trust("refresh", "--key", key("online-1"));
  assert.equal(early.exitCode, 65);
  await sign("targets-1");
  const wrong = await trust("refresh", "--key", key("targets-1"));
  assert.match(wrong.stderr, /is not the one that root names for snapshot and timestamp/);
  await done("refresh", "--key", key("online-1"));
  const verified = await done("verify", "--json");
  const { problems, roles } = JSON.parse(verified.stdout);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    roles.map(({ role }: { role: string }) => role),
    ["root", "targets", "snapshot", "timestamp"],
  );
  const again = await trust("init");
  assert.equal(again.exitCode, 65);
  assert.match(again.stderr, /has a root already/);
});

test("init says which keys are missing", async (context) => {
  const folder = temporaryFolder(context);
  const refused = await sluice("trust", "init", "--keyring", join(folder, "keys"));
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /0 active root keys and needs 2; make one with "sluice keys create/);
});

test("a key signs only what it may sign", async (context) => {
  const place = await workplace(context);
  await place.done("init");
  const refused = await place.trust("sign", "--key", place.key("online-1"));
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /may sign none of the drafts \(root, targets\)/);
  const nothing = await place.trust("sign", "evidence", "--key", place.key("root-1"));
  assert.match(nothing.stderr, /nothing waits for a signature of evidence/);
  assert.equal((await place.trust("sign")).exitCode, 2);
});

test("an air-gapped signer gets a file and returns a file", async (context) => {
  const place = await workplace(context);
  const { done, trust, folder, key } = place;
  await done("init");
  const payload = join(folder, "payload");
  const exported = await done("export-payload", "root", "--out", payload);
  const digest = /its SHA-256 is ([0-9a-f]{64})/.exec(exported.stderr)?.[1];
  const signature = join(folder, "signature");
  const signed = await sluice(
    ...["trust", "sign", "--payload", payload, "--out", signature, "--key", key("root-2")],
  );
  assert.equal(signed.exitCode, 0, signed.stderr);
  assert.match(signed.stderr, new RegExp(`its SHA-256 is ${digest}`));
  assert.match(signed.stderr, /root version 1: keys: root 2 of 3/);
  assert.match((await done("import-signature", "root", signature)).stderr, /waits: root .* 1 of 2/);
  const other = join(folder, "other");
  await sluice("trust", "sign", "--payload", payload, "--out", other, "--key", key("root-1"));
  assert.match((await done("import-signature", "root", other)).stderr, /root version 1 counts now/);
  const foreign = join(folder, "foreign");
  const targets = join(folder, "targets-payload");
  await done("export-payload", "targets", "--out", targets);
  await sluice("trust", "sign", "--payload", targets, "--out", foreign, "--key", key("online-1"));
  const refused = await trust("import-signature", "targets", foreign);
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /is no signature of targets version 1 by a key that may sign it/);
  assert.match(
    (await trust("export-payload", "root", "--out", payload)).stderr,
    /waiting: targets/,
  );
});

test("what is no payload is not signed", async (context) => {
  const place = await workplace(context);
  const payload = join(place.folder, "payload");
  for (const text of ["", "hello", "{}", '{"_type":"root"}', '{ "_type": "targets" }', "null"]) {
    writeFileSync(payload, text);
    const refused = await sluice(
      "trust",
      "sign",
      "--payload",
      payload,
      "--key",
      place.key("root-1"),
    );
    assert.equal(refused.exitCode, 65, text);
    assert.match(refused.stderr, /is no payload of "sluice trust export-payload"/);
  }
});

test("a release is drafted, signed, refreshed and taken out again", async (context) => {
  const place = await workplace(context);
  const { done, trust, sign, folder, key } = place;
  await begin(place);
  const image = join(folder, "app.image");
  writeFileSync(image, await signedImage("1.2.0", "esp32c3-b"));
  const notes = join(folder, "notes.md");
  writeFileSync(notes, "# 1.2.0\n");
  const added = await done("add-release", image, "--evidence", notes);
  assert.match(
    added.stderr,
    /draft: esp32c3-b version 1, 0 of 1 signatures; 1 targets: esp32c3-b\/1\.2\.0\.img/,
  );
  const early = await trust("verify");
  assert.equal(early.exitCode, 0, "drafts change nothing that counts");
  await sign("targets-1");
  assert.match((await trust("verify")).stderr, /snapshot: it does not list targets 2/);
  await done("refresh", "--key", key("online-1"));
  await done("verify");
  const file = readFileSync(join(folder, "trust", "metadata", "1.evidence.json"), "utf8");
  assert.match(file, /evidence\/1\.2\.0\/notes\.md/);
  await done("remove-release", "1.2.0");
  await sign("targets-1");
  await done("refresh", "--key", key("online-1"));
  await done("verify");
  assert.equal((await trust("remove-release", "1.2.0")).exitCode, 65);
});

test("keys change by a root that the old ones sign", async (context) => {
  const place = await workplace(context);
  const { done, trust, sign, addKey, key } = place;
  await begin(place);
  await addKey("root-4");
  await done("add-key", "root", "root-4");
  await done("remove-key", "root", "root-1");
  assert.match((await sign("root-4")).stderr, /waits: root version 2, 0 of 2 .* own keys 1 of 2/);
  assert.match((await sign("root-2", "root-3")).stderr, /root version 2 counts now/);
  await done("refresh", "--key", key("online-1"));
  await done("verify");
  const role = await trust("add-key", "root", "targets-1");
  assert.match(role.stderr, /"targets-1" is for targets, not for root/);
  const count = await trust("set-threshold", "root", "4");
  assert.match(count.stderr, /root would have 3 keys of which 4 must sign/);
  assert.equal((await trust("add-key", "chief", "root-4")).exitCode, 2);
});

test("drafts with a new life what is due, and nothing else", async (context) => {
  const place = await workplace(context);
  const { done, sign, folder } = place;
  await begin(place);
  assert.match((await done("refresh", "--due")).stderr, /more than half of its life left/);
  const settings = join(folder, "trust", "settings.json");
  const { lifeDays } = JSON.parse(readFileSync(settings, "utf8"));
  // Targets that were signed for a moment only, and are over.
  writeFileSync(settings, JSON.stringify({ lifeDays: { ...lifeDays, targets: 1e-9 } }));
  await done("refresh", "targets");
  await sign("targets-1");
  writeFileSync(settings, JSON.stringify({ lifeDays }));
  const due = await done("refresh", "--due");
  assert.match(due.stderr, /^draft: targets version 3/);
  assert.doesNotMatch(due.stderr, /root/);
});

test("a missing or changed file of a release is found", async (context) => {
  const place = await workplace(context);
  const { done, trust, sign, folder, key } = place;
  await begin(place);
  const bytes = await signedImage("1.2.0", "esp32c3-b");
  const image = join(folder, "app.image");
  writeFileSync(image, bytes);
  await done("add-release", image);
  await sign("targets-1");
  await done("refresh", "--key", key("online-1"));
  const hash = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(join(folder, "trust", "targets", "esp32c3-b", `${hash}.1.2.0.img`), "evil");
  const changed = await trust("verify");
  assert.equal(changed.exitCode, 1);
  assert.match(
    changed.stderr,
    /the file of esp32c3-b\/1\.2\.0\.img is not the one that was signed/,
  );
});

test("every use of a key for metadata stands in its audit log", async (context) => {
  const place = await workplace(context);
  await begin(place);
  const log = join(place.folder, "audit.jsonl");
  const shown = await sluice(
    "audit",
    "show",
    "--log",
    log,
    "--keyring",
    join(place.folder, "keys"),
  );
  assert.equal(shown.exitCode, 0, shown.stderr);
  assert.match(shown.stdout, /root-1 +root version 1/);
  assert.match(shown.stdout, /online-1 +timestamp version 1/);
});

test("a root key in a token and a targets key behind a command sign as files do", {
  skip: skipWithoutSoftHsm,
}, async (context) => {
  const place = await workplace(context);
  const { done, folder, key } = place;
  const token = softToken(context, ["root-9"]);
  const pin = join(folder, "pin");
  writeFileSync(pin, `${token.pin}\n`);
  const imported = await sluice(
    ...["keys", "import", "--name", "root-9", "--role", "root", "--keyring", join(folder, "keys")],
    ...["--signer", token.address("root-9")],
  );
  assert.equal(imported.exitCode, 0, imported.stderr);
  await done("init");
  const signed = await done("sign", "--signer", "key:root-9", "--passphrase-file", pin);
  assert.match(signed.stderr, /waits: root version 1, 1 of 2 signatures; keys: root 2 of 4/);
  await place.sign("root-1");
  const command = `exec:openssl pkeyutl -sign -inkey '${key("targets-1")}'`;
  const found = await sluice("keys", "public", key("targets-1"));
  writeFileSync(join(folder, "targets.pub.pem"), found.stdout);
  const targets = ["--signer", command, "--signer-public", join(folder, "targets.pub.pem")];
  assert.match((await done("sign", ...targets)).stderr, /targets version 1 counts now/);
  await done("refresh", "--key", key("online-1"));
  await done("verify");
});

test("publishes to a fleet server, which signs over it with the online key", async (context) => {
  const place = await workplace(context);
  const { done, trust, sign, folder, key } = place;
  await begin(place);
  const image = join(folder, "app.image");
  writeFileSync(image, await signedImage("1.2.0", "esp32c3-b"));
  await done("add-release", image);
  const found = signerFromKey(createPrivateKey(readFileSync(key("online-1"))));
  assert.ok(found.ok);
  const keyId = tufKeyId(found.signer.publicKey);
  const running = await serveFleet({
    databaseFile: ":memory:",
    artifactsFolder: join(folder, "artifacts"),
    host: "127.0.0.1",
    port: 0,
    trust: {
      folder: join(folder, "served"),
      onlineSigner: { ...found.signer, keyId, label: "online" },
    },
  });
  context.after(() => running.close());
  const publish = (...argv: string[]) =>
    sluice(
      ...["trust", "publish", "--repository", join(folder, "trust"), "--fleet", running.url],
      ...argv,
    );
  await sign("targets-1");
  const published = await publish("--json");
  assert.equal(published.exitCode, 0, published.stderr);
  assert.match(published.stderr, /sent esp32c3-b\/1\.2\.0\.img/);
  assert.equal(JSON.parse(published.stdout).ready, true);
  const timestamp = await fetch(`${running.url}/DEFAULT/tuf/timestamp.json`);
  assert.equal(timestamp.status, 200);
  const again = await publish();
  assert.equal(again.exitCode, 0, again.stderr);
  assert.doesNotMatch(again.stderr, /sent/);
  const nobody = await sluice(
    ...["trust", "publish", "--repository", join(folder, "none"), "--fleet", running.url],
  );
  assert.equal(nobody.exitCode, 1);
  assert.match(nobody.stderr, /devices would refuse it: root: there is no root/);
  const down = await sluice(
    ...["trust", "publish", "--repository", join(folder, "trust"), "--fleet", "http://127.0.0.1:1"],
  );
  assert.equal(down.exitCode, 69);
  assert.equal(
    (await trust("verify")).exitCode,
    1,
    "the snapshot here is older: the server signs its own",
  );
});

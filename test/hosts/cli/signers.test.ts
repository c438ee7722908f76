import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { imgtool, skipWithoutImgtool } from "../../support/imgtool.ts";
import { skipWithoutSoftHsm, softToken } from "../../support/soft-hsm.ts";

interface Workplace {
  readonly folder: string;
  readonly keyring: string;
  readonly passphrase: string;
  readonly image: string;
  sign(...signers: string[]): ReturnType<typeof sluice>;
  verify(publicPem: string): Promise<number>;
}

function workplace(context: TestContext): Workplace {
  const folder = temporaryFolder(context);
  const keyring = join(folder, "keys");
  const passphrase = join(folder, "passphrase");
  writeFileSync(passphrase, "correct horse battery\n");
  const payload = join(folder, "payload");
  writeFileSync(payload, new Uint8Array(1000));
  const image = join(folder, "app.image");
  return {
    folder,
    keyring,
    passphrase,
    image,
    sign: (...signers) =>
      sluice(
        ...["release", "sign", payload, "--version", "1.2.3", "--hardware", "esp32c3-b"],
        ...["--security-counter", "1", "--out", image, "--keyring", keyring],
        ...["--passphrase-file", passphrase, ...signers],
      ),
    verify: async (publicPem) => {
      const file = join(folder, "verify.pem");
      writeFileSync(file, publicPem);
      return (await sluice("image", "verify", image, "--key", file)).exitCode;
    },
  };
}

const publicOf = (keyring: string, name: string): string =>
  JSON.parse(readFileSync(join(keyring, "keyring.json"), "utf8")).keys.find(
    (key: { name: string }) => key.name === name,
  ).publicPem;

async function createKey(place: Workplace, name: string, role: string): Promise<void> {
  const made = await sluice(
    ...["keys", "create", "--name", name, "--role", role],
    ...["--keyring", place.keyring, "--passphrase-file", place.passphrase],
  );
  assert.equal(made.exitCode, 0, made.stderr);
}

test("signs an image with two keys of the keyring, and a bootloader of either boots it", async (context) => {
  const place = workplace(context);
  await createKey(place, "image-1", "image");
  await createKey(place, "image-2", "image");
  const signed = await place.sign("--signer", "key:image-1", "--signer", "key:image-2");
  assert.equal(signed.exitCode, 0, signed.stderr);
  assert.equal(await place.verify(publicOf(place.keyring, "image-1")), 0);
  assert.equal(await place.verify(publicOf(place.keyring, "image-2")), 0);
  assert.equal(await place.verify(createKeyPair().publicPem), 1);
  const { tlvs } = JSON.parse((await sluice("image", "info", place.image, "--json")).stdout);
  assert.equal(
    tlvs.filter(({ type }: { type: number | string }) => Number(type) === 0x22).length,
    2,
  );
});

test("imgtool verifies the image of two keys by either of them", {
  skip: skipWithoutImgtool,
}, async (context) => {
  const place = workplace(context);
  await createKey(place, "image-1", "image");
  await createKey(place, "image-2", "image");
  await place.sign("--signer", "key:image-1", "--signer", "key:image-2");
  for (const name of ["image-1", "image-2"]) {
    const file = join(place.folder, `${name}.pem`);
    writeFileSync(file, publicOf(place.keyring, name));
    const verified = imgtool("verify", "--key", file, place.image);
    assert.match(verified.output, /Image was correctly validated/);
  }
});

test("every signature stands in the audit log, which a change makes invalid", async (context) => {
  const place = workplace(context);
  await createKey(place, "image-1", "image");
  await place.sign("--signer", "key:image-1");
  await place.sign("--signer", "key:image-1");
  const audit = (...argv: string[]) => sluice("audit", ...argv, "--keyring", place.keyring);
  const verified = await audit("verify");
  assert.equal(verified.exitCode, 0, verified.stderr);
  assert.match(verified.stderr, /2 entries/);
  const head = verified.stdout.trim();
  const shown = await audit("show");
  assert.match(shown.stdout, /image-1 +image 1\.2\.3 for esp32c3-b/);
  const log = join(place.keyring, "audit.jsonl");
  const whole = readFileSync(log, "utf8");
  writeFileSync(log, whole.replace("1.2.3", "1.2.4"));
  assert.equal((await audit("verify")).exitCode, 1);
  writeFileSync(log, `${whole.split("\n")[0]}\n`);
  assert.equal((await audit("verify")).exitCode, 0);
  const cut = await audit("verify", "--head", head);
  assert.equal(cut.exitCode, 1);
  assert.match(cut.stderr, /the end was cut off/);
});

test("a key file signs with its log beside it, and --audit-log puts it elsewhere", async (context) => {
  const place = workplace(context);
  const key = join(place.folder, "release.pem");
  const { privatePem, publicPem } = createKeyPair();
  const publicKey = join(place.folder, "release-pub.pem");
  writeFileSync(key, privatePem);
  writeFileSync(publicKey, publicPem);
  assert.equal((await place.sign("--key", key)).exitCode, 0);
  const log = join(place.folder, "audit.jsonl");
  assert.ok(existsSync(log));
  const verified = await sluice("audit", "verify", "--log", log, "--key", publicKey);
  assert.equal(verified.exitCode, 0, verified.stderr);
  const refused = await place.sign("--key", key, "--audit-log", "/nowhere/audit.jsonl");
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /cannot write the audit log .* nothing is signed; give --audit-log/);
});

test("an encrypted key file signs with its passphrase only", async (context) => {
  const place = workplace(context);
  const key = join(place.folder, "release.pem");
  const made = await sluice(
    ...["keys", "create", "--out", key, "--passphrase-file", place.passphrase],
  );
  assert.equal(made.exitCode, 0, made.stderr);
  assert.match(readFileSync(key, "utf8"), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  assert.equal((await place.sign("--key", key)).exitCode, 0);
  assert.equal(await place.verify(made.stdout), 0);
  writeFileSync(place.passphrase, "another passphrase\n");
  const refused = await place.sign("--key", key);
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /the passphrase does not open/);
});

test("a command signs: digest in, signature out, checked by the public key", async (context) => {
  const place = workplace(context);
  const key = join(place.folder, "kms.pem");
  const publicKey = join(place.folder, "kms-public.pem");
  const pair = createKeyPair();
  writeFileSync(key, pair.privatePem);
  writeFileSync(publicKey, pair.publicPem);
  const command = `exec:openssl pkeyutl -sign -inkey '${key}'`;
  const signed = await place.sign("--signer", command, "--signer-public", publicKey);
  assert.equal(signed.exitCode, 0, signed.stderr);
  assert.equal(await place.verify(pair.publicPem), 0);
  const base64 = await place.sign("--signer", `${command} | base64`, "--signer-public", publicKey);
  assert.equal(base64.exitCode, 0, base64.stderr);
  assert.match((await place.sign("--signer", command)).stderr, /give it with --signer-public PEM/);
});

test("what a command answers wrongly never becomes an image", async (context) => {
  const place = workplace(context);
  const publicKey = join(place.folder, "kms-public.pem");
  const other = join(place.folder, "other.pem");
  writeFileSync(publicKey, createKeyPair().publicPem);
  writeFileSync(other, createKeyPair().privatePem);
  const cases: ReadonlyArray<readonly [string, RegExp]> = [
    [`openssl pkeyutl -sign -inkey '${other}'`, /its public key does not verify/],
    ["echo hello", /answered 6 bytes that are no ECDSA signature/],
    ["true", /answered 0 bytes/],
    ["echo access denied >&2; exit 3", /ended with 3: access denied/],
    ["/no/such/program", /ended with 127/],
  ];
  for (const [command, says] of cases) {
    const refused = await place.sign(
      ...["--signer", `exec:${command}`, "--signer-public", publicKey],
    );
    assert.equal(refused.exitCode, 65, command);
    assert.match(refused.stderr, says);
    assert.equal(existsSync(place.image), false, command);
  }
});

test("a key for metadata signs no image", async (context) => {
  const place = workplace(context);
  await createKey(place, "root-1", "root");
  const refused = await place.sign("--signer", "key:root-1");
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /"root-1" is for root, not for images/);
});

test("a PKCS#11 token signs; a wrong PIN and a label that is not there end plainly", {
  skip: skipWithoutSoftHsm,
}, async (context) => {
  const place = workplace(context);
  const token = softToken(context, ["image-1"]);
  writeFileSync(place.passphrase, `${token.pin}\n`);
  const imported = await sluice(
    ...["keys", "import", "--name", "hsm-1", "--role", "image", "--keyring", place.keyring],
    ...["--signer", token.address("image-1")],
  );
  assert.equal(imported.exitCode, 0, imported.stderr);
  const signed = await place.sign("--signer", "key:hsm-1");
  assert.equal(signed.exitCode, 0, signed.stderr);
  assert.equal(await place.verify(publicOf(place.keyring, "hsm-1")), 0);
  assert.equal((await place.sign("--signer", token.address("image-1"))).exitCode, 0);
  const absent = await place.sign("--signer", token.address("image-9"));
  assert.equal(absent.exitCode, 65);
  writeFileSync(place.passphrase, "00000000\n");
  const refused = await place.sign("--signer", "key:hsm-1");
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /CKR_PIN_INCORRECT/);
  assert.equal((await sluice("audit", "verify", "--keyring", place.keyring)).exitCode, 0);
});

test("openssl is there for the tests of commands", () => {
  assert.equal(spawnSync("openssl", ["version"]).status, 0);
});

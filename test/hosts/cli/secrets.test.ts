import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

test("no program that a command starts sees a passphrase, a PIN or a token", async (context) => {
  const folder = temporaryFolder(context);
  const [key, pub, payload, seen] = ["k.pem", "p.pem", "payload", "seen"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  await sluice("keys", "create", "--out", key, "--public", pub);
  writeFileSync(payload, new Uint8Array(1000));
  const secrets = {
    SLUICE_PASSPHRASE: "secret of the default",
    SLUICE_TEST_PASSPHRASE: "secret of the option",
    SLUICE_PKCS11_PIN: "secret pin",
    SLUICE_TOKEN: "secret-admin-token",
    SLUICE_GATEWAY_TOKEN: "secret-gateway-token",
  };
  Object.assign(process.env, secrets);
  context.after(() => {
    for (const name of Object.keys(secrets)) delete process.env[name];
  });
  const signed = await sluice(
    ...["release", "sign", payload, "--version", "1.2.3", "--hardware", "esp32c3-b"],
    ...["--security-counter", "1", "--out", join(folder, "image")],
    ...["--signer", `exec:env > '${seen}'; openssl pkeyutl -sign -inkey '${key}'`],
    ...["--signer-public", pub, "--audit-log", join(folder, "audit.jsonl")],
    ...["--passphrase-env", "SLUICE_TEST_PASSPHRASE"],
  );
  assert.equal(signed.exitCode, 0, signed.stderr);
  const environment = readFileSync(seen, "utf8");
  assert.match(environment, /^SLUICE_DIGEST=/m);
  assert.doesNotMatch(environment, /secret/);
  // What the command took out for itself it puts back.
  for (const [name, value] of Object.entries(secrets)) assert.equal(process.env[name], value);
});

test("a withheld passphrase still opens its key", async (context) => {
  const folder = temporaryFolder(context);
  process.env["SLUICE_TEST_PASSPHRASE"] = "correct horse battery";
  context.after(() => delete process.env["SLUICE_TEST_PASSPHRASE"]);
  const where = ["--keyring", folder, "--passphrase-env", "SLUICE_TEST_PASSPHRASE"];
  const made = await sluice("keys", "create", "--name", "a", "--role", "image", ...where);
  assert.equal(made.exitCode, 0, made.stderr);
  const shown = await sluice("keys", "public", join(folder, "a.pem"), ...where);
  assert.equal(shown.exitCode, 0, shown.stderr);
});

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

test("creates a P-256 key that only its owner can read, and its public half", async (context) => {
  const folder = temporaryFolder(context);
  const out = join(folder, "release.pem");
  const publicFile = join(folder, "release-public.pem");
  const created = await sluice("keys", "create", "--out", out, "--public", publicFile);
  assert.equal(created.exitCode, 0);
  assert.equal(statSync(out).mode & 0o777, 0o600);
  assert.match(readFileSync(out, "utf8"), /^-----BEGIN PRIVATE KEY-----/);
  const key = createPublicKey(readFileSync(publicFile));
  assert.equal(key.asymmetricKeyDetails?.namedCurve, "prime256v1");
  const shown = await sluice("keys", "public", out);
  assert.equal(shown.stdout, readFileSync(publicFile, "utf8"));
});

test("without --public the public half is the result", async (context) => {
  const out = join(temporaryFolder(context), "release.pem");
  const created = await sluice("keys", "create", "--out", out);
  assert.match(created.stdout, /^-----BEGIN PUBLIC KEY-----\n.*\n-----END PUBLIC KEY-----\n$/s);
});

test("never overwrites a key", async (context) => {
  const out = join(temporaryFolder(context), "release.pem");
  writeFileSync(out, "precious");
  const created = await sluice("keys", "create", "--out", out);
  assert.equal(created.exitCode, 65);
  assert.match(created.stderr, /it exists and is not overwritten; choose another name/);
  assert.equal(readFileSync(out, "utf8"), "precious");
});

test("refuses a file that holds no key, with the way to make one", async (context) => {
  const file = join(temporaryFolder(context), "no-key.pem");
  writeFileSync(file, "hello");
  const shown = await sluice("keys", "public", file);
  assert.equal(shown.exitCode, 65);
  assert.match(shown.stderr, /no-key\.pem: it is no PEM of such a key; make one with "sluice keys/);
});

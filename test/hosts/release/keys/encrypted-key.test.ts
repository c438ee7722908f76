import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import {
  decryptPrivateKey,
  encryptPrivateKey,
  isEncryptedPem,
} from "../../../../hosts/release/keys/encrypted-key.ts";

const passphrase = "correct horse battery";
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const pem = encryptPrivateKey(privateKey, passphrase);

test("a key comes back with its passphrase and with no other one", () => {
  assert.ok(isEncryptedPem(pem));
  assert.ok(decryptPrivateKey(pem, passphrase)?.equals(privateKey));
  assert.equal(decryptPrivateKey(pem, `${passphrase} `), null);
  assert.equal(decryptPrivateKey(pem, ""), null);
});

test("nothing of the key is readable in the file", () => {
  const secret = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
  const der = Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ""), "base64");
  assert.equal(der.indexOf(secret), -1);
  assert.notEqual(encryptPrivateKey(privateKey, passphrase), pem, "the salt is new each time");
});

test("the same passphrase typed in another Unicode form opens it", () => {
  const composed = encryptPrivateKey(privateKey, "passwörter für alle");
  assert.ok(decryptPrivateKey(composed, "passwörter für alle".normalize("NFD")));
});

test("a damaged file opens with no passphrase", () => {
  assert.equal(decryptPrivateKey(pem.replace(/[A-Z]{2}/, "zz"), passphrase), null);
});

const openssl = spawnSync("openssl", ["version"]).status === 0;

test("OpenSSL reads the file", { skip: openssl ? false : "skipped: no openssl command" }, () => {
  const read = spawnSync("openssl", ["pkey", "-passin", `pass:${passphrase}`], { input: pem });
  assert.equal(
    read.stdout.toString(),
    privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    read.stderr.toString(),
  );
});

// The main module of an application that runs tests of the SDK itself, unmodified, and our vectors
// on its native crypto. One line per test; the list comes with the application.
import { der, digests, modules, signatures } from "list";
import "harness";
import board from "sluice/board";
import { nativeCrypto } from "sluice/device/crypto";
import { signatureFromDer } from "sluice/image/signature";

for (const name of modules) {
  try {
    await import(name);
    trace(`test ok ${name}\n`);
  } catch (error) {
    trace(`test not ok ${name}: ${error}\n`);
  }
}

const fromHex = (hex) => Uint8Array.fromHex(hex);

for (const { name, publicKey, digest, signature, valid } of signatures) {
  const answer = nativeCrypto.verifyP256(fromHex(publicKey), fromHex(digest), fromHex(signature));
  trace(`test ${answer === valid ? "ok" : "not ok"} signature: ${name}\n`);
}

const { publicKey, digest } = der;
for (const { name, signature, valid } of der.signatures) {
  const read = signatureFromDer(fromHex(signature));
  const key = fromHex(publicKey);
  const answer = read.ok && nativeCrypto.verifyP256(key, fromHex(digest), read.raw);
  trace(`test ${answer === valid ? "ok" : "not ok"} DER: ${name}\n`);
}

for (const { name, parts, digest } of digests) {
  const hasher = nativeCrypto.sha256();
  for (const part of parts) hasher.update(fromHex(part));
  const answer = hasher.digest().toHex();
  trace(`test ${answer === digest ? "ok" : "not ok"} digest: ${name}\n`);
}

trace("tests end\n");
board.restart();

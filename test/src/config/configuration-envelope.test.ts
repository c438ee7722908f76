import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  configurationDigest,
  documentOf,
  encodeConfigurationEnvelope,
  envelopeOverheadBytes,
  openConfigurationEnvelope,
} from "../../../src/config/configuration-envelope.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { ConfigurationSigner } from "../../support/configuration-signer.ts";

const signer = new ConfigurationSigner(31);
const stranger = new ConfigurationSigner(32);
const document = '{"version":1,"schema":1}';
const envelope = signer.seal(document);
const trust = { crypto: nobleCrypto, keys: [signer.publicKey], bytesMax: 4096 };
const refused = (reason: string) => ({ ok: false, reason });

test("is the magic, the document's exact bytes, and the signature over both", () => {
  const bytes = new TextEncoder().encode(document);
  assert.deepEqual(envelope.subarray(0, 4), new TextEncoder().encode("SLC1"));
  assert.deepEqual(envelope.subarray(4, -64), bytes);
  assert.equal(envelope.length, bytes.length + envelopeOverheadBytes);
  const hash = createHash("sha256").update(`SLC1${document}`).digest();
  assert.deepEqual(Buffer.from(configurationDigest(bytes, nobleCrypto)), hash);
});

test("opens what one of the keys signed", () => {
  const opened = openConfigurationEnvelope(envelope, {
    ...trust,
    keys: [stranger.publicKey, signer.publicKey],
  });
  assert.deepEqual(opened.ok && new TextDecoder().decode(opened.document), document);
});

test("refuses what a stranger signed", () => {
  const opened = openConfigurationEnvelope(stranger.seal(document), trust);
  assert.deepEqual(opened, refused("signature-invalid"));
});

test("refuses a signature over the document alone, as other formats have it", () => {
  const alone = stranger.seal(document);
  const forged = encodeConfigurationEnvelope(
    new TextEncoder().encode(`SLC1${document}`),
    alone.subarray(-64),
  );
  const opened = openConfigurationEnvelope(forged, { ...trust, keys: [stranger.publicKey] });
  assert.deepEqual(opened, refused("signature-invalid"));
});

test("refuses every single changed byte", () => {
  for (let at = 0; at < envelope.length; at += 5) {
    const changed = envelope.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    const reason = at < 4 ? "malformed-envelope" : "signature-invalid";
    assert.deepEqual(openConfigurationEnvelope(changed, trust), refused(reason), `byte ${at}`);
  }
});

test("refuses every truncation, and bytes behind the end", () => {
  for (let length = 0; length < envelope.length; length += 3) {
    const reason = length <= envelopeOverheadBytes ? "malformed-envelope" : "signature-invalid";
    const opened = openConfigurationEnvelope(envelope.subarray(0, length), trust);
    assert.deepEqual(opened, refused(reason), `${length} bytes`);
  }
  const longer = Uint8Array.of(...envelope, 0);
  assert.deepEqual(openConfigurationEnvelope(longer, trust), refused("signature-invalid"));
});

test("refuses an oversized envelope before it hashes anything", () => {
  const crypto = {
    sha256: () => assert.fail("hashed"),
    verifyP256: () => assert.fail("verified"),
  };
  const opened = openConfigurationEnvelope(new Uint8Array(4097), { ...trust, crypto });
  assert.deepEqual(opened, refused("too-large"));
});

test("a signature has 64 bytes and a document at least one", () => {
  assert.throws(
    () => encodeConfigurationEnvelope(new Uint8Array(1), new Uint8Array(63)),
    RangeError,
  );
  assert.equal(documentOf(signer.seal("")), null);
});

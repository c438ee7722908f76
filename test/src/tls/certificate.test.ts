import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { parseCertificate } from "../../../src/tls/certificate.ts";
import { authority, certificate } from "../../support/tls.ts";

const own = certificate({ hosts: ["Fleet.Test", "*.fleet.test", "10.1.2.3"] });

test("reads of a certificate what node reads of it", () => {
  for (const { certificate: der } of [own, authority]) {
    const read = parseCertificate(der);
    const nodes = new X509Certificate(der);
    assert.ok(read !== null);
    assert.equal(read.notBeforeUnixMs, Date.parse(nodes.validFrom));
    assert.equal(read.notAfterUnixMs, Date.parse(nodes.validTo));
    const spki = nodes.publicKey.export({ type: "spki", format: "der" });
    assert.deepEqual([...read.publicKey], [...spki.subarray(-65)]);
    assert.equal(read.extensions.isAuthority, nodes.ca);
  }
});

test("reads times before and after 2050", () => {
  const der = certificate({
    notBeforeUnixMs: Date.UTC(1999, 11, 31, 23, 59, 59),
    notAfterUnixMs: Date.UTC(2051, 1, 28, 1, 2, 3),
  }).certificate;
  const read = parseCertificate(der)!;
  assert.equal(read.notBeforeUnixMs, Date.UTC(1999, 11, 31, 23, 59, 59));
  assert.equal(read.notAfterUnixMs, Date.UTC(2051, 1, 28, 1, 2, 3));
});

test("reads which purposes a certificate is for", () => {
  const extensionsOf = (purpose: "server" | "client" | "authority") =>
    parseCertificate(certificate({ purpose }).certificate)!.extensions;
  assert.deepEqual(
    [extensionsOf("server").forServers, extensionsOf("server").isAuthority],
    [true, false],
  );
  assert.equal(extensionsOf("client").forServers, false);
  assert.deepEqual(
    [extensionsOf("authority").forServers, extensionsOf("authority").isAuthority],
    [null, true],
  );
});

test("refuses every truncation, and what has bytes behind it", () => {
  const der = own.certificate;
  for (let length = 0; length < der.length; length += 1)
    assert.equal(parseCertificate(der.slice(0, length)), null);
  assert.equal(parseCertificate(Uint8Array.of(...der, 0)), null);
});

test("never throws on a certificate with a changed byte", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: own.certificate.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, change) => {
        parseCertificate(
          own.certificate.map((byte, index) => (index === at ? byte ^ change : byte)),
        );
      },
    ),
    { numRuns: 2000 },
  );
});

test("reads random bytes as none", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      assert.equal(parseCertificate(bytes), null);
    }),
  );
});

/** The certificate with one run of bytes replaced by another of the same length. */
function withReplaced(from: readonly number[], to: readonly number[]): Uint8Array {
  const hex = Buffer.from(own.certificate).toString("hex");
  const changed = hex.replace(Buffer.from(from).toString("hex"), Buffer.from(to).toString("hex"));
  assert.notEqual(changed, hex);
  return Uint8Array.from(Buffer.from(changed, "hex"));
}

test("refuses a critical extension that it does not know", () => {
  // keyUsage, which is critical, becomes 2.5.29.99
  assert.equal(parseCertificate(withReplaced([0x55, 0x1d, 0x0f], [0x55, 0x1d, 0x63])), null);
});

test("passes over an extension that it does not know and that is not critical", () => {
  const read = parseCertificate(withReplaced([0x55, 0x1d, 0x0e], [0x55, 0x1d, 0x63]));
  assert.ok(read !== null);
});

test("refuses an extension that comes twice", () => {
  // The subject's key id is another basicConstraints.
  assert.equal(parseCertificate(withReplaced([0x55, 0x1d, 0x0e], [0x55, 0x1d, 0x13])), null);
});

test("refuses a certificate of version 1", () => {
  assert.equal(parseCertificate(withReplaced([0xa0, 3, 2, 1, 2], [0xa0, 3, 2, 1, 0])), null);
});

test("refuses a length that is not the shortest", () => {
  const der = own.certificate;
  assert.equal(parseCertificate(Uint8Array.of(0x30, 0x83, 0, der[2]!, ...der.slice(3))), null);
});

test("refuses a key on another curve", () => {
  const curve = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1];
  assert.equal(parseCertificate(withReplaced([...curve, 7], [...curve, 6])), null);
});

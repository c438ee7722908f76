import assert from "node:assert/strict";
import { test } from "node:test";
import type { Identity } from "../../../hosts/release/certificates.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { judgeServer, type ServerTrust } from "../../../src/tls/server-certificate.ts";
import { authority, certificate, expired, otherAuthority } from "../../support/tls.ts";

const nowUnixMs = Date.now();

/** `good`, or why the chain was refused. */
function verdict(chain: readonly Identity[], changes: Partial<ServerTrust> = {}): string {
  const trust: ServerTrust = {
    authorities: [authority.certificate],
    serverName: "fleet.test",
    unixMs: nowUnixMs,
    crypto: nobleCrypto,
    ...changes,
  };
  const judged = judgeServer(
    chain.map((identity) => identity.certificate),
    trust,
  );
  return judged.ok ? "good" : judged.reason;
}

const own = certificate();

test("trusts a certificate that the enrolled authority issued, sent with it or alone", () => {
  assert.equal(verdict([own, authority]), "good");
  assert.equal(verdict([own]), "good");
});

test("trusts a certificate that was itself enrolled", () => {
  const alone = certificate({ issuer: otherAuthority });
  assert.equal(verdict([alone], { authorities: [alone.certificate] }), "good");
  assert.equal(
    verdict([alone], { authorities: [alone.certificate], serverName: "other.test" }),
    "certificate-name",
  );
});

test("trusts the authority of today and that of tomorrow while both are enrolled", () => {
  const authorities = [authority.certificate, otherAuthority.certificate];
  assert.equal(verdict([certificate({ issuer: otherAuthority })], { authorities }), "good");
  assert.equal(verdict([own], { authorities }), "good");
});

test("trusts through an authority between", () => {
  const between = certificate({ commonName: "between", purpose: "authority" });
  assert.equal(verdict([certificate({ issuer: between }), between]), "good");
});

test("does not trust what a server's own certificate issued", () => {
  assert.equal(verdict([certificate({ issuer: own }), own, authority]), "certificate-untrusted");
});

test("does not trust another authority of the same name", () => {
  assert.equal(
    verdict([certificate({ issuer: otherAuthority }), otherAuthority]),
    "certificate-untrusted",
  );
});

test("does not trust a certificate for the good one behind it", () => {
  const stranger = certificate({ issuer: otherAuthority });
  assert.equal(verdict([stranger, own, authority]), "certificate-untrusted");
});

test("refuses no certificate, and one that it cannot read", () => {
  assert.equal(verdict([]), "certificate-malformed");
  const noise = { ...own, certificate: new Uint8Array(300).fill(0x30) };
  assert.equal(verdict([noise, own, authority]), "certificate-malformed");
});

test("refuses what has expired or is not valid yet, at the last and at the first moment", () => {
  assert.equal(verdict([certificate(expired)]), "certificate-expired");
  const notAfterUnixMs = Math.floor(nowUnixMs / 1000) * 1000;
  const ending = certificate({ notAfterUnixMs });
  assert.equal(verdict([ending], { unixMs: notAfterUnixMs }), "good");
  assert.equal(verdict([ending], { unixMs: notAfterUnixMs + 1 }), "certificate-expired");
  const notBeforeUnixMs = notAfterUnixMs;
  const beginning = certificate({ notBeforeUnixMs });
  assert.equal(verdict([beginning], { unixMs: notBeforeUnixMs }), "good");
  assert.equal(verdict([beginning], { unixMs: notBeforeUnixMs - 1 }), "certificate-not-yet-valid");
});

test("refuses what an authority issued that has expired itself", () => {
  const old = certificate({ commonName: "old", purpose: "authority", ...expired });
  assert.equal(verdict([certificate({ issuer: old }), old]), "certificate-expired");
});

test("trusts nobody while the time is unknown", () => {
  assert.equal(verdict([own], { unixMs: null }), "clock-unknown");
});

const names: readonly (readonly [string, string, boolean])[] = [
  ["fleet.test", "fleet.test", true],
  ["fleet.test", "FLEET.test", true],
  ["fleet.test", "a.fleet.test", false],
  ["*.fleet.test", "a.fleet.test", true],
  ["*.fleet.test", "a.b.fleet.test", false],
  ["*.fleet.test", "fleet.test", false],
  ["*.test", "fleet.test", false],
  ["*", "fleet", false],
  ["10.0.0.1", "10.0.0.1", true],
  ["10.0.0.1", "10.0.0.2", false],
];
for (const [host, asked, isFor] of names)
  test(`${isFor ? "takes" : "refuses"} a certificate for ${host} as that of ${asked}`, () => {
    const expected = isFor ? "good" : "certificate-name";
    assert.equal(verdict([certificate({ hosts: [host] })], { serverName: asked }), expected);
  });

test("compares an address with no name, and takes none from the subject", () => {
  const named = certificate({ commonName: "fleet.test", hosts: [] });
  assert.equal(verdict([named]), "certificate-name");
});

test("refuses the certificate of a device, and that of an authority that may not speak", () => {
  assert.equal(verdict([certificate({ purpose: "client" })]), "certificate-purpose");
  assert.equal(verdict([certificate({ purpose: "authority" })]), "certificate-purpose");
});

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import fc from "fast-check";
import { parseCertificate } from "../../../src/tls/certificate.ts";
import { isNamed, toldServerName } from "../../../src/tls/server-name.ts";
import { certificate } from "../../support/tls.ts";

function agreesWithNode(hosts: readonly string[], asked: string): boolean {
  const der = certificate({ commonName: "", hosts }).certificate;
  const ours = isNamed(parseCertificate(der)!, asked);
  const subjectaltname = new X509Certificate(der).subjectAltName;
  const shown = { subject: {}, subjectaltname } as unknown as PeerCertificate;
  assert.equal(ours, checkServerIdentity(asked, shown) === undefined, `${hosts} for ${asked}`);
  return ours;
}

const label = fc.constantFrom("a", "b", "ab", "aab", "xn--a", "A");
const pattern = fc.constantFrom(
  "a",
  "ab",
  "*",
  "a*",
  "*b",
  "a*b",
  "**",
  "xn--*",
  "*xn--a",
  "b",
  "",
);
const parent = fc.array(fc.constantFrom("b", "test", "B"), { maxLength: 3 });
const end = fc.constantFrom("", ".");

test("takes a name for another where node does", () => {
  let taken = 0;
  fc.assert(
    fc.property(label, pattern, parent, parent, end, end, (host, first, one, other, dot, its) => {
      const same = other.length > 1 ? one : other;
      const asked = [host, ...one].join(".") + dot;
      if (agreesWithNode([[first, ...same].join(".") + its], asked)) taken += 1;
    }),
    { numRuns: 2000 },
  );
  assert.ok(taken > 100, `${taken} taken`);
});

const address = fc.constantFrom("10.0.0.1", "10.0.0.2", "255.255.255.255", "0.0.0.0");

test("takes an address for another where node does", () => {
  fc.assert(
    fc.property(fc.array(address, { minLength: 1, maxLength: 3 }), address, (hosts, asked) => {
      assert.equal(agreesWithNode(hosts, asked), hosts.includes(asked));
    }),
  );
});

test("compares an address with no name, and a name with no address", () => {
  assert.ok(!agreesWithNode(["*.0.0.1", "fleet.test"], "10.0.0.1"));
  assert.ok(!agreesWithNode(["10.0.0.1"], "fleet.test"));
});

test("tells a server its name without a dot at the end, and no address", () => {
  assert.equal(toldServerName("fleet.test."), "fleet.test");
  assert.equal(toldServerName("10.0.0.1"), null);
  assert.equal(toldServerName("10.0.0.1.example"), "10.0.0.1.example");
});

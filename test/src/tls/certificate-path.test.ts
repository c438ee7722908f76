import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Identity } from "../../../hosts/release/certificates.ts";
import { nodeCrypto } from "../../../hosts/release/node-crypto.ts";
import { pathSignaturesMax } from "../../../src/tls/certificate-path.ts";
import { chainCertificatesMax, judgeServer } from "../../../src/tls/server-certificate.ts";
import { again, between, by } from "../../support/chains/authorities.ts";
import { randomChain, verdictOfAllPaths } from "../../support/chains/random-chain.ts";
import { authority } from "../../support/tls.ts";

/** `good`, or why the chain was refused, and how many signatures were looked at. */
function verdict(sent: readonly Identity[], enrolled: readonly Identity[]) {
  let signatures = 0;
  const judged = judgeServer(
    sent.map(({ certificate }) => certificate),
    {
      authorities: enrolled.map(({ certificate }) => certificate),
      serverName: "fleet.test",
      unixMs: Date.now(),
      crypto: {
        ...nodeCrypto,
        verifyP256(...signature) {
          signatures += 1;
          return nodeCrypto.verifyP256(...signature);
        },
      },
    },
  );
  return { signatures, reason: judged.ok ? "good" : judged.reason };
}

const identities = (made: readonly { readonly identity: Identity }[]): Identity[] =>
  made.map(({ identity }) => identity);

test("says of a chain what looking at every path says, in whatever order it comes", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(randomChain, fc.infiniteStream(fc.nat()), (chain, dice) => {
      const { own, sent, enrolled } = chain;
      const shuffled = <T>(all: readonly T[]) =>
        all
          .map((one) => ({ one, rank: dice.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ one }) => one);
      const expected = verdictOfAllPaths(chain);
      const inOrder = verdict([own.identity, ...identities(sent)], identities(enrolled));
      const mixed = verdict(
        [own.identity, ...identities(shuffled(sent))],
        identities(shuffled(enrolled)),
      );
      for (const { signatures, reason } of [inOrder, mixed]) {
        assert.ok(signatures <= pathSignaturesMax);
        if (reason !== "handshake-too-large") assert.equal(reason, expected);
      }
      seen.set(inOrder.reason, (seen.get(inOrder.reason) ?? 0) + 1);
    }),
    { numRuns: 300 },
  );
  for (const reason of ["good", "certificate-expired", "certificate-untrusted"])
    assert.ok(seen.has(reason), `none is ${reason}`);
});

test("looks at one signature for each certificate of a path, in whatever order it is sent", () => {
  const path = [between("1")];
  while (path.length < chainCertificatesMax - 1)
    path.push(between(String(path.length + 1), { issuer: path.at(-1)! }));
  const own = by(path.at(-1)!);
  for (const sent of [path, path.toReversed()])
    assert.deepEqual(verdict([own, ...sent], [authority]), {
      signatures: chainCertificatesMax,
      reason: "good",
    });
});

test("looks at one signature for a certificate that has expired by itself", () => {
  const own = by(authority, { notAfterUnixMs: Date.now() - 1000 });
  assert.deepEqual(verdict([own], [authority]), { signatures: 1, reason: "certificate-expired" });
});

test("gives up on authorities of one name that vouch for each other in a ring", () => {
  const ring = Array.from({ length: chainCertificatesMax - 1 }, () => between("ring"));
  const sent = ring.map((one, index) => again(one, { issuer: ring[(index + 1) % ring.length]! }));
  const own = by(ring[0]!);
  const { signatures, reason } = verdict([own, ...sent], [authority]);
  assert.equal(reason, "handshake-too-large");
  assert.equal(signatures, pathSignaturesMax);
});

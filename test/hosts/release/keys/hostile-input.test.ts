import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { verifyAuditLog } from "../../../../hosts/release/keys/audit-entry.ts";
import {
  isSignatureBy,
  sha256,
  signatureFromAnswer,
} from "../../../../hosts/release/keys/signer.ts";
import { readDocument, readRoot } from "../../../../hosts/release/trust/document.ts";
import { signatureFromDer } from "../../../../src/image/signature.ts";
import { metadataSigner } from "../../../support/trust-repository.ts";

const signer = metadataSigner(5);
const digest = sha256("digest");
const der = Buffer.from(await signer.sign(digest));
const decoded = signatureFromDer(der);
assert.ok(decoded.ok);
const raw = Buffer.from(decoded.raw);

test("a signature is understood in every form that tools print it in", () => {
  const forms: readonly Buffer[] = [
    der,
    raw,
    ...[der, raw].flatMap((bytes) => [
      Buffer.from(bytes.toString("base64")),
      Buffer.from(`${bytes.toString("base64").replaceAll(/.{20}/g, "$&\n")}\n`),
      Buffer.from(bytes.toString("hex")),
      Buffer.from(`${bytes.toString("hex").toUpperCase()}\r\n`),
    ]),
  ];
  for (const form of forms) {
    const found = signatureFromAnswer(form);
    assert.ok(found !== null && isSignatureBy(signer.publicKey, digest, found), form.toString());
  }
});

test("whatever a command answers, it is a well-formed signature or nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (answer) => {
      const found = signatureFromAnswer(answer);
      return found === null || signatureFromDer(found).ok;
    }),
  );
});

test("one changed bit of a signature is no signature of the digest any more", () => {
  fc.assert(
    fc.property(fc.nat({ max: 8 * raw.length - 1 }), (bit) => {
      const changed = Buffer.from(raw);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const found = signatureFromAnswer(changed);
      return found === null || !isSignatureBy(signer.publicKey, digest, found);
    }),
  );
});

test("no text makes the check of an audit log fail otherwise than with a reason", () => {
  const known = new Set([signer.keyId]);
  const entry = fc.record(
    {
      sequence: fc.oneof(fc.integer(), fc.constant(1)),
      at: fc.string(),
      previous: fc.oneof(fc.string(), fc.constant("0".repeat(64))),
      keyId: fc.constant(signer.keyId),
      publicKey: fc.oneof(
        fc.base64String(),
        fc.constant(Buffer.from(signer.publicKey).toString("base64")),
      ),
      uses: fc.oneof(fc.anything(), fc.constant([{ purpose: "x", digest: "00" }])),
      signature: fc.oneof(fc.base64String(), fc.constant(der.toString("base64"))),
    },
    { requiredKeys: [] },
  );
  const line = fc.oneof(
    fc.string(),
    fc.json(),
    entry.map((one) => JSON.stringify(one)),
  );
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 4 }), (lines) => {
      const verdict = verifyAuditLog(`${lines.join("\n")}\n`, known);
      return !verdict.ok;
    }),
  );
});

test("no bytes make the reading of metadata fail otherwise than with nothing", () => {
  const signed = fc.record(
    {
      _type: fc.constantFrom("root", "targets", "snapshot", "timestamp", "x"),
      version: fc.oneof(fc.anything(), fc.constant(1)),
      expires: fc.oneof(fc.string(), fc.constant("2030-01-01T00:00:00Z")),
      spec_version: fc.oneof(fc.anything(), fc.constant("1.0.34")),
      consistent_snapshot: fc.oneof(fc.anything(), fc.constant(true)),
      keys: fc.oneof(fc.anything(), fc.constant({})),
      roles: fc.anything(),
      targets: fc.oneof(fc.anything(), fc.dictionary(fc.string(), fc.anything())),
      delegations: fc.oneof(
        fc.anything(),
        fc.record({ keys: fc.anything(), roles: fc.anything() }),
      ),
      meta: fc.anything(),
    },
    { requiredKeys: ["_type"] },
  );
  const text = fc.record({ signed, signatures: fc.oneof(fc.anything(), fc.constant([])) });
  const bytes = fc.oneof(
    fc.uint8Array(),
    text.map((one) =>
      Buffer.from(JSON.stringify(one, (_, value) => (typeof value === "bigint" ? 1 : value))),
    ),
  );
  fc.assert(
    fc.property(
      bytes,
      fc.constantFrom("root", "targets", "snapshot", "esp32c3-b"),
      (input, role) => {
        readDocument(role, input);
        return readRoot(input) === null;
      },
    ),
    { numRuns: 500 },
  );
});

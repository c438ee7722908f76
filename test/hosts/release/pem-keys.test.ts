import assert from "node:assert/strict";
import { createPrivateKey, ECDH, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { parseImageKey } from "../../../hosts/fleet/operations/image-check.ts";
import { pointOfPem, pointOfSpki } from "../../../hosts/release/keys/signer.ts";
import {
  createKeyPair,
  publicPemFromPem,
  signerFromPem,
  trustedKeyFromPem,
} from "../../../hosts/release/pem-keys.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";

const pair = createKeyPair();
const point = pointOfPem(pair.publicPem)!;
const secret = Buffer.from(
  createPrivateKey(pair.privatePem).export({ format: "jwk" }).d ?? "",
  "base64url",
);

const tagged = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  assert.ok(content.length < 256);
  const length = content.length < 128 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
};
const curve = Buffer.from("06082a8648ce3d030107", "hex");
const algorithm = tagged(0x30, Buffer.from("06072a8648ce3d0201", "hex"), curve);
const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString("base64")}\n-----END ${label}-----\n`;

/** SEC 1, C.4; the point may be missing, and the curve where PKCS#8 names it. */
function sec1(pointBytes: Uint8Array | null, withCurve: boolean): Buffer {
  return tagged(
    0x30,
    Buffer.of(2, 1, 1),
    tagged(4, secret),
    withCurve ? tagged(0xa0, curve) : Buffer.alloc(0),
    pointBytes === null ? Buffer.alloc(0) : tagged(0xa1, tagged(3, Buffer.of(0), pointBytes)),
  );
}

const pkcs8 = (inner: Buffer): Buffer =>
  tagged(0x30, Buffer.of(2, 1, 0), algorithm, tagged(4, inner));
const forms = {
  whole: point,
  compressed: ECDH.convertKey(point, "prime256v1", undefined, undefined, "compressed") as Buffer,
  hybrid: ECDH.convertKey(point, "prime256v1", undefined, undefined, "hybrid") as Buffer,
};

const privateKeys: Record<string, string> = {
  "SEC 1 without a point": pem("EC PRIVATE KEY", sec1(null, true)),
  "PKCS#8 without a point": pem("PRIVATE KEY", pkcs8(sec1(null, false))),
};
const publicKeys: Record<string, string> = {};
for (const [form, bytes] of Object.entries(forms)) {
  privateKeys[`SEC 1, ${form}`] = pem("EC PRIVATE KEY", sec1(bytes, true));
  privateKeys[`PKCS#8, ${form}`] = pem("PRIVATE KEY", pkcs8(sec1(bytes, false)));
  const spki = tagged(0x30, algorithm, tagged(3, Buffer.of(0), bytes));
  publicKeys[form] = pem("PUBLIC KEY", spki);
}
privateKeys["SEC 1 behind its parameters"] =
  pem("EC PARAMETERS", curve) + privateKeys["SEC 1, compressed"];

for (const [name, text] of Object.entries(privateKeys))
  test(`a private key is a key: ${name}`, async () => {
    const signer = signerFromPem(text);
    assert.ok(signer.ok);
    assert.deepEqual(Buffer.from(signer.signer.publicKey), Buffer.from(point));
    const trusted = trustedKeyFromPem(text);
    assert.ok(trusted.ok);
    const digest = nobleCrypto.sha256().digest();
    assert.equal((await signer.signer.sign(digest))[0], 0x30);
    assert.deepEqual(publicPemFromPem(text), { ok: true, publicPem: pair.publicPem });
  });

for (const [name, text] of Object.entries(publicKeys))
  test(`a public key is a key: ${name} point`, () => {
    assert.deepEqual(Buffer.from(pointOfPem(text)!), Buffer.from(point));
    const der = Buffer.from(text.split("\n")[1] ?? "", "base64");
    assert.deepEqual(Buffer.from(pointOfSpki(der)!), Buffer.from(point));
    assert.deepEqual(parseImageKey(text)?.publicKey, new Uint8Array(point));
    assert.deepEqual(publicPemFromPem(text), { ok: true, publicPem: pair.publicPem });
  });

test("keys of other curves are none", () => {
  for (const namedCurve of ["secp384r1", "secp256k1", "brainpoolP256r1"]) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    const text = publicKey.export({ format: "pem", type: "spki" }).toString();
    assert.equal(pointOfPem(text), null, namedCurve);
    assert.equal(parseImageKey(text), null, namedCurve);
    const secretText = privateKey.export({ format: "pem", type: "sec1" }).toString();
    assert.deepEqual(signerFromPem(secretText), { ok: false, reason: "not-p256" }, namedCurve);
  }
  const ed = generateKeyPairSync("ed25519").publicKey;
  assert.equal(parseImageKey(ed.export({ format: "pem", type: "spki" }).toString()), null);
});

test("a server takes no private key for a public one", () => {
  assert.equal(parseImageKey(pair.privatePem), null);
});

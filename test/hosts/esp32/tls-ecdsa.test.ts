import assert from "node:assert/strict";
import { createHash, createPrivateKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { p256 } from "@noble/curves/nist.js";
import { build } from "esbuild";

interface Ecdsa {
  k?: bigint;
  verify(digest: ArrayBuffer, signature: ArrayBuffer, isDer?: boolean): boolean;
  sign(digest: ArrayBuffer): ArrayBuffer;
}

const order = p256.Point.Fn.ORDER;

/** What XS and the SDK give the class on a board. */
const mont = `export default class Mont {
  constructor({ m }) { this.m = m; }
  add(a, b) { return (a + b) % this.m; }
  mul(a, b) { return (a * b) % this.m; }
  mulinv(a) {
    let [r, next, t, other] = [this.m, a % this.m, 0n, 1n];
    while (next !== 0n) {
      const q = r / next;
      [r, next, t, other] = [next, r - q * next, other, t - q * other];
    }
    return ((t % this.m) + this.m) % this.m;
  }
}`;

Object.assign(BigInt, {
  fromArrayBuffer: (bytes: ArrayBuffer) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`),
});
Object.assign(ArrayBuffer, {
  fromBigInt: (value: bigint, byteLength: number) =>
    Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * byteLength, "0"), "hex")).buffer,
});

type Point = InstanceType<typeof p256.Point>;
const onCurve = (point: Point) => ({ point, X: point.toAffine().x });
const curve = {
  G: onCurve(p256.Point.BASE),
  n: order,
  ec: {
    mul: ({ point }: { point: Point }, factor: bigint) => onCurve(point.multiply(factor)),
    mul2: (a: { point: Point }, first: bigint, b: { point: Point }, second: bigint) =>
      onCurve(a.point.multiply(first).add(b.point.multiply(second))),
  },
};

const { outputFiles } = await build({
  entryPoints: [join(import.meta.dirname, "../../../hosts/esp32/modules/tls/ecdsa.ts")],
  bundle: true,
  write: false,
  format: "esm",
  plugins: [
    {
      name: "mont",
      setup({ onResolve, onLoad }) {
        onResolve({ filter: /^mont$/ }, () => ({ path: "mont", namespace: "sdk" }));
        onLoad({ filter: /./, namespace: "sdk" }, () => ({ contents: mont }));
      },
    },
  ],
});
const text = encodeURIComponent(outputFiles[0]?.text ?? "");
const { default: ECDSA } = (await import(`data:text/javascript,${text}`)) as {
  default: new (key: object | bigint, on: typeof curve) => Ecdsa;
};

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const secret = BigInt(
  `0x${Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url").toString("hex")}`,
);
const key = onCurve(p256.Point.BASE.multiply(secret));
const message = Buffer.from("what was said so far");
const digest = Uint8Array.from(createHash("sha256").update(message).digest()).buffer;
const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

test("takes what others sign, in both forms", () => {
  const pem = createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" }));
  const der = bufferOf(sign("sha256", message, pem));
  const raw = bufferOf(sign("sha256", message, { key: pem, dsaEncoding: "ieee-p1363" }));
  assert.ok(new ECDSA(key, curve).verify(digest, der, true));
  assert.ok(new ECDSA(key, curve).verify(digest, raw));
});

test("refuses another digest, another signature, and what is no DER", () => {
  const raw = sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
  const other = bufferOf(createHash("sha256").update("something else").digest());
  assert.equal(new ECDSA(key, curve).verify(other, bufferOf(raw)), false);
  raw[40] = (raw[40] ?? 0) ^ 1;
  assert.equal(new ECDSA(key, curve).verify(digest, bufferOf(raw)), false);
  assert.equal(new ECDSA(key, curve).verify(digest, bufferOf(raw), true), false);
});

test("signs so that others take it, with any random number", () => {
  for (const k of [1n, 2n, 0x1234_5678_9abc_def0n, order - 1n]) {
    const signer = new ECDSA(secret, curve);
    signer.k = k;
    const der = Buffer.from(signer.sign(digest));
    assert.ok(verify("sha256", message, publicKey, der), `k is ${k}`);
  }
});

test("neither signs without a random number nor with a public key", () => {
  assert.throws(() => new ECDSA(secret, curve).sign(digest), /random number/);
  const open = new ECDSA(key, curve);
  open.k = 5n;
  assert.throws(() => open.sign(digest), /private key/);
});

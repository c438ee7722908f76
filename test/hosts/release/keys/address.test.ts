import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSignerAddress, type SignerAddress } from "../../../../hosts/release/keys/address.ts";

const good: ReadonlyArray<readonly [string, SignerAddress]> = [
  ["release.pem", { kind: "file", path: "release.pem" }],
  ["file:/keys/a.pem", { kind: "file", path: "/keys/a.pem" }],
  ["key:root-1", { kind: "keyring", name: "root-1" }],
  ["exec:kms sign --id 'a b'", { kind: "command", command: "kms sign --id 'a b'" }],
  [
    "pkcs11:token=My%20token;object=root-1?module-path=/usr/lib/x.so&pin-source=file:/run/pin",
    {
      kind: "pkcs11",
      token: "My token",
      object: "root-1",
      id: null,
      modulePath: "/usr/lib/x.so",
      pinFile: "/run/pin",
    },
  ],
  [
    "pkcs11:token=t;id=%01%fe?module-path=/x.so",
    { kind: "pkcs11", token: "t", object: null, id: "01fe", modulePath: "/x.so", pinFile: null },
  ],
];

for (const [text, address] of good)
  test(`reads ${text}`, () => {
    assert.deepEqual(parseSignerAddress(text), { ok: true, address });
  });

const bad: ReadonlyArray<readonly [string, RegExp]> = [
  ["", /names nothing/],
  ["exec:", /names nothing behind its scheme/],
  ["key:", /names nothing/],
  ["pkcs11:token=t?module-path=/x.so", /needs token, module-path and object or id/],
  ["pkcs11:token=t;object=o", /needs token, module-path/],
  ["pkcs11:token=t;token=u;object=o?module-path=/x.so", /names token twice/],
  ["pkcs11:token=t;object=o?module-path=/x.so&pin-value=1234", /"pin-value=1234" is none of them/],
  ["pkcs11:token=%zz;object=o?module-path=/x.so", /"%"/],
  ["pkcs11:token=t;id=%1?module-path=/x.so", /"%"/],
];

for (const [text, says] of bad)
  test(`refuses "${text}"`, () => {
    const parsed = parseSignerAddress(text);
    assert.ok(!parsed.ok);
    assert.equal(parsed.reason, "malformed-address");
    assert.match(parsed.message, says);
  });

import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeParts, npmParts } from "../../../hosts/release/parts.ts";

const lock = JSON.stringify({
  lockfileVersion: 3,
  packages: {
    "": { name: "app", version: "1.0.0" },
    "node_modules/@noble/curves": {
      version: "2.4.0",
      license: "MIT",
      integrity: "sha512-AAAA",
      dependencies: { "@noble/hashes": "2.4.0" },
    },
    "node_modules/@noble/hashes": { version: "2.4.0", license: "MIT" },
    "node_modules/a/node_modules/@noble/hashes": { version: "1.0.0", license: "ISC" },
    "node_modules/esbuild": { version: "0.28.2", license: "MIT" },
    "node_modules/fastify": { version: "5.0.0", license: "MIT" },
  },
});

test("npm parts are what the firmware names, all that they need, and the tools", () => {
  const found = npmParts(lock, {
    modules: ["timer", "@noble/curves/nist.js", "embedded:storage/flash"],
    tools: ["esbuild"],
  });
  assert.ok(found.ok);
  assert.deepEqual(
    found.parts.map(({ name, version, purl, in: place, needs }) => [
      name,
      version,
      purl,
      place,
      needs,
    ]),
    [
      [
        "@noble/curves",
        "2.4.0",
        "pkg:npm/%40noble/curves@2.4.0",
        ["application"],
        ["@noble/hashes"],
      ],
      ["@noble/hashes", "2.4.0", "pkg:npm/%40noble/hashes@2.4.0", ["application"], []],
      ["esbuild", "0.28.2", "pkg:npm/esbuild@0.28.2", [], []],
    ],
  );
});

test("packages that need each other come once", () => {
  const ring = JSON.stringify({
    packages: {
      "node_modules/a": { version: "1.0.0", dependencies: { b: "1" } },
      "node_modules/b": { version: "1.0.0", dependencies: { a: "1" } },
    },
  });
  const found = npmParts(ring, { modules: ["a"], tools: [] });
  assert.deepEqual(found.ok && found.parts.map(({ name }) => name), ["a", "b"]);
});

for (const text of ["", "[]", '{"packages": []}', '{"dependencies": {}}'])
  test(`"${text}" is no lock file`, () => {
    assert.equal(npmParts(text, { modules: [], tools: [] }).ok, false);
  });

const part = { name: "zephyr", version: "4.3.0", license: "Apache-2.0", in: ["bootloader"] };

test("native parts come as the list says", () => {
  const found = nativeParts(JSON.stringify({ parts: [{ ...part, purl: "pkg:generic/zephyr" }] }));
  assert.deepEqual(found, {
    ok: true,
    parts: [
      {
        kind: "native",
        ...part,
        purl: "pkg:generic/zephyr",
        integrity: null,
        needs: [],
      },
    ],
  });
});

const bad: ReadonlyArray<readonly [unknown, RegExp]> = [
  [[], /no list "parts"/],
  [{ parts: [{ ...part, license: undefined }] }, /part 1 without/],
  [{ parts: [part, { ...part, in: "bootloader" }] }, /part 2 without/],
  [{ parts: [part, part] }, /names the part zephyr twice/],
];

for (const [json, says] of bad)
  test(`refuses native parts ${JSON.stringify(json)}`, () => {
    const found = nativeParts(JSON.stringify(json));
    assert.match(found.ok ? "" : found.reason, says);
  });

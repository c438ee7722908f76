import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ConfigurationDocument,
  type DocumentRefusal,
  flagsMax,
  parseConfigurationDocument,
  valueDepthMax,
  valueNodesMax,
  valuesMax,
} from "../../../src/config/configuration-document.ts";

const bytesMax = 65_536;
const parse = (document: unknown) =>
  parseConfigurationDocument(
    new TextEncoder().encode(typeof document === "string" ? document : JSON.stringify(document)),
    bytesMax,
  );
const plain = { version: 7, schema: 2, values: { interval: 5 }, flags: { fast: true } };
const many = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`name-${index}`, index]));
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

test("reads version, schema, values and flags", () => {
  const parsed = parse({
    ...plain,
    flags: { fast: true, slow: false, some: { percent: 12.5, salt: "x" } },
  });
  assert.deepEqual(parsed, {
    ok: true,
    value: {
      version: 7,
      schema: 2,
      values: { interval: 5 },
      flags: new Map<string, unknown>([
        ["fast", true],
        ["slow", false],
        ["some", { hundredths: 1250, salt: "x" }],
      ]),
    },
  });
});

test("ignores fields that it does not know, of the document and of a flag", () => {
  const parsed = parse({
    ...plain,
    comment: [1],
    flags: { some: { percent: 1, salt: "x", owner: "me" } },
  });
  assert.deepEqual(parsed.ok && [...parsed.value.flags], [
    ["some", { hundredths: 100, salt: "x" }],
  ]);
});

test("absent values and flags are empty", () => {
  const parsed = parse({ version: 1, schema: 0 });
  assert.deepEqual(parsed.ok && [parsed.value.values, parsed.value.flags.size], [{}, 0]);
});

test("names like __proto__ are plain names", () => {
  const parsed = parse('{"version":1,"schema":0,"values":{"__proto__":{"a":1}}}');
  assert.ok(parsed.ok);
  assert.deepEqual(Object.keys(parsed.value.values), ["__proto__"]);
  assert.equal(({} as Record<string, unknown>)["a"], undefined);
});

const refusals: ReadonlyArray<readonly [string, unknown, DocumentRefusal]> = [
  ["nothing", "", "malformed-document"],
  ["no JSON", "{", "malformed-document"],
  ["an array", [], "malformed-document"],
  ["no version", { ...plain, version: undefined }, "malformed-document"],
  ["version 0", { ...plain, version: 0 }, "malformed-document"],
  ["a fraction as version", { ...plain, version: 1.5 }, "malformed-document"],
  ["a text as version", { ...plain, version: "1" }, "malformed-document"],
  ["a version beyond exact integers", { ...plain, version: 2 ** 53 }, "malformed-document"],
  ["no schema", { ...plain, schema: undefined }, "malformed-document"],
  ["a negative schema", { ...plain, schema: -1 }, "malformed-document"],
  ["values that are an array", { ...plain, values: [] }, "malformed-document"],
  ["values that are null", { ...plain, values: null }, "malformed-document"],
  ["flags that are a text", { ...plain, flags: "x" }, "malformed-document"],
  ["a flag that is a number", { ...plain, flags: { a: 1 } }, "malformed-document"],
  ["a flag without a salt", { ...plain, flags: { a: { percent: 1 } } }, "malformed-document"],
  ["an empty salt", { ...plain, flags: { a: { percent: 1, salt: "" } } }, "malformed-document"],
  [
    "a long salt",
    { ...plain, flags: { a: { percent: 1, salt: "x".repeat(65) } } },
    "malformed-document",
  ],
  ["101 percent", { ...plain, flags: { a: { percent: 101, salt: "x" } } }, "malformed-document"],
  ["-1 percent", { ...plain, flags: { a: { percent: -1, salt: "x" } } }, "malformed-document"],
  ["a flag name with a space", { ...plain, flags: { "a b": true } }, "malformed-document"],
  ["an empty flag name", { ...plain, flags: { "": true } }, "malformed-document"],
  [
    "a flag name of 49 characters",
    { ...plain, flags: { ["a".repeat(49)]: true } },
    "malformed-document",
  ],
  ["too many flags", { ...plain, flags: many(flagsMax + 1) }, "limit-exceeded"],
  ["too many values", { ...plain, values: many(valuesMax + 1) }, "limit-exceeded"],
  [
    "a value name of 65 characters",
    { ...plain, values: { ["a".repeat(65)]: 1 } },
    "limit-exceeded",
  ],
  ["too deep values", { ...plain, values: { a: nested(valueDepthMax) } }, "limit-exceeded"],
  [
    "too many elements",
    { ...plain, values: { a: Array.from({ length: valueNodesMax }, () => 1) } },
    "limit-exceeded",
  ],
  [
    "nesting that a parser could choke on",
    `{"version":1,"schema":1,"values":{"a":${"[".repeat(1000)}`,
    "malformed-document",
  ],
];

for (const [what, document, reason] of refusals)
  test(`refuses ${what}`, () => {
    assert.deepEqual(parse(document), { ok: false, reason });
  });

test("takes what is exactly at its bounds", () => {
  const documents = [
    { ...plain, version: Number.MAX_SAFE_INTEGER, schema: 65_535 },
    { ...plain, values: many(valuesMax) },
    { ...plain, values: { a: nested(valueDepthMax - 1) } },
    { ...plain, values: { a: Array.from({ length: valueNodesMax - 1 }, () => 1) } },
    { ...plain, values: { ["a".repeat(64)]: 1 } },
    {
      ...plain,
      flags: Object.fromEntries(Object.keys(many(flagsMax)).map((name) => [name, true])),
    },
    { ...plain, flags: { ["a".repeat(48)]: { percent: 100, salt: "x".repeat(64) } } },
  ];
  for (const document of documents) assert.equal(parse(document).ok, true);
});

test("a document beyond its bytes is refused before it is parsed", () => {
  const bytes = new TextEncoder().encode(JSON.stringify(plain));
  assert.equal(parseConfigurationDocument(bytes, bytes.length).ok, true);
  assert.deepEqual(parseConfigurationDocument(bytes, bytes.length - 1), {
    ok: false,
    reason: "malformed-document",
  });
});

function assertSound(document: ConfigurationDocument): void {
  assert.ok(Number.isSafeInteger(document.version) && document.version >= 1);
  assert.ok(Object.keys(document.values).length <= valuesMax);
  for (const flag of document.flags.values())
    if (typeof flag !== "boolean")
      assert.ok(
        flag.hundredths >= 0 && flag.hundredths <= 10_000 && Number.isInteger(flag.hundredths),
      );
}

test("random JSON and mutated bytes give a sound document or a typed refusal, and never throw", () => {
  const bytes = new TextEncoder().encode(
    JSON.stringify({ ...plain, flags: { a: { percent: 5, salt: "x" } } }),
  );
  const judge = (parsed: ReturnType<typeof parse>): void => {
    if (parsed.ok) assertSound(parsed.value);
    else assert.ok(["malformed-document", "limit-exceeded"].includes(parsed.reason));
  };
  fc.assert(fc.property(fc.json(), (text) => judge(parse(text))));
  fc.assert(
    fc.property(
      fc.record({
        version: fc.jsonValue(),
        schema: fc.nat(3),
        values: fc.jsonValue(),
        flags: fc.jsonValue(),
      }),
      (document) => judge(parse(document)),
    ),
  );
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const mutated = bytes.slice();
      mutated[at] = byte;
      judge(parseConfigurationDocument(mutated, bytesMax));
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson } from "../../../src/trust/canonical-json.ts";
import { type JsonValue, parseStrictJson } from "../../../src/trust/json.ts";

const limits = { jsonDepthMax: 4, jsonNodesMax: 20 };
const wide = { jsonDepthMax: 64, jsonNodesMax: 10_000 };

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function reasonOf(bytes: string | Uint8Array): string {
  const read = parseStrictJson(typeof bytes === "string" ? bytesOf(bytes) : bytes, limits);
  return read.ok ? `read: ${JSON.stringify(read.value)}` : read.reason;
}

test("reads what JSON.parse reads, whatever the spacing and the escapes", () => {
  const texts = [
    '{"a":[1,-2,0,true,false,null],"b":{"c":"d"}}',
    " [ ] ",
    "{}",
    '\t{ "a" : [ { } , [ ] ] }\r\n',
    '"\\u00e9\\n\\t\\b\\f\\r\\/\\\\\\" é 漢 😀 \\ud83d\\ude00"',
    "9007199254740991",
  ];
  for (const text of texts) {
    const read = parseStrictJson(bytesOf(text), limits);
    assert.ok(read.ok, text);
    assert.deepEqual(JSON.parse(JSON.stringify(read.value)), JSON.parse(text));
  }
});

test("reads any document of whole numbers as JSON.parse does", () => {
  const values = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, false),
      fc.maxSafeInteger(),
      fc.string({ unit: "binary" }),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(values, (value) => {
      const text = JSON.stringify(value);
      const read = parseStrictJson(bytesOf(text), wide);
      assert.ok(read.ok);
      assert.equal(JSON.stringify(read.value), text.replaceAll(":-0", ":0"));
    }),
  );
});

test("refuses a document that two readers could understand differently", () => {
  const cases: Readonly<Record<string, string>> = {
    '{"a":1,"a":2}': "duplicate-name",
    '{"a":1,"\\u0061":2}': "duplicate-name",
    "1.0": "malformed-json",
    "1e3": "malformed-json",
    "-0": "malformed-json",
    "01": "malformed-json",
    "9007199254740993": "malformed-json",
    '"\\ud800"': "malformed-json",
    '"\\udc00\\ud800"': "malformed-json",
    '"\\ud800x"': "malformed-json",
    '"a\nb"': "malformed-json",
    '"\\x41"': "malformed-json",
    "{}{}": "malformed-json",
    "": "malformed-json",
    "{": "malformed-json",
    '{"a"': "malformed-json",
    '{"a":1': "malformed-json",
    '{"a":1,}': "malformed-json",
    "[1,]": "malformed-json",
    "[1 2]": "malformed-json",
    "{a:1}": "malformed-json",
    tru: "malformed-json",
    NaN: "malformed-json",
    '"abc': "malformed-json",
  };
  for (const [text, reason] of Object.entries(cases)) assert.equal(reasonOf(text), reason, text);
});

test("refuses text that is not UTF-8 instead of replacing it", () => {
  const texts = [[0xff], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xc3], [0x80]];
  texts.push([0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xe2, 0x28, 0xa1]);
  for (const text of texts)
    assert.equal(reasonOf(Uint8Array.of(0x22, ...text, 0x22)), "malformed-json", String(text));
});

test("refuses what is deeper than allowed, and takes what is as deep", () => {
  assert.equal(reasonOf("[[[[]]]]"), "read: [[[[]]]]");
  assert.equal(reasonOf("[[[[[]]]]]"), "json-too-deep");
  assert.equal(reasonOf("[".repeat(100_000)), "json-too-deep");
});

test("refuses more values than allowed, and takes as many", () => {
  assert.match(reasonOf(`[${Array(19).fill(1)}]`), /^read/);
  assert.equal(reasonOf(`[${Array(20).fill(1)}]`), "json-too-many");
});

test("gives an object no member that the document does not have", () => {
  const read = parseStrictJson(bytesOf('{"__proto__":{"a":1},"constructor":2}'), limits);
  assert.ok(read.ok);
  const object = read.value as Record<string, unknown>;
  assert.equal(object["a"], undefined);
  assert.deepEqual(Object.keys(object), ["__proto__", "constructor"]);
});

test("every truncation of a document is refused", () => {
  const whole = bytesOf('{"a":[1,{"b":"é\\u0041"}],"c":null}');
  for (let length = 0; length < whole.length; length += 1)
    assert.equal(reasonOf(whole.subarray(0, length)), "malformed-json", String(length));
});

test("the canonical form sorts by code points, has no spaces and escapes two characters only", () => {
  const value = { b: [1, true, null], a: 'q"\\\n', "\uffff": 1, "😀": 2, "": {} };
  const expected = '{"":{},"a":"q\\"\\\\\n","b":[1,true,null],"\uffff":1,"😀":2}';
  assert.equal(textOf(canonicalJson(value)), expected);
});

test("the canonical form of a long document is the same in pieces", () => {
  const value = {
    text: "é😀x".repeat(500),
    list: Array.from({ length: 300 }, (_, index) => index),
  };
  const text = textOf(canonicalJson(value));
  assert.equal(text, JSON.stringify({ list: value.list, text: value.text }));
});

test("the canonical form has no fractions", () => {
  assert.throws(() => canonicalJson({ a: 0.5 }), RangeError);
});

test("what a file says does not get into logs as it is", () => {
  const read = parseStrictJson(
    bytesOf(`{"a\\n${"b".repeat(500)}":1,"a\\n${"b".repeat(500)}":1}`),
    wide,
  );
  assert.ok(!read.ok);
  assert.equal(read.detail.length, 200);
  assert.match(read.detail, /^the name "a\?bbb/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  arrayAt,
  encodeJson,
  integerAt,
  type JsonValue,
  jsonDepthMax,
  objectAt,
  parseJsonObject,
  stringAt,
} from "../../../src/protocol/json.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string, bytesMax = 1000) => parseJsonObject(utf8(text), bytesMax);

test("takes an object of exactly the allowed size and refuses one byte more", () => {
  const body = utf8('{"a":1}');
  assert.deepEqual(parseJsonObject(body, body.length), { a: 1 });
  assert.equal(parseJsonObject(body, body.length - 1), null);
});

for (const text of ["", "[]", "null", "1", '"x"', "{", '{"a":}', "{}{}", "{'a':1}", '{"a":1}x'])
  test(`refuses ${JSON.stringify(text)}`, () => assert.equal(parse(text), null));

test("refuses what is nested deeper than the limit, in objects and in arrays", () => {
  const nested = (open: string, close: string, depth: number): string =>
    `{"a":${open.repeat(depth - 1)}1${close.repeat(depth - 1)}}`;
  assert.notEqual(parse(nested("[", "]", jsonDepthMax)), null);
  assert.equal(parse(nested("[", "]", jsonDepthMax + 1)), null);
  assert.notEqual(parse(nested('{"a":', "}", jsonDepthMax)), null);
  assert.equal(parse(nested('{"a":', "}", jsonDepthMax + 1)), null);
});

test("counts brackets inside strings as nothing, escaped quotes included", () => {
  assert.notEqual(parse(`{"a":"${"[".repeat(50)}\\"${"{".repeat(50)}"}`), null);
  assert.notEqual(parse(`{"a":"\\\\","b":"${"[".repeat(50)}"}`), null);
});

test("finds own members only", () => {
  const object = parse('{"a":{}}');
  assert.ok(object !== null);
  assert.equal(objectAt(object, "__proto__"), null);
  assert.equal(stringAt(object, "constructor", 100), null);
  assert.equal(objectAt(parse('{"__proto__":{"x":1}}') ?? {}, "x"), null);
});

test("answers null for a member of another type or beyond its limit", () => {
  const object = parse('{"s":"abc","n":5,"f":1.5,"a":[1,2],"o":{}}') ?? {};
  assert.equal(stringAt(object, "s", 3), "abc");
  assert.equal(stringAt(object, "s", 2), null);
  assert.equal(stringAt(object, "n", 9), null);
  assert.equal(integerAt(object, "n", 0, 5), 5);
  assert.equal(integerAt(object, "n", 6, 9), null);
  assert.equal(integerAt(object, "n", 0, 4), null);
  assert.equal(integerAt(object, "f", 0, 9), null);
  assert.deepEqual(arrayAt(object, "a", 2), [1, 2]);
  assert.equal(arrayAt(object, "a", 1), null);
  assert.equal(arrayAt(object, "o", 1), null);
  assert.equal(objectAt(object, "a"), null);
});

test("reads back what it wrote", () => {
  const value: JsonValue = { a: ['ü\n"', null, true, -1.5], b: { c: "" } };
  assert.deepEqual(parseJsonObject(encodeJson(value), 1000), value);
});

test("never throws, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const value = parseJsonObject(bytes, 100);
      assert.ok(value === null || typeof value === "object");
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedCompilers } from "../../../hosts/fleet/schema-compilers.ts";

const text = () => ({ type: "object", properties: { name: { type: "string" } } });
const number = () => ({ type: "object", properties: { name: { type: "number" } } });

function validator(schema: object, coerceTypes: boolean) {
  const build = sharedCompilers.buildValidator;
  assert.ok(build);
  const compile = build({}, { customOptions: { coerceTypes } });
  return compile({ schema, method: "GET", url: "/", httpPart: "query" });
}

test("a schema is compiled once for all servers of a process, and its equals with it", () => {
  assert.equal(validator(text(), false), validator(text(), false));
});

test("another schema and other options are compiled for themselves", () => {
  assert.equal(validator(text(), false)({ name: 1 }), false);
  assert.equal(validator(number(), false)({ name: 1 }), true);
  assert.equal(validator(text(), true)({ name: 1 }), true);
});

test("an answer is written by its schema, on every server alike", () => {
  const build = sharedCompilers.buildSerializer;
  assert.ok(build);
  const write = () => build({}, {})({ schema: text(), method: "GET", url: "/", httpStatus: "200" });
  assert.equal(write()({ name: "a", secret: 1 }), '{"name":"a"}');
  assert.equal(write(), write());
});

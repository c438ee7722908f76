import assert from "node:assert/strict";
import { test } from "node:test";
import { reuseNames } from "../../../hosts/esp32/reuse-names.ts";

async function exportsOf(code: string): Promise<Record<string, unknown>> {
  return { ...(await import(`data:text/javascript,${encodeURIComponent(code)}`)) };
}

const printed = `const a = (e) => ({ ...e, a: e.imageHash, z: e.payloadBytes });
const b = (a) => a.imageHash + a.blockBytes;
let c = 1;
const d = (e, t = a(e)) => {
  const n = { c: c += 1, b };
  return b(t) + n.c + t.a;
};
export {
  d as sum
};
`;

test("variables have the names of properties, and the program does what it did", async () => {
  const code = await reuseNames(printed);
  assert.match(code, /\bimageHash = |\bblockBytes = /);
  assert.doesNotMatch(code, /^(?:const|let) [abc] =/m);
  const [before, after] = [await exportsOf(printed), await exportsOf(code)];
  const release = { imageHash: 10, blockBytes: 5 };
  const results = [before, after].map(({ sum }) => (sum as (of: object) => number)(release));
  assert.deepEqual(results, [27, 27]);
});

test("a name that is exported, reserved, global or short enough for a local stays out of it", async () => {
  const code = await reuseNames(`const a = (e) => e.default + e.parseInt + e.id + e.Upper;
export const b = () => a({});
const c = a;
export {
  c
};
`);
  assert.doesNotMatch(code, /const (?:default|parseInt|id|Upper)\b/);
  assert.match(code, /\bc = /);
});

test("no name of the language's own comes into the program: XS would keep the code behind it", async () => {
  const code = await reuseNames("const a = 1;\nconst b = () => a;\nexport {\n  b\n};\n");
  assert.match(code, /const a = 1/);
});

test("the same program gives the same names", async () => {
  assert.equal(await reuseNames(printed), await reuseNames(printed));
});

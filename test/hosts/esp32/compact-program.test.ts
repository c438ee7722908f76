import assert from "node:assert/strict";
import { test } from "node:test";
import { compactProgram } from "../../../hosts/esp32/compact-program.ts";

/** What a module exports, by running it. */
async function exportsOf(code: string): Promise<Record<string, unknown>> {
  return { ...(await import(`data:text/javascript,${encodeURIComponent(code)}`)) };
}

test("numbers go where they are used, also before their declaration and calculated", async () => {
  const code = await compactProgram(`function area() {
  return side * side + more;
}
var side = 16 * 1024;
var more = side * 2 - 1;
export {
  area
};
`);
  assert.doesNotMatch(code, /1024/);
  const { area } = await exportsOf(code);
  assert.equal((area as () => number)(), 16_384 ** 2 + 32_767);
});

test("short strings go where they are used, long ones stay one", async () => {
  const long = "a text of more than twenty characters";
  const code = await compactProgram(`var word = "idle";
var text = "${long}";
function say(loud) {
  return loud ? text + word : text;
}
export {
  say
};
`);
  assert.match(code, /"idle"/);
  assert.equal(code.split(long).length, 2);
  const { say } = await exportsOf(code);
  assert.equal((say as (loud: boolean) => string)(true), `${long}idle`);
});

test("a function that is only called becomes an arrow function, wherever it stands", async () => {
  const code = await compactProgram(`var first = double(2);
function double(count, { times = 2 } = {}) {
  return count * times;
}
async function later(count) {
  return double(count);
}
export {
  first,
  later
};
`);
  assert.doesNotMatch(code, /function/);
  const { first, later } = await exportsOf(code);
  assert.equal(first, 4);
  assert.equal(await (later as (count: number) => Promise<number>)(5), 10);
});

test("a function that makes objects, or has its own this, stays one", async () => {
  const code = await compactProgram(`function Point(x) {
  this.x = x;
}
function sum() {
  return arguments.length;
}
function Plain() {
}
var points = [new Point(1), new Plain()];
export {
  points,
  sum
};
`);
  assert.equal(code.match(/function/g)?.length, 3);
  const { sum } = await exportsOf(code);
  assert.equal((sum as (...all: number[]) => number)(1, 2, 3), 3);
});

test("what is assigned stays a variable, everything else is constant", async () => {
  const code = await compactProgram(`var count = [];
var other = [];
function next() {
  count = [...count, other.length];
  return count.length;
}
export {
  next
};
`);
  assert.match(code, /let \w+ = \[\]/);
  assert.doesNotMatch(code, /\bvar\b/);
  const { next } = await exportsOf(code);
  assert.deepEqual([(next as () => number)(), (next as () => number)()], [1, 2]);
});

test("the same program gives the same text", async () => {
  const program = `var a = 1;\nfunction f(x) {\n  return x + a;\n}\nexport {\n  f\n};\n`;
  assert.equal(await compactProgram(program), await compactProgram(program));
});

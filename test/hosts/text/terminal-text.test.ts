import assert from "node:assert/strict";
import { test } from "node:test";
import { printable, printableCopy, printableLines } from "../../../hosts/text/terminal-text.ts";

/** Each ends with what a terminal or an eye would make of the text behind it. */
const hostile: ReadonlyArray<readonly [string, string]> = [
  ["\u001b]0;owned\u0007", "\\u001b]0;owned\\u0007"],
  ["\u009b2J", "\\u009b2J"],
  ["\u007f\b", "\\u007f\\u0008"],
  ["a\r\nb\tc", "a\\r\\nb\\tc"],
  ["\u202egnp.exe\u2066\u2069", "\\u202egnp.exe\\u2066\\u2069"],
  ["\u061c\u200e\u200f\u200b\ufeff\u00ad", "\\u061c\\u200e\\u200f\\u200b\\ufeff\\u00ad"],
  ["\u2028\u2029\u0085", "\\u2028\\u2029\\u0085"],
  ["\ud83d!", "\\ud83d!"],
  ["\u{e0041}", "\\udb40\\udc41"],
];

test("writes out whatever a terminal would obey", () => {
  for (const [text, shown] of hostile) assert.equal(printable(text), shown);
});

test("leaves words of any language as they are", () => {
  for (const text of ["Küche", "दरवाज़ा", "キッチン", "مطبخ", "👩‍🚀", "a\\u001b"])
    assert.equal(printable(text), text);
});

test("keeps the ends of our lines, and JSON the same JSON", () => {
  assert.equal(printableLines("one\ntwo\u001b\r\n"), "one\ntwo\\u001b\\r\n");
  for (const [text] of hostile) {
    const value = { [text]: [text, 1, null] };
    const json = printableLines(JSON.stringify(value, null, 2));
    assert.deepEqual(JSON.parse(json), value);
    assert.doesNotMatch(json, /[^\P{Cc}\n]|\p{Cf}/u);
  }
});

test("copies an answer with every text of it printable, names too", () => {
  const copy = printableCopy({ "a\u001b": ["\n", { b: "\u009b" }], n: 1, no: null });
  assert.deepEqual(copy, { "a\\u001b": ["\\n", { b: "\\u009b" }], n: 1, no: null });
});

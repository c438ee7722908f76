import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DigestHex } from "../../../src/protocol/digest.ts";
import { formatRunning, parseRunning } from "../../../src/protocol/running.ts";

const imageHash = "ab".repeat(32) as DigestHex;

const vectors = [
  ["a confirmed image", { version: "1.2.3", imageHash, confirmed: true }, "confirmed"],
  ["one on trial", { version: "1.2.3", imageHash, confirmed: false }, "trial"],
  ["the smallest version", { version: "0.0.0", imageHash, confirmed: true }, "confirmed"],
  ["the largest", { version: "255.255.65535+4294967295", imageHash, confirmed: true }, "confirmed"],
] as const;

for (const [name, running, state] of vectors)
  test(`writes and reads ${name}`, () => {
    const text = `${running.version};${imageHash};${state}`;
    assert.equal(formatRunning(running), text);
    assert.deepEqual(parseRunning(text), running);
  });

const refused = [
  "",
  ";;",
  "1.2.3",
  `1.2.3;${imageHash}`,
  `1.2.3;${imageHash};confirmed;`,
  `1.2.3;${imageHash};Confirmed`,
  `1.2.3;${imageHash.toUpperCase()};trial`,
  `1.2.3;${imageHash.slice(1)};trial`,
  `1.2;${imageHash};trial`,
  `01.2.3;${imageHash};trial`,
  `1.2.3+0;${imageHash};trial`,
  `256.0.0;${imageHash};trial`,
  `1.2.3.4;${imageHash};trial`,
  ` 1.2.3;${imageHash};trial`,
];
for (const text of refused)
  test(`refuses ${JSON.stringify(text.replace(imageHash, "<hash>"))}`, () => {
    assert.equal(parseRunning(text), null);
  });

test("answers null or the exact form, whatever the text", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 120 }), (text) => {
      const running = parseRunning(text);
      assert.ok(running === null || formatRunning(running) === text);
    }),
  );
});

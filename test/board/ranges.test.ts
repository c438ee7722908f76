import assert from "node:assert/strict";
import { test } from "node:test";
import { askedAgainBytes, askedTwiceBytes, askedUpToBytes, downloadRanges } from "./ranges.ts";

const looks = ["bytes=0-31", "bytes=900-999"];
const blocks = ["bytes=0-399", "bytes=400-799", "bytes=800-999"];

test("tells the download from the looks at the ends of a file", () => {
  assert.deepEqual(downloadRanges(["bytes=0-31", "bytes=9000-9099", "bytes=0-4999"]), [
    "bytes=0-4999",
  ]);
});

test("knows where a download stands", () => {
  assert.equal(askedUpToBytes([]), 0);
  assert.equal(askedUpToBytes(["bytes=0-31", "bytes=9000-9099"]), 0);
  assert.equal(askedUpToBytes(["bytes=0-4999", "bytes=5000-9099", "bytes=4096-4999"]), 9100);
});

test("counts what is asked for again after a cut, once", () => {
  assert.equal(askedAgainBytes(blocks, []), 0);
  const after = ["bytes=300-799", "bytes=350-799", "bytes=800-999"];
  assert.equal(askedAgainBytes(blocks.slice(0, 2), after), 500);
});

test("counts every byte that is asked for more than once", () => {
  assert.equal(askedTwiceBytes(blocks), 0);
  assert.equal(askedTwiceBytes([...blocks, "bytes=0-9", "bytes=0-9"]), 20);
  assert.equal(askedTwiceBytes([...looks, ...blocks]), 132);
});

test("takes no range without its two ends", () => {
  assert.throws(() => askedTwiceBytes(["bytes=5-"]), /two ends/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { cutMoments, cutPhases } from "./cut-moments.ts";

test("plans twenty cuts, some in every phase, each in a part of its phase of its own", () => {
  const moments = cutMoments(7);
  assert.equal(moments.length, 20);
  for (const phase of cutPhases) {
    const shares = moments.filter((moment) => moment.phase === phase).map(({ share }) => share);
    assert.ok(shares.length >= 4, phase);
    for (const [index, share] of shares.entries())
      assert.equal(Math.floor(share * shares.length), index);
  }
});

test("a seed gives the same moments again, another one others", () => {
  assert.deepEqual(cutMoments(7), cutMoments(7));
  assert.notDeepEqual(cutMoments(7), cutMoments(8));
});

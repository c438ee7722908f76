import assert from "node:assert/strict";
import { test } from "node:test";
import { meets } from "../../../hosts/bench/benchmark.ts";
import { flashWear } from "../../../hosts/bench/flash-wear.ts";

test("an update wears the flash no more than swap using move has to", async () => {
  const measured = await flashWear.run();
  const missed = measured.filter((measurement) => !meets(measurement));
  assert.deepEqual(missed, []);
  const targets = measured.filter(({ target }) => target?.checked === true);
  assert.equal(targets.length, 8);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Ways } from "../../../../hosts/fleet/operations/ways.ts";

const none = { ok: false, reason: "needs-stepping-stone" } as const;

test("finds the way of devices that are alike once, and anew for each plan", () => {
  const ways = new Ways();
  let found = 0;
  const find = () => {
    found += 1;
    return none;
  };
  for (let device = 0; device < 5; device += 1) ways.of(1, { runs: "1.0.0" }, find);
  assert.equal(found, 1);
  ways.of(1, { runs: "1.1.0" }, find);
  assert.equal(found, 2);
  ways.of(2, { runs: "1.0.0" }, find);
  assert.equal(found, 3);
});

test("keeps no more ways than a bound, whatever devices run", () => {
  const ways = new Ways();
  let found = 0;
  const find = () => {
    found += 1;
    return none;
  };
  for (let version = 0; version <= 1000; version += 1) ways.of(1, version, find);
  ways.of(1, 0, find);
  assert.equal(found, 1002, "the first ones were let go");
});

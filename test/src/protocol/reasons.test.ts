import assert from "node:assert/strict";
import { test } from "node:test";
import { readReason } from "../../../src/protocol/reasons.ts";

for (const [reason, counted, trigger] of [
  ["no-server", "no-server", "no-server"],
  ["late-rollback:leak", "late-rollback", "leak"],
  ["late-rollback:no-server", "late-rollback", "no-server"],
  ["late-rollback:", "late-rollback", ""],
  ["rollback-impossible: counter", "rollback-impossible", "counter"],
  ["rollback-impossible:counter", "rollback-impossible", "counter"],
  ["crashed", null, "crashed"],
  ["no-server-at-all", null, "no-server-at-all"],
  ["Late-Rollback:leak", null, "Late-Rollback:leak"],
  ["", null, ""],
] as const)
  test(`"${reason}" counts as ${counted ?? "any other reason"}`, () => {
    assert.deepEqual(readReason(reason), { counted, trigger });
  });

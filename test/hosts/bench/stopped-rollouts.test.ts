import assert from "node:assert/strict";
import { test } from "node:test";
import { runOne } from "../../../hosts/bench/stopped-rollouts.ts";
import { SyntheticFleet } from "../../../hosts/bench/synthetic-fleet.ts";

test("a rollout of synthetic devices stops for what goes back, and ends where little does", async () => {
  const fleet = await SyntheticFleet.open(60);
  try {
    const policy = "emergency";
    const bad = await runOne(fleet, { policy, defectRate: 0.2, seed: 4 });
    assert.ok(bad.isStopped && bad.hurt >= 2 && bad.hurt < 30, JSON.stringify(bad));
    const good = await runOne(fleet, { policy, defectRate: 0.01, seed: 5 });
    assert.ok(!good.isStopped && good.hurt <= 3, JSON.stringify(good));
  } finally {
    await fleet.close();
  }
});

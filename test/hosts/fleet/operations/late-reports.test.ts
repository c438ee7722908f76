import assert from "node:assert/strict";
import { test } from "node:test";
import { TestFleet } from "../test-fleet.ts";

test("a report of an earlier step, sent again or late, moves no device back", async (t) => {
  const fleet = await TestFleet.open(t);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const device = await fleet.addDevice("lamp");
  device.runs("1.0.0", "a".repeat(64));
  await fleet.api("POST", "/rollouts", {
    name: "r",
    releaseVersion: "1.1.0",
    start: true,
    approved: true,
    stages: [{ percent: 100, soakSeconds: 0 }],
  });
  const actionId = await device.installs("1.1.0", imageHash);
  const shown = async (): Promise<[string, number]> => {
    const { state } = await fleet.api("GET", "/devices/lamp");
    const rollout = await fleet.api("GET", "/rollouts/1");
    return [state, rollout.stages[0].counts.trial];
  };
  assert.deepEqual(await shown(), ["trial", 1]);
  const late: readonly (readonly [string, readonly string[]])[] = [
    ["download", ["state=downloading"]],
    ["downloaded", ["state=staged"]],
    ["proceeding", ["state=verifying"]],
    ["scheduled", ["state=deferred", "reason=battery"]],
    ["rejected", []],
    ["proceeding", []],
    ["download", []],
  ];
  for (const [execution, details] of late) {
    assert.equal(await device.feedback(actionId, execution, "none", details), 200, execution);
    assert.deepEqual(await shown(), ["trial", 1], `${execution} ${details}`);
  }
  device.runs("1.1.0", imageHash, "confirmed");
  await device.poll();
  assert.equal((await fleet.api("GET", "/devices/lamp")).state, "updated");
});

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

const oldHash = "0a".repeat(32);
const old = { version: "1.0.0", imageHash: oldHash };
const stages = [
  { percent: 10, soakSeconds: 60 },
  { percent: 100, soakSeconds: 60 },
];

interface Scene {
  readonly fleet: TestFleet;
  readonly devices: readonly TestDevice[];
  readonly imageHash: string;
  readonly rolloutId: number;
  /** The state of the rollout and, stage by stage, how many members are in `name`. */
  counts(name: string): Promise<readonly number[]>;
  state(): Promise<string>;
  offered(): Promise<TestDevice[]>;
}

/** Twenty devices on 1.0.0 and a running rollout of 1.1.0 to two of them, then to all. */
async function scene(
  context: TestContext,
  definition: object = {},
  options: Partial<FleetOptions> = {},
): Promise<Scene> {
  const fleet = await TestFleet.open(context, options);
  const devices = await fleet.addDevices(20);
  for (const device of devices) device.runs("1.0.0", oldHash);
  for (const device of devices) await device.poll();
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const { id } = await fleet.api("POST", "/rollouts", {
    name: "spring",
    releaseVersion: "1.1.0",
    stages,
    start: true,
    ...definition,
  });
  const show = () => fleet.api("GET", `/rollouts/${id}`);
  return {
    fleet,
    devices,
    imageHash,
    rolloutId: id,
    counts: async (name) =>
      (await show()).stages.map((stage: { counts: Record<string, number> }) => stage.counts[name]),
    state: async () => (await show()).state,
    offered: async () => offeredOf(devices),
  };
}

async function offeredOf(devices: readonly TestDevice[]): Promise<TestDevice[]> {
  const found: TestDevice[] = [];
  for (const device of devices) if ((await device.offered()) !== null) found.push(device);
  return found;
}

/** A first stage of three: two that go back halt it, and one is left. */
const threeFirst = { stages: [{ percent: 15, soakSeconds: 60 }, ...stages.slice(1)] };

async function goesBack(devices: readonly TestDevice[], imageHash: string): Promise<void> {
  for (const device of devices) await device.rollsBack({ version: "1.1.0", imageHash }, old);
}

function three(devices: readonly TestDevice[]): readonly [TestDevice, TestDevice, TestDevice] {
  const [first, second, third] = devices;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  assert.equal(devices.length, 3);
  return [first, second, third];
}

function two(devices: readonly TestDevice[]): readonly [TestDevice, TestDevice] {
  const [first, second] = devices;
  assert.ok(first !== undefined && second !== undefined && devices.length === 2);
  return [first, second];
}

test("offers the release to the first stage alone, and to the rest after the soak", async (t) => {
  const { fleet, imageHash, offered, counts, state } = await scene(t);
  for (const device of two(await offered())) await device.updates("1.1.0", imageHash);
  await fleet.wait(59);
  assert.deepEqual(await offered(), []);
  await fleet.wait(1);
  const second = await offered();
  assert.equal(second.length, 18);
  for (const device of second) await device.updates("1.1.0", imageHash);
  await fleet.wait(60);
  assert.equal(await state(), "finished");
  assert.deepEqual(await counts("updated"), [2, 18]);
});

test("halts when two devices roll back, and takes back what has not begun", async (t) => {
  const { imageHash, offered, counts, state } = await scene(t, threeFirst);
  const [bad, worse, other] = three(await offered());
  await goesBack([bad], imageHash);
  assert.equal(await state(), "running", "one device says nothing of the others");
  await goesBack([worse], imageHash);
  assert.equal(await state(), "halted");
  assert.deepEqual(await offered(), []);
  const { cancelAction } = await other.poll();
  assert.match(cancelAction ?? "", /\/cancelAction\/\d+$/);
  const body = { status: { execution: "closed", result: { finished: "success" } } };
  const answer = await other.request("POST", `${cancelAction}/feedback`, { body });
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(await counts("withdrawn"), [1, 0]);
  assert.equal((await other.poll())["cancelAction"], undefined);
});

test("sees a rollback that the device never reports", async (t) => {
  const { fleet, imageHash, offered, state } = await scene(t);
  const [bad, other] = two(await offered());
  for (const device of [bad, other]) {
    await device.installs("1.1.0", imageHash);
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  assert.equal(await state(), "halted");
  const shown = await fleet.api("GET", `/devices/${bad.id}`);
  assert.deepEqual([shown.state, shown.reason], ["rolled-back", "reverted"]);
});

test("counts a device that goes back after the stage was complete", async (t) => {
  const { fleet, imageHash, offered, state } = await scene(t);
  const first = two(await offered());
  for (const device of first) await device.updates("1.1.0", imageHash);
  await fleet.wait(60);
  assert.equal((await offered()).length, 18);
  for (const device of first) {
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  assert.equal(await state(), "halted");
  assert.deepEqual(await offered(), []);
});

test("does not take a report of success for an update", async (t) => {
  const { fleet, offered, counts, state } = await scene(t);
  for (const device of two(await offered())) {
    const actionId = await device.offered();
    await device.feedback(actionId ?? 0, "closed", "success", ["state=confirmed"]);
  }
  assert.deepEqual(await counts("reported"), [2, 0]);
  await fleet.wait(23 * 3600);
  assert.deepEqual(await offered(), []);
  await fleet.wait(3600);
  assert.deepEqual(await counts("unproven"), [2, 0]);
  assert.equal(await state(), "halted");
});

test("holds a stage for silent devices, and lets few of them go in the end", async (t) => {
  const { fleet, imageHash, offered, counts } = await scene(t, {
    stages: [
      { percent: 50, soakSeconds: 60 },
      { percent: 100, soakSeconds: 60 },
    ],
  });
  const [silent, ...others] = await offered();
  assert.equal(others.length, 9);
  for (const device of others) await device.updates("1.1.0", imageHash);
  for (let hours = 0; hours < 7 * 24; hours += 12) {
    for (const device of others) await device.poll();
    await fleet.wait(12 * 3600 - 1);
  }
  assert.deepEqual(await counts("offered"), [1, 0]);
  assert.deepEqual(
    (await offered()).map(({ id }) => id),
    [silent?.id],
  );
  await fleet.wait(14);
  await fleet.wait(60);
  assert.equal((await offered()).length, 11);
});

test("waits for a device that deferred, and takes it up where it goes on", async (t) => {
  const { fleet, imageHash, offered, counts, state } = await scene(t);
  const [ready, deferred] = two(await offered());
  await ready.updates("1.1.0", imageHash);
  const actionId = (await deferred.offered()) ?? 0;
  const details = ["state=deferred", "reason=low-battery"];
  await deferred.feedback(actionId, "scheduled", "none", details);
  const shown = await fleet.api("GET", `/devices/${deferred.id}`);
  assert.deepEqual([shown.state, shown.reason], ["deferred", "low-battery"]);
  await fleet.wait(11 * 3600);
  await ready.poll();
  await fleet.wait(11 * 3600);
  assert.deepEqual(await counts("deferred"), [1, 0]);
  assert.equal(await state(), "running");
  await deferred.updates("1.1.0", imageHash);
  await fleet.wait(60);
  assert.equal((await offered()).length, 18);
});

test("never offers a device again what it rolled back, until an operator clears it", async (t) => {
  const { fleet, imageHash, offered } = await scene(t, { haltThreshold: { rolledBackShare: 1 } });
  const [bad] = two(await offered());
  await bad.rollsBack({ version: "1.1.0", imageHash }, old);
  await fleet.api("POST", "/rollouts", {
    name: "again",
    releaseVersion: "1.1.0",
    beside: true,
    stages: [{ percent: 100, soakSeconds: 0 }],
    start: true,
  });
  assert.ok(!(await offered()).includes(bad));
  const shown = await fleet.api("GET", `/devices/${bad.id}`);
  assert.equal(shown.refusals[0].releaseVersion, "1.1.0");
  assert.equal(shown.refusals[0].reason, "crashed");
  await fleet.api("DELETE", `/devices/${bad.id}/refusals/1.1.0`);
  assert.ok((await offered()).includes(bad));
});

test("a pause hides what has not begun and lets the rest go on", async (t) => {
  const { fleet, imageHash, rolloutId, offered, counts } = await scene(t);
  const [begun, waiting] = two(await offered());
  const actionId = (await begun.offered()) ?? 0;
  await begun.feedback(actionId, "download", "none", ["state=downloading"]);
  await fleet.api("POST", `/rollouts/${rolloutId}/pause`);
  assert.deepEqual(await offered(), [begun]);
  await begun.updates("1.1.0", imageHash);
  await fleet.wait(3600);
  assert.deepEqual(await offered(), []);
  await fleet.api("POST", `/rollouts/${rolloutId}/resume`);
  assert.deepEqual(await offered(), [waiting]);
  assert.deepEqual(await counts("updated"), [1, 0]);
});

test("a halted rollout resumes only under a threshold that its counters satisfy", async (t) => {
  const { fleet, imageHash, rolloutId, offered, state } = await scene(t, threeFirst);
  const [bad, worse, other] = three(await offered());
  await goesBack([bad, worse], imageHash);
  const resume = (haltThreshold?: object) =>
    fleet.inject({
      method: "POST",
      url: `/api/v1/rollouts/${rolloutId}/resume`,
      payload: haltThreshold === undefined ? {} : { haltThreshold },
    });
  const refused = await resume();
  assert.equal(refused.statusCode, 409);
  assert.equal(refused.json().error, "over-threshold");
  assert.match(refused.json().message, /^stage 1: 2 of 2 rolled back, lower bound 42.5 % over 5 %/);
  assert.equal((await resume({ rolledBackShare: 0.42 })).statusCode, 409);
  assert.equal((await resume({ rolledBackShare: 0.43 })).statusCode, 200);
  assert.equal(await state(), "running");
  assert.deepEqual(await offered(), [other]);
});

test("a cancelled rollout takes its actions back and never runs again", async (t) => {
  const { fleet, rolloutId, offered } = await scene(t);
  const [device] = two(await offered());
  await fleet.api("POST", `/rollouts/${rolloutId}/cancel`);
  assert.ok((await device.poll())["cancelAction"]);
  const answer = await fleet.inject({
    method: "POST",
    url: `/api/v1/rollouts/${rolloutId}/resume`,
    payload: {},
  });
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "wrong-state"]);
});

test("does not ask a device twice to cancel what it cannot stop any more", async (t) => {
  const { fleet, rolloutId, offered } = await scene(t);
  const [device] = two(await offered());
  await device.feedback((await device.offered()) ?? 0, "download", "none", ["state=downloading"]);
  await fleet.api("POST", `/rollouts/${rolloutId}/cancel`);
  const { cancelAction } = await device.poll();
  const body = { status: { execution: "rejected", result: { finished: "failure" } } };
  await device.request("POST", `${cancelAction}/feedback`, { body });
  const links = await device.poll();
  assert.equal(links["cancelAction"], undefined);
  assert.ok(links["deploymentBase"]); // the action runs on, as with hawkBit
});

test("a device that activates when the rollout halts is not offered the release again", async (t) => {
  const { imageHash, offered, counts } = await scene(t, threeFirst);
  const [bad, worse, activating] = three(await offered());
  const actionId = (await activating.offered()) ?? 0;
  await activating.feedback(actionId, "proceeding", "none", ["state=activating"]);
  await goesBack([bad, worse], imageHash);
  const links = await activating.poll();
  assert.deepEqual([links["cancelAction"], links["deploymentBase"]], [undefined, undefined]);
  activating.runs("1.1.0", imageHash);
  assert.equal(await activating.feedback(actionId, "closed", "success"), 200);
  assert.deepEqual(await counts("updated"), [1, 0]);
});

test("a device that comes later joins the stage of its bucket", async (t) => {
  const { fleet, imageHash, rolloutId, offered, counts } = await scene(t);
  for (const device of two(await offered())) await device.updates("1.1.0", imageHash);
  const late: TestDevice[] = [];
  for (let index = 0; index < 40; index++) late.push(await fleet.addDevice(`late-${index}`));
  const soon = await offeredOf(late);
  const { stages: shown } = await fleet.api("GET", `/rollouts/${rolloutId}`);
  const sizes = shown.map((stage: { members: number }) => stage.members);
  assert.equal(sizes[0] + sizes[1], 60);
  assert.equal(soon.length, sizes[0] - 2);
  for (const device of soon) await device.updates("1.1.0", imageHash);
  assert.deepEqual(await counts("updated"), [sizes[0], 0]);
});

test("leaves out devices of other hardware, newer ones, and those that run it", async (t) => {
  const fleet = await TestFleet.open(t);
  const imageHash = await fleet.publish({ version: "1.1.0", securityCounter: 1 });
  const counted = await fleet.publish({ version: "1.0.5", securityCounter: 9 });
  const other = await fleet.addDevice("other", "esp32c3-a");
  const [newer, same, secure, plain] = await fleet.addDevices(4);
  assert.ok(newer && same && secure && plain);
  newer.runs("2.0.0", oldHash);
  same.runs("1.1.0", imageHash);
  secure.runs("1.0.5", counted);
  plain.runs("1.0.0", oldHash);
  for (const device of [other, newer, same, secure, plain]) await device.poll();
  const created = await fleet.api("POST", "/rollouts", {
    name: "one",
    releaseVersion: "1.1.0",
    start: true,
  });
  assert.equal(created.eligible, 1);
  assert.deepEqual(await offeredOf([other, newer, same, secure, plain]), [plain]);
});

test("a device that moves on to a newer release did not roll the older one back", async (t) => {
  const { fleet, imageHash, offered, counts, state } = await scene(t);
  const [device] = two(await offered());
  await device.updates("1.1.0", imageHash);
  device.runs("1.2.0", "cc".repeat(32));
  await device.poll();
  assert.deepEqual(await counts("updated"), [1, 0]);
  assert.equal(await state(), "running");
  assert.deepEqual((await fleet.api("GET", `/devices/${device.id}`)).refusals, []);
});

test("a planned rollout offers nothing before it is started", async (t) => {
  const { fleet, rolloutId, offered } = await scene(t, { start: false });
  assert.deepEqual(await offered(), []);
  await fleet.api("POST", `/rollouts/${rolloutId}/start`);
  assert.equal((await offered()).length, 2);
});

test("a removed device holds no stage", async (t) => {
  const { fleet, imageHash, offered, counts } = await scene(t);
  const [updated, dead] = two(await offered());
  await updated.updates("1.1.0", imageHash);
  await fleet.api("DELETE", `/devices/${dead.id}`);
  assert.equal((await dead.request("GET", "")).statusCode, 401);
  await fleet.wait(60);
  assert.equal((await offeredOf([updated])).length, 0);
  assert.deepEqual(await counts("offered"), [0, 0]);
  assert.equal((await fleet.api("GET", "/rollouts/1")).currentStage, 1);
});

test("believes plain clients only when the rollout says so", async (t) => {
  for (const acceptReported of [false, true]) {
    const fleet = await TestFleet.open(t);
    const devices = await fleet.addDevices(2);
    await fleet.publish({ version: "1.1.0" });
    const { id } = await fleet.api("POST", "/rollouts", {
      name: "plain",
      releaseVersion: "1.1.0",
      stages: [{ percent: 100, soakSeconds: 0 }],
      acceptReported,
      start: true,
    });
    for (const device of devices)
      await device.feedback((await device.offered()) ?? 0, "closed", "success");
    await fleet.wait(30 * 24 * 3600);
    const { state, stages: shown } = await fleet.api("GET", `/rollouts/${id}`);
    assert.equal(state, acceptReported ? "finished" : "running");
    assert.equal(shown[0].counts.reported, 2);
    assert.equal(shown[0].counts.updated, 0);
  }
});

test("does not take SWUpdate's skipped update for a success", async (t) => {
  const { offered, counts } = await scene(t, { haltThreshold: { failedShare: 1 } });
  const [device] = two(await offered());
  const actionId = (await device.offered()) ?? 0;
  await device.feedback(actionId, "closed", "success", ["Skipped Update."]);
  assert.deepEqual(await counts("failed"), [1, 0]);
});

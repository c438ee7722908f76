// Policies as operators apply them and rollouts follow them.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { TestDevice, TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

const whole = { percent: 100, soakSeconds: 60 };

function apply(fleet: TestFleet, name: string, document: object) {
  const url = `/api/v1/policies/${name}`;
  return fleet.inject({ method: "PUT", url, payload: document });
}

async function policyScene(t: TestContext, count: number, policy: object) {
  const { fleet, devices } = await fleetOf(t, count);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  assert.equal((await apply(fleet, "careful", policy)).statusCode, 201);
  return { fleet, devices, imageHash };
}

/** A rollout that follows the policy, and nothing else. */
const byPolicy = { policy: "careful", stages: undefined };

async function offeredOf(devices: readonly TestDevice[]): Promise<readonly TestDevice[]> {
  const found: TestDevice[] = [];
  for (const device of devices) if ((await device.offered()) !== null) found.push(device);
  return found;
}

async function sentences(fleet: TestFleet, rollout = 1): Promise<readonly string[]> {
  const { items } = await fleet.api("GET", `/rollouts/${rollout}/decisions`);
  return items.map(
    ({ kind, sentence }: { kind: string; sentence: string }) => `${kind}: ${sentence}`,
  );
}

test("a policy has versions; the same document again makes none", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  const first = await apply(fleet, "careful", { stages: [whole] });
  assert.deepEqual([first.statusCode, first.json().version], [201, 1]);
  const same = await apply(fleet, "careful", { stages: [whole] });
  assert.deepEqual([same.statusCode, same.json().version], [200, 1]);
  const second = await apply(fleet, "careful", { stages: [{ ...whole, soakSeconds: 5 }] });
  assert.deepEqual([second.statusCode, second.json().version], [201, 2]);
  const newest = await fleet.api("GET", "/policies/careful");
  assert.deepEqual([newest.version, newest.rules.stages[0].soakSeconds], [2, 5]);
  const before = await fleet.api("GET", "/policies/careful?version=1");
  assert.equal(before.rules.stages[0].soakSeconds, 60);
  const { items } = await fleet.api("GET", "/policies");
  assert.deepEqual(
    items.map(({ name, version }: { name: string; version: number }) => `${name} ${version}`),
    [
      "1-10-50-100 1",
      "1-5-25-100 1",
      "canary-internal-pilot-general 1",
      "emergency 1",
      "careful 1",
      "careful 2",
    ],
  );
});

test("what a policy shows can be applied again unchanged", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  for (const name of ["1-10-50-100", "canary-internal-pilot-general", "emergency"]) {
    const { rules } = await fleet.api("GET", `/policies/${name}`);
    const applied = await apply(fleet, "mine", rules);
    assert.equal(applied.statusCode, 201, applied.body);
    assert.deepEqual(applied.json().rules, rules);
  }
});

const wrong: ReadonlyArray<readonly [string, object, RegExp]> = [
  ["no stages", {}, /^the body lacks stages/],
  [
    "a share above one",
    { stages: [whole], abort: [{ metric: "failed", share: 2, action: "halt" }] },
    /^abort\.0\.share is 2: give at most 1/,
  ],
  [
    "an action that there is not",
    { stages: [whole], abort: [{ metric: "failed", share: 0.1, action: "explode" }] },
    /^abort\.0\.action is "explode": give one of notify, pause, halt, cancel/,
  ],
  ["a word that nobody knows", { stages: [whole], color: "red" }, /color/],
  [
    "stages that fall",
    {
      stages: [
        { percent: 50, soakSeconds: 1 },
        { percent: 10, soakSeconds: 1 },
      ],
    },
    /^stages\.1\.percent: each stage must have a higher percent/,
  ],
  [
    "a filter with a defect",
    { stages: [{ ...whole, filter: "region=eu" }] },
    /^stages\.0\.filter: column 7: /,
  ],
  [
    "a filter that its own offers change",
    { stages: [{ ...whole, filter: "state==idle" }] },
    /^stages\.0\.filter: column 1: a rollout cannot ask for state/,
  ],
  [
    "another name than the path",
    { name: "other", stages: [whole] },
    /^name: the document says other/,
  ],
];
for (const [what, document, message] of wrong)
  test(`refuses a policy with ${what}, at its path`, async (t) => {
    const { fleet } = await fleetOf(t, 1);
    const answer = await apply(fleet, "careful", document);
    assert.deepEqual(
      [answer.statusCode, answer.json().error],
      [422, "policy-invalid"],
      answer.body,
    );
    assert.match(answer.json().message, message);
    assert.equal((await fleet.inject({ url: "/api/v1/policies/careful" })).statusCode, 404);
  });

test("a preset keeps its rules", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  const answer = await apply(fleet, "emergency", { stages: [whole] });
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "preset"]);
});

test("a rollout keeps the version of the policy that it was planned with", async (t) => {
  const { fleet } = await policyScene(t, 3, { stages: [{ count: 1, soakSeconds: 1 }, whole] });
  await rollOut(fleet, "1.1.0", byPolicy);
  await apply(fleet, "careful", { stages: [whole] });
  const rollout = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual(rollout.policy, { name: "careful", version: 1 });
  assert.deepEqual(
    rollout.stages.map(({ count, members }: { count: number; members: number }) => [
      count,
      members,
    ]),
    [
      [1, 1],
      [null, 2],
    ],
  );
  const unknown = await fleet.inject({
    method: "POST",
    url: "/api/v1/rollouts",
    payload: { name: "x", releaseVersion: "1.1.0", policy: "careless", beside: true },
  });
  assert.deepEqual([unknown.statusCode, unknown.json().error], [404, "unknown-policy"]);
});

test("stages of groups: each group in its turn, then everybody else", async (t) => {
  const groups = ["canary", "pilot"].map((group) => ({ group, soakSeconds: 60 }));
  const { fleet, devices, imageHash } = await policyScene(t, 6, { stages: [...groups, whole] });
  const [canary, pilot, ...others] = devices;
  assert.ok(canary && pilot);
  await fleet.api("PATCH", `/devices/${canary.id}`, { groups: { add: ["canary"] } });
  await fleet.api("PATCH", `/devices/${pilot.id}`, { groups: { add: ["pilot"] } });
  await rollOut(fleet, "1.1.0", byPolicy);
  for (const turn of [[canary], [pilot], others]) {
    assert.deepEqual(
      (await offeredOf(devices)).map(({ id }) => id),
      turn.map(({ id }) => id),
    );
    for (const device of turn) await device.updates("1.1.0", imageHash);
    await fleet.wait(60);
  }
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "finished");
});

test("a device that waits moves with its group, also from stage to stage", async (t) => {
  const groups = ["canary", "pilot"].map((group) => ({ group, soakSeconds: 60 }));
  const { fleet, devices } = await policyScene(t, 3, { stages: [...groups, whole] });
  const [canary, moving, other] = devices;
  assert.ok(canary && moving && other);
  await fleet.api("PATCH", `/devices/${canary.id}`, { groups: { add: ["canary"] } });
  await rollOut(fleet, "1.1.0", byPolicy);
  const stageOf = async (id: string): Promise<number> => {
    const { items } = await fleet.api("GET", "/rollouts/1/devices");
    return items.find(({ deviceId }: { deviceId: string }) => deviceId === id).stage;
  };
  assert.equal(await stageOf(moving.id), 2);
  await fleet.api("PATCH", `/devices/${moving.id}`, { groups: { add: ["canary"] } });
  assert.equal(await stageOf(moving.id), 0);
  assert.notEqual(await moving.offered(), null);
  const { stages } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual(
    stages.map(({ members }: { members: number }) => members),
    [2, 0, 1],
  );
  await fleet.api("PATCH", `/devices/${moving.id}`, { groups: { remove: ["canary"] } });
  assert.equal(await stageOf(moving.id), 0, "what was offered stays where it is");
});

test("a rollout whose groups hold nobody is refused before everybody gets it", async (t) => {
  const { fleet } = await fleetOf(t, 3);
  await fleet.publish({ version: "1.1.0" });
  const payload = { name: "x", releaseVersion: "1.1.0", policy: "canary-internal-pilot-general" };
  const answer = await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "stage-holds-nobody"]);
  assert.match(
    answer.json().message,
    /^no device is in group canary, group internal, group pilot:/,
  );
});

test("newcomers wait for the last stage where the policy says so", async (t) => {
  const stages = [{ percent: 50, soakSeconds: 60 }, whole];
  const { fleet } = await policyScene(t, 2, { stages, newcomers: "wait" });
  await rollOut(fleet, "1.1.0", byPolicy);
  for (let index = 0; index < 8; index += 1) {
    const late = await fleet.addDevice(`late-${index}`);
    late.runs(old.version, old.imageHash);
    assert.equal(await late.offered(), null);
  }
  const { stages: shown } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual(
    shown.map(({ members }: { members: number }) => members),
    [1, 9],
  );
});

test("a stage goes on by a share of its attempts, and its stragglers get the release still", async (t) => {
  const success = { share: 0.9, of: "attempted", minSample: 2 };
  const stages = [{ count: 4, soakSeconds: 10, success }, whole];
  const { fleet, devices, imageHash } = await policyScene(t, 6, { stages });
  await rollOut(fleet, "1.1.0", byPolicy);
  const first = await offeredOf(devices);
  assert.equal(first.length, 4);
  for (const device of first.slice(0, 2)) await device.updates("1.1.0", imageHash);
  await fleet.wait(10);
  assert.equal((await fleet.api("GET", "/rollouts/1")).currentStage, 1);
  assert.equal((await offeredOf(devices)).length, 4);
});

test("a manual stage waits for an operator, and says so", async (t) => {
  const stages = [{ count: 1, soakSeconds: 10, advance: "manual" }, whole];
  const { fleet, devices, imageHash } = await policyScene(t, 3, { stages });
  await rollOut(fleet, "1.1.0", byPolicy);
  const early = await fleet.inject({ method: "POST", url: "/api/v1/rollouts/1/advance" });
  assert.deepEqual([early.statusCode, early.json().error], [409, "stage-not-ready"]);
  const [first] = await offeredOf(devices);
  await first?.updates("1.1.0", imageHash);
  await fleet.wait(1000);
  const { currentStage, stages: shown } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([currentStage, shown[0].waitsFor], [0, "an operator advances it"]);
  await fleet.api("POST", "/rollouts/1/advance");
  assert.equal((await offeredOf(devices)).length, 2);
});

test("a stage waits for as many people as its policy asks for; nobody counts twice", async (t) => {
  const advance = { approvals: 2, role: "approver" };
  const stages = [{ count: 1, soakSeconds: 10, advance }, whole];
  const { fleet, devices, imageHash } = await policyScene(t, 3, { stages });
  await rollOut(fleet, "1.1.0", byPolicy);
  const [first] = await offeredOf(devices);
  await first?.updates("1.1.0", imageHash);
  await fleet.wait(10);
  const approve = (approver: string) =>
    fleet.inject({ method: "POST", url: "/api/v1/rollouts/1/approve", payload: { approver } });
  assert.equal((await approve("ada")).json().currentStage, 0);
  assert.deepEqual((await approve("ada")).json().error, "approved-already");
  const skipped = await fleet.inject({ method: "POST", url: "/api/v1/rollouts/1/advance" });
  assert.equal(skipped.statusCode, 409, "an operator alone does not stand for two people");
  assert.equal((await approve("bob")).json().currentStage, 1);
  assert.equal((await approve("cy")).json().error, "needs-no-approval");
  const told = await sentences(fleet);
  assert.ok(told.includes("approved: bob approved stage 1: 2 of 2"), told.join("\n"));
});

test("what was decided is told with its arithmetic, from the plan to the end", async (t) => {
  const stages = [{ count: 2, soakSeconds: 10 }, whole];
  const { fleet, devices, imageHash } = await policyScene(t, 5, { stages });
  await rollOut(fleet, "1.1.0", byPolicy);
  for (const _ of [1, 2]) {
    for (const device of await offeredOf(devices)) await device.updates("1.1.0", imageHash);
    await fleet.wait(60);
  }
  assert.deepEqual(await sentences(fleet), [
    "created: 5 devices are eligible, stages of 2, 3, policy careful version 1",
    "opened: started: stage 1 opens for 2 of 5 devices",
    "held: stage 1 waits: 2 of 2 updated, 0 without an outcome; soaks for 10 s",
    "advanced: stage 1 is complete, 2 of 2 updated: stage 2 opens for 3 devices",
    "held: stage 2 waits: 3 of 3 updated, 0 without an outcome; soaks for 60 s",
    "finished: stage 2 is complete, 3 of 3 updated: finished",
  ]);
});

const failing = { abort: [{ metric: "rolled-back", share: 0.05, action: "pause" }] };

async function goBack(devices: readonly TestDevice[], imageHash: string): Promise<void> {
  for (const device of devices) await device.rollsBack({ version: "1.1.0", imageHash }, old);
}

test("a rule pauses: nobody else is offered the release, who has begun goes on", async (t) => {
  const { fleet, devices, imageHash } = await policyScene(t, 6, { stages: [whole], ...failing });
  await rollOut(fleet, "1.1.0", byPolicy);
  const [a, b, begun, other] = devices;
  assert.ok(a && b && begun && other);
  const actionId = (await begun.offered()) ?? 0;
  await begun.feedback(actionId, "download", "none", ["state=downloading"]);
  await goBack([a, b], imageHash);
  const { state, halt } = await fleet.api("GET", "/rollouts/1");
  const sentence = "2 of 2 rolled back, lower bound 42.5 % over 5 %: paused";
  assert.deepEqual([state, halt.reason, halt.sentence], ["paused", "rolled-back-share", sentence]);
  assert.notEqual(await begun.offered(), null);
  assert.equal(await other.offered(), null);
  assert.ok((await sentences(fleet)).includes(`paused: ${sentence}`));
});

test("a rule warns once for a stage, and the rollout goes on", async (t) => {
  const abort = [{ metric: "failed", share: 0.01, action: "notify" }];
  const { fleet, devices } = await policyScene(t, 6, { stages: [whole], abort });
  await rollOut(fleet, "1.1.0", byPolicy);
  for (const device of devices.slice(0, 4)) {
    const actionId = (await device.offered()) ?? 0;
    await device.feedback(actionId, "closed", "failure", ["reason=flash-error"]);
  }
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "running");
  const warned = (await sentences(fleet)).filter((one) => one.startsWith("warned"));
  assert.deepEqual(warned, ["warned: 2 of 2 failed, lower bound 42.5 % over 1 %: warned"]);
});

test("a rule cancels", async (t) => {
  const abort = [{ metric: "failed", share: 0.01, action: "cancel" }];
  const { fleet, devices } = await policyScene(t, 6, { stages: [whole], abort });
  await rollOut(fleet, "1.1.0", byPolicy);
  for (const device of devices.slice(0, 2)) {
    const actionId = (await device.offered()) ?? 0;
    await device.feedback(actionId, "closed", "failure", ["reason=flash-error"]);
  }
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "cancelled");
});

test("failed health checks are counted apart, and back again when a device is cleared", async (t) => {
  const { fleet, devices, imageHash } = await policyScene(t, 9, { stages: [whole] });
  await rollOut(fleet, "1.1.0", byPolicy);
  const [first] = devices;
  assert.ok(first);
  await first.rollsBack({ version: "1.1.0", imageHash }, old, "health-check");
  const shown = async () => (await fleet.api("GET", "/rollouts/1")).stages[0];
  assert.deepEqual([(await shown()).healthFailed, (await shown()).counts["rolled-back"]], [1, 1]);
  await fleet.api("POST", "/rollouts/1/clear");
  assert.deepEqual([(await shown()).healthFailed, (await shown()).counts["rolled-back"]], [0, 0]);
});

test("a battery that drops since the offer counts against the release, and no more once it is better", async (t) => {
  const abort = [{ metric: "battery-drop", share: 0.2, action: "halt" }];
  const { fleet, devices, imageHash } = await policyScene(t, 4, { stages: [whole], abort });
  const tell = async (device: TestDevice | undefined, battery: string): Promise<void> => {
    await device?.request("PUT", "configData", { body: { mode: "merge", data: { battery } } });
  };
  for (const device of devices) await tell(device, "80");
  await rollOut(fleet, "1.1.0", byPolicy);
  for (const device of devices) await device.updates("1.1.0", imageHash);
  await tell(devices[0], "70");
  const stage = async () => (await fleet.api("GET", "/rollouts/1")).stages[0];
  assert.equal((await stage()).batteryDropped, 1);
  await tell(devices[0], "71");
  assert.equal((await stage()).batteryDropped, 0);
  for (const device of devices.slice(0, 3)) await tell(device, "60");
  const { state, halt } = await fleet.api("GET", "/rollouts/1");
  const sentence = "3 of 4 lost battery, lower bound 35.6 % over 20 %: halted";
  assert.deepEqual([state, halt.sentence], ["halted", sentence]);
});

test("goes on by itself once the rule was kept for as long as the policy says", async (t) => {
  const policy = { stages: [whole], ...failing, resume: { afterSeconds: 600 } };
  const { fleet, devices, imageHash } = await policyScene(t, 60, policy);
  await rollOut(fleet, "1.1.0", byPolicy);
  const taking = devices.slice(0, 42);
  for (const device of taking) await device.installs("1.1.0", imageHash);
  await goBack(taking.slice(0, 2), imageHash);
  const state = async () => (await fleet.api("GET", "/rollouts/1")).state;
  assert.equal(await state(), "paused");
  await fleet.wait(3600);
  assert.equal(
    await state(),
    "paused",
    "two of two are over the limit for as long as there are two",
  );
  for (const device of taking.slice(2)) await device.updates("1.1.0", imageHash);
  await fleet.wait(599);
  assert.equal(await state(), "paused");
  await fleet.wait(2);
  assert.equal(await state(), "running");
  const told = await sentences(fleet);
  assert.match(told.find((one) => one.startsWith("resumed")) ?? "", /kept for 600 s after "2 of 2/);
  assert.deepEqual(await memberOf(fleet, 1, devices[0]?.id ?? ""), ["rolled-back", "crashed"]);
});

test("what an operator paused does not go on by itself", async (t) => {
  const policy = { stages: [whole], ...failing, resume: { afterSeconds: 1 } };
  const { fleet } = await policyScene(t, 3, policy);
  await rollOut(fleet, "1.1.0", byPolicy);
  await fleet.api("POST", "/rollouts/1/pause");
  await fleet.wait(3600);
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "paused");
});

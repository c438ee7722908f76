// Who comes while a rollout runs, and who is gone.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { rolloutText } from "../../../../hosts/cli/rollout/show.ts";
import { makeImage, TestFleet } from "../test-fleet.ts";

const old = { version: "1.0.0", imageHash: "a".repeat(64) };
const twoStages = [
  { percent: 1, soakSeconds: 0 },
  { percent: 100, soakSeconds: 0 },
];

async function running(t: TestContext, count: number, stages: object = twoStages) {
  const fleet = await TestFleet.open(t);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const devices = await fleet.addDevices(count);
  for (const device of devices) {
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  const wanted = { name: "r", releaseVersion: "1.1.0", stages, start: true };
  await fleet.api("POST", "/rollouts", wanted);
  return { fleet, devices, imageHash };
}

test("devices that come later get no more than the stage's share, however few it was planned for", async (t) => {
  for (const planned of [1, 2, 3]) {
    const { fleet } = await running(t, planned);
    let offered = 0;
    for (let index = 0; index < 300; index += 1) {
      const device = await fleet.addDevice(`later-${index}`);
      device.runs(old.version, old.imageHash);
      if ((await device.offered()) !== null) offered += 1;
    }
    // Binomial with p = 0.01: 12 of 300 or more is one fleet in 20,000; the ids and the hash are
    // fixed.
    assert.ok(offered < 12, `${offered} of 300 for a fleet of ${planned}`);
  }
});

test("an image for another hardware takes no part in a rollout that was planned without it", async (t) => {
  const { fleet, devices, imageHash } = await running(t, 3);
  for (const device of devices)
    if ((await device.offered()) !== null) await device.updates("1.1.0", imageHash);
  await fleet.wait(1);
  assert.equal((await fleet.api("GET", "/rollouts/1")).currentStage, 1);
  const others = [];
  for (let index = 0; index < 20; index += 1)
    others.push(await fleet.addDevice(`other-${index}`, "esp32c6-a"));
  const image = await makeImage({ version: "1.1.0", hardware: "esp32c6-a", fill: 7 });
  const published = await fleet.publishBytes(image.bytes);
  assert.equal(published.statusCode, 201, published.body);
  const [warning] = published.json().warnings;
  assert.equal(warning.warning, "not-in-rollouts");
  assert.match(warning.message, /rollout 1 .* esp32c6-a .* rollout create --release 1\.1\.0/);
  for (const device of others) assert.equal(await device.offered(), null);

  await fleet.api("POST", "/rollouts", {
    ...{ name: "c6", releaseVersion: "1.1.0", start: true },
    selector: { hardware: ["esp32c6-a"] },
    stages: [
      { percent: 5, soakSeconds: 0 },
      { percent: 100, soakSeconds: 0 },
    ],
  });
  let offered = 0;
  for (const device of others) if ((await device.offered()) !== null) offered += 1;
  assert.equal(offered, 1, "its own first stage");
});

test("a stage whose canary is removed waits for an operator, and is not a success", async (t) => {
  const { fleet, devices } = await running(t, 3);
  const canary = [];
  for (const device of devices) if ((await device.offered()) !== null) canary.push(device.id);
  assert.equal(canary.length, 1);
  const early = await fleet.inject({ method: "POST", url: "/api/v1/rollouts/1/advance" });
  assert.equal(early.json().error, "stage-not-ready");
  await fleet.api("DELETE", `/devices/${canary[0]}`);
  await fleet.wait(60);
  const rollout = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([rollout.state, rollout.currentStage], ["running", 0]);
  const [first] = rollout.stages;
  assert.deepEqual([first.members, first.joined, first.completedAtUnixMs], [0, 1, null]);
  assert.match(
    rolloutText(rollout),
    /stage 1 lost its devices[^\n]*\n {2}sluice rollout advance 1\n/,
  );
  const advanced = await fleet.api("POST", "/rollouts/1/advance");
  assert.equal(advanced.currentStage, 1);
});

test("a stage that was empty from the start is complete", async (t) => {
  const stages = [1, 2, 100].map((percent) => ({ percent, soakSeconds: 0 }));
  const { fleet, devices, imageHash } = await running(t, 2, stages);
  for (const device of devices)
    if ((await device.offered()) !== null) await device.updates("1.1.0", imageHash);
  await fleet.wait(1);
  const { currentStage, stages: shown } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([currentStage, shown[1].joined], [2, 0]);
});

const silence = ["state=rolledBack", "reason=no-server"];

test("a device that went back for nothing but silence tries again after pauses, and then no more", async (t) => {
  const { fleet, devices, imageHash } = await running(t, 30, [{ percent: 100, soakSeconds: 0 }]);
  const [device, ...others] = devices;
  assert.ok(device);
  for (const other of others) await other.updates("1.1.0", imageHash);
  const state = async () => {
    const { items } = await fleet.api("GET", "/rollouts/1/devices?limit=1");
    return [items[0].state, items[0].reason];
  };
  for (const hours of [1, 6, 24]) {
    const actionId = await device.installs("1.1.0", imageHash);
    device.runs(old.version, old.imageHash);
    await device.poll();
    await device.feedback(actionId, "closed", "failure", silence);
    assert.deepEqual(await state(), ["no-link", "no-server"]);
    await fleet.wait(hours * 3600 - 1);
    assert.equal(await device.offered(), null);
    await fleet.wait(1);
    const offer = await device.request("GET", `deploymentBase/${await device.offered()}`);
    assert.match(offer.body, /retry/, "the device may take what it refused");
  }
  const last = await device.installs("1.1.0", imageHash);
  device.runs(old.version, old.imageHash);
  await device.feedback(last, "closed", "failure", silence);
  assert.deepEqual(await state(), ["rolled-back", "no-server"]);
  await fleet.wait(30 * 24 * 3600);
  assert.equal(await device.offered(), null);
  assert.notEqual((await fleet.api("GET", "/rollouts/1")).state, "halted", "one of thirty");
});

test("the counters of stages are those of their members, whatever happens", async (t) => {
  const { fleet, devices, imageHash } = await running(t, 12, [
    { percent: 30, soakSeconds: 0 },
    { percent: 100, soakSeconds: 3600 },
  ]);
  let seed = 7;
  const next = (count: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % count;
  };
  const words = [
    ["download", "none", "state=downloading"],
    ["proceeding", "none", "state=activating"],
    ["closed", "success", "state=confirmed"],
    ["closed", "failure", "reason=no-space"],
    ["closed", "failure", "state=rolledBack"],
    ["closed", "failure", "state=rolledBack", "reason=no-server"],
    ["canceled", "none"],
    ["rejected", "none"],
  ] as const;
  const gone = new Set<string>();
  for (let step = 0; step < 400; step += 1) {
    const device = devices[next(devices.length)];
    if (device === undefined || gone.has(device.id)) continue;
    const action = next(12);
    const offered = action < 8 ? await device.offered() : null;
    const [execution, finished, ...details] = words[next(words.length)] ?? words[0];
    if (offered !== null) await device.feedback(offered, execution, finished, details);
    else if (action === 8) device.runs("1.1.0", imageHash, next(2) === 0 ? "trial" : "confirmed");
    else if (action === 9) device.runs(old.version, old.imageHash);
    else if (action === 10) await fleet.wait(next(30_000));
    else if (next(40) === 0) {
      await fleet.api("DELETE", `/devices/${device.id}`);
      gone.add(device.id);
    } else
      await fleet.inject({
        method: "POST",
        url: `/api/v1/devices/${device.id}/cancel`,
        payload: { force: next(2) === 0 },
      });
    if (step % 20 === 0) await fleet.wait(1);
  }
  const { stages } = await fleet.api("GET", "/rollouts/1");
  const { items } = await fleet.api("GET", "/rollouts/1/devices");
  for (const { stage, counts } of stages) {
    const counted: Record<string, number> = Object.fromEntries(
      Object.keys(counts).map((state) => [state, 0]),
    );
    for (const item of items)
      if (item.stage === stage) counted[item.state] = (counted[item.state] ?? 0) + 1;
    assert.deepEqual(counts, counted, `stage ${stage}`);
  }
});

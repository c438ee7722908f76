import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

const oldHash = "0a".repeat(32);
const old = { version: "1.0.0", imageHash: oldHash };
const stages = [{ percent: 100, soakSeconds: 3600 }];

interface Scene {
  readonly fleet: TestFleet;
  readonly device: TestDevice;
  readonly imageHash: string;
}

/** One device on 1.0.0 and a running rollout of 1.1.0 to it, which one bad device halts. */
async function scene(context: TestContext, options: Partial<FleetOptions> = {}): Promise<Scene> {
  const fleet = await TestFleet.open(context, options);
  const device = await fleet.addDevice("lamp");
  device.runs(old.version, oldHash);
  await device.poll();
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const wanted = { name: "r", releaseVersion: "1.1.0", stages, start: true };
  await fleet.api("POST", "/rollouts", wanted);
  return { fleet, device, imageHash };
}

/** The state of the rollout, and how many members are in each state where there are any. */
async function standing(fleet: TestFleet): Promise<Record<string, unknown>> {
  const { state, outcomes, stages: rows } = await fleet.api("GET", "/rollouts/1");
  const counts = Object.entries(rows[0].counts).filter(([, count]) => count !== 0);
  return { state, outcomes, ...Object.fromEntries(counts) };
}

/**
 * The server stops while a device tries an image, and is there again when the device is back on the
 * old one.
 */
async function stoppedInTrial(t: TestContext) {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const { fleet, device, imageHash } = await scene(t, { databaseFile });
  const actionId = await device.installs("1.1.0", imageHash);
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile }, 600);
  const back = device.on(again);
  back.runs(old.version, oldHash);
  return { again, back, actionId, imageHash };
}

const noServer = ["state=rolledBack", "reason=no-server"];

test("a device that missed a stopped server does not speak against the release, and tries again", async (t) => {
  const { again, back, actionId, imageHash } = await stoppedInTrial(t);
  await back.poll();
  assert.equal((await standing(again))["no-server"], 1, "by the running image alone");
  assert.equal(await back.feedback(actionId, "closed", "failure", noServer), 200);
  assert.deepEqual(await standing(again), {
    state: "running",
    outcomes: [{ state: "no-server", reason: "no-server", count: 1 }],
    "no-server": 1,
  });
  assert.equal(await back.offered(), null, "not at once");
  await again.wait(3600);
  const { deploymentBase } = await back.poll();
  const offer = (await back.request("GET", deploymentBase ?? "")).json();
  const { metadata } = offer.deployment.chunks[0];
  assert.deepEqual(
    metadata.filter(({ key }: { key: string }) => key === "sluice.retry"),
    [{ key: "sluice.retry", value: "true" }],
  );
  await back.updates("1.1.0", imageHash);
  assert.equal((await standing(again))["updated"], 1);
});

test("the crash of a device while the server was away still speaks against the release", async (t) => {
  const { again, back, actionId } = await stoppedInTrial(t);
  await back.feedback(actionId, "closed", "failure", ["state=rolledBack", "reason=crashed"]);
  assert.deepEqual(await standing(again), {
    state: "halted",
    outcomes: [{ state: "rolled-back", reason: "crashed", count: 1 }],
    "rolled-back": 1,
  });
});

test("a device that did not find a server which was there counts apart, by a limit of its own", async (t) => {
  const { fleet, device, imageHash } = await scene(t);
  await fleet.wait(3600);
  const actionId = await device.installs("1.1.0", imageHash);
  device.runs(old.version, oldHash);
  await device.feedback(actionId, "closed", "failure", noServer);
  const now = await standing(fleet);
  assert.deepEqual([now["state"], now["no-link"]], ["halted", 1]);
});

test("an outage before the device began excuses nothing", async (t) => {
  const { fleet, device, imageHash } = await scene(t, { ticksEveryMs: 1000 });
  await fleet.wait(1);
  await fleet.wait(300);
  await fleet.wait(1);
  const actionId = await device.installs("1.1.0", imageHash);
  await fleet.wait(1);
  device.runs(old.version, oldHash);
  await device.feedback(actionId, "closed", "failure", noServer);
  assert.equal((await standing(fleet))["state"], "halted");
});

test("a server that ticks late was late with everything", async (t) => {
  const { fleet, device, imageHash } = await scene(t, { ticksEveryMs: 1000 });
  await fleet.wait(1);
  const actionId = await device.installs("1.1.0", imageHash);
  await fleet.wait(300);
  device.runs(old.version, oldHash);
  await device.feedback(actionId, "closed", "failure", noServer);
  const now = await standing(fleet);
  assert.deepEqual([now["state"], now["no-server"]], ["running", 1]);
  const { items } = await fleet.api("GET", "/events?limit=500");
  const outages = items.filter(({ kind }: { kind: string }) => kind === "server-outage");
  assert.deepEqual(
    outages.map(({ details }: { details: { cause: string } }) => details.cause),
    ["late"],
  );
});

async function updated(context: TestContext): Promise<Scene & { readonly actionId: number }> {
  const made = await scene(context);
  const { device, imageHash } = made;
  const actionId = await device.installs("1.1.0", imageHash);
  device.runs("1.1.0", imageHash);
  assert.equal(await device.feedback(actionId, "closed", "success", ["state=confirmed"]), 200);
  return { ...made, actionId };
}

const late = ["state=rolledBack", "reason=late-rollback:leak"];

test("a late rollback takes the device out of updated, halts, and is refused until cleared", async (t) => {
  const { fleet, device, imageHash, actionId } = await updated(t);
  assert.equal((await standing(fleet))["updated"], 1);
  device.runs(old.version, oldHash);
  assert.equal(await device.feedback(actionId, "closed", "failure", late), 200);
  assert.deepEqual(await standing(fleet), {
    state: "halted",
    outcomes: [{ state: "rolled-back", reason: "late-rollback:leak", count: 1 }],
    "rolled-back": 1,
  });
  const shown = await fleet.api("GET", "/devices/lamp");
  assert.deepEqual([shown.state, shown.reason], ["rolled-back", "late-rollback:leak"]);
  assert.deepEqual(
    shown.refusals.map(({ reason }: { reason: string }) => reason),
    ["late-rollback:leak"],
  );
  assert.equal(await device.feedback(actionId, "closed", "failure", late), 410, "only once");

  const definition = { haltThreshold: { rolledBackShare: 1 } };
  await fleet.api("POST", "/rollouts/1/resume", definition);
  assert.equal(await device.offered(), null);
  await fleet.api("DELETE", "/devices/lamp/refusals/1.1.0");
  await device.updates("1.1.0", imageHash);
  assert.equal((await standing(fleet))["updated"], 1);
});

test("a late rollback counts although nothing but the running image tells of it", async (t) => {
  const { fleet, device } = await updated(t);
  device.runs(old.version, oldHash);
  await device.poll();
  assert.equal((await standing(fleet))["state"], "halted");
});

test("no report of a late rollback is believed while the release runs", async (t) => {
  const { fleet, device, actionId } = await updated(t);
  assert.equal(await device.feedback(actionId, "closed", "failure", late), 410);
  const other = ["state=rolledBack", "reason=crashed"];
  assert.equal(await device.feedback(actionId, "closed", "failure", other), 410);
  assert.equal((await standing(fleet))["updated"], 1);
});

const stuck = ["state=confirmed", "reason=rollback-impossible: counter"];

test("a device that cannot go back is not updated, speaks against the release and says so once", async (t) => {
  const { fleet, device, actionId } = await updated(t);
  assert.equal(await device.feedback(actionId, "closed", "failure", stuck), 200);
  assert.equal(await device.feedback(actionId, "closed", "failure", stuck), 410);
  await device.poll();
  assert.deepEqual(await standing(fleet), {
    state: "halted",
    outcomes: [{ state: "stuck", reason: "rollback-impossible: counter", count: 1 }],
    stuck: 1,
  });
  assert.equal((await fleet.api("GET", "/devices/lamp")).state, "stuck");
  assert.deepEqual(await fleet.api("POST", "/rollouts/1/clear", {}), {
    devices: ["lamp"],
    more: false,
  });
  assert.equal((await standing(fleet))["updated"], 1);
});

test("an operator reads in the terminal what was counted apart, and why", async (t) => {
  const { rolloutText } = await import("../../../../hosts/cli/rollout/show.ts");
  const { fleet, device, actionId } = await updated(t);
  const before = rolloutText(await fleet.api("GET", "/rollouts/1"));
  assert.doesNotMatch(before, /STUCK|NO SERVER/);
  await device.feedback(actionId, "closed", "failure", stuck);
  const text = rolloutText(await fleet.api("GET", "/rollouts/1"));
  assert.match(text, / STUCK\n/);
  assert.match(text, /^1 stuck: rollback-impossible: counter$/m);
  for (const line of text.split("\n").slice(2)) assert.ok(line.length <= 80, line);
});

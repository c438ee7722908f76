// Every open action has a time, a rule and a command that ends it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

const day = 24 * 3600;

const stragglers = { allowedShare: 0.1, afterSeconds: 3600 };

/** 18 of 20 took 1.1.0, one was offered it, one was never on line; the rollout is finished. */
async function finished(t: TestContext) {
  const { fleet, devices } = await fleetOf(t, 20);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { stragglers });
  for (const device of devices.slice(0, 18)) await device.updates("1.1.0", imageHash);
  const [offered, waiting] = devices.slice(18);
  assert.ok(offered && waiting);
  await offered.offered();
  await fleet.wait(3601);
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "finished");
  return { fleet, devices, imageHash, offered, waiting };
}

test("a finished rollout still serves its stragglers, and nobody who comes then", async (t) => {
  const { fleet, waiting } = await finished(t);
  assert.notEqual(await waiting.offered(), null);
  const late = await fleet.addDevice("late");
  late.runs(old.version, old.imageHash);
  assert.equal(await late.offered(), null);
});

test("a finished rollout halts when its devices go back, and its offers end", async (t) => {
  const { fleet, devices, offered } = await finished(t);
  for (const device of devices.slice(0, 18)) {
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  const rollout = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([rollout.state, rollout.halt.reason], ["halted", "rolled-back-share"]);
  assert.equal(await offered.offered(), null);
});

for (const [command, state] of [
  ["pause", "paused"],
  ["cancel", "cancelled"],
] as const)
  test(`an operator can ${command} a finished rollout`, async (t) => {
    const { fleet, offered, waiting } = await finished(t);
    assert.equal((await fleet.api("POST", `/rollouts/1/${command}`)).state, state);
    assert.equal(await waiting.offered(), null);
    assert.equal(await offered.offered(), null);
  });

test("a newer release replaces an offer that has not begun, also one that is being cancelled", async (t) => {
  const { fleet, devices } = await fleetOf(t, 3);
  const [idle, cancelled, begun] = devices;
  assert.ok(idle && cancelled && begun);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  for (const device of devices) await device.offered();
  await begun.feedback((await begun.offered()) ?? 0, "download", "none", ["state=downloading"]);
  await fleet.api("POST", `/devices/${cancelled.id}/cancel`, {});
  assert.notEqual((await cancelled.poll())["cancelAction"], undefined);
  const before = await begun.offered();
  await fleet.publish({ version: "1.2.0", fill: 1 });
  await rollOut(fleet, "1.2.0");
  for (const device of [idle, cancelled]) {
    const offer = await device.request("GET", `deploymentBase/${await device.offered()}`);
    assert.equal(offer.json().deployment.chunks[0].version, "1.2.0", device.id);
    assert.deepEqual(await memberOf(fleet, 2, device.id), ["offered", null]);
  }
  assert.equal(await begun.offered(), before, "what has begun goes on");
});

test("a cancellation that is never answered ends by itself, and the device is free", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { cancelSeconds: 600 });
  const actionId = (await device.offered()) ?? 0;
  await device.feedback(actionId, "download", "none", ["state=downloading"]);
  await fleet.api("POST", "/rollouts/1/cancel");
  await device.poll(); // from here on it was asked
  await fleet.publish({ version: "1.2.0", fill: 1 });
  await rollOut(fleet, "1.2.0");
  await fleet.wait(599);
  assert.notEqual((await device.poll())["cancelAction"], undefined);
  await fleet.wait(1);
  assert.notEqual(await device.offered(), null);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["withdrawn", null]);
  assert.equal(await device.feedback(actionId, "closed", "success"), 410);
});

for (const execution of ["closed", "canceled"])
  test(`a cancellation is answered by "${execution}" too`, async (t) => {
    const { fleet, devices } = await fleetOf(t, 1);
    const [device] = devices;
    assert.ok(device);
    await fleet.publish({ version: "1.1.0" });
    await rollOut(fleet, "1.1.0");
    const actionId = await device.offered();
    await fleet.api("POST", "/rollouts/1/cancel");
    await device.poll();
    const body = { status: { execution, result: { finished: "success" }, details: [] } };
    const answer = await device.request("POST", `cancelAction/${actionId}/feedback`, { body });
    assert.equal(answer.statusCode, 200);
    assert.equal((await device.poll())["cancelAction"], undefined);
  });

test("a device that proves that it runs something newer is done with what it was to cancel", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  await device.offered();
  await fleet.api("POST", "/rollouts/1/cancel");
  assert.notEqual((await device.poll())["cancelAction"], undefined);
  device.runs("1.2.0", "c".repeat(64));
  assert.equal((await device.poll())["cancelAction"], undefined);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["excluded", "older-version"]);
});

test("a device that turns out to be other hardware loses its offer and its download", async (t) => {
  const fleet = await TestFleet.open(t);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const named = await fleet.addDevice("named");
  await rollOut(fleet, "1.1.0");
  const actionId = (await named.offered()) ?? 0;
  const offer = await named.request("GET", `deploymentBase/${actionId}`);
  const { href } = offer.json().deployment.chunks[0].artifacts[0]._links["download-http"];
  const file = new URL(href).pathname;
  assert.equal((await named.request("HEAD", file)).statusCode, 200);
  await named.feedback(actionId, "download", "none", ["state=downloading"]);
  await fleet.api("DELETE", "/devices/named");
  assert.notEqual(imageHash, "");

  // By its own word: nobody else said what it is.
  const gateway = { authorization: "GatewayToken gateway-token", host: "fleet.test" };
  const ask = (method: "GET" | "PUT" | "HEAD", path: string, data?: object) =>
    fleet.inject({
      method,
      url: path.startsWith("/") ? path : `/DEFAULT/controller/v1/told${path && `/${path}`}`,
      headers: { ...gateway, ...(data && { "content-type": "application/json" }) },
      ...(data && { payload: { mode: "merge", data } }),
    });
  await ask("GET", "");
  await ask("PUT", "configData", { hardware: "esp32c3-b" });
  const id = /deploymentBase\/(\d+)/.exec((await ask("GET", "")).body)?.[1];
  const told = (await ask("GET", `deploymentBase/${id}`)).json();
  const place = new URL(told.deployment.chunks[0].artifacts[0]._links["download-http"].href);
  assert.equal((await ask("HEAD", place.pathname)).statusCode, 200);
  await ask("PUT", "configData", { hardware: "esp32c6-a" });
  assert.doesNotMatch((await ask("GET", "")).body, /deploymentBase|cancelAction/);
  assert.equal((await ask("HEAD", place.pathname)).statusCode, 404);
  assert.deepEqual(await memberOf(fleet, 1, "told"), ["excluded", "other-hardware"]);
});

test("an action of which nothing is heard is taken back, and offered again", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const [silent, talks] = devices;
  assert.ok(silent && talks);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { actionSeconds: 3600 });
  const [first, other] = [(await silent.offered()) ?? 0, (await talks.offered()) ?? 0];
  for (const [device, id] of [
    [silent, first],
    [talks, other],
  ] as const)
    await device.feedback(id, "download", "none", ["state=downloading"]);
  await fleet.wait(3000);
  await talks.feedback(other, "proceeding", "none", ["state=downloading"]);
  await fleet.wait(600);
  assert.deepEqual(await memberOf(fleet, 1, silent.id), ["withdrawn", "silent-after-working"]);
  assert.deepEqual((await memberOf(fleet, 1, talks.id))?.[0], "working");
  const again = await silent.offered();
  assert.notEqual(again, null);
  assert.notEqual(again, first);
  assert.equal(await talks.offered(), other);
});

test("an activation that nothing ever proves leaves no action open", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { haltThreshold: { rolledBackShare: 1 } });
  const actionId = (await device.offered()) ?? 0;
  await device.feedback(actionId, "proceeding", "none", ["state=activating"]);
  await fleet.wait(day);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["unproven", "silent-after-activating"]);
  await fleet.wait(14 * day);
  const { actions } = await fleet.api("GET", `/devices/${device.id}`);
  assert.equal(actions[0].status, "failed");
  await fleet.publish({ version: "1.2.0", fill: 1 });
  await rollOut(fleet, "1.2.0");
  assert.notEqual(await device.offered(), null);
});

for (const [how, status] of [
  ["takes the release", "finished"],
  ["goes back", "failed"],
] as const)
  test(`an action whose device ${how} and never reports so is open for its time only`, async (t) => {
    const { fleet, devices } = await fleetOf(t, 1);
    const [device] = devices;
    assert.ok(device);
    const imageHash = await fleet.publish({ version: "1.1.0" });
    await rollOut(fleet, "1.1.0");
    const id = await device.installs("1.1.0", imageHash);
    if (status === "finished") device.runs("1.1.0", imageHash);
    else device.runs(old.version, old.imageHash);
    await device.poll();
    const statusNow = async (): Promise<string> =>
      (await fleet.api("GET", `/devices/${device.id}`)).actions[0].status;
    await fleet.wait(14 * day - 2);
    assert.equal(await statusNow(), "open");
    await fleet.wait(3);
    assert.equal(await statusNow(), status);
    assert.equal(await device.feedback(id, "closed", "failure", ["state=failed"]), 410);
    assert.equal(await device.offered(), null);
  });

test("a device that is through and said so comes due no more", async (t) => {
  const folder = temporaryFolder(t);
  const databaseFile = join(folder, "fleet.sqlite");
  const { fleet, devices } = await fleetOf(t, 1, { databaseFile });
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  const dueNow = (): unknown => {
    const database = new DatabaseSync(databaseFile, { readOnly: true });
    const row = database.prepare("select proof_due_at as due from rollout_members").get();
    database.close();
    return row?.["due"];
  };
  const id = await devices[0]?.installs("1.1.0", imageHash);
  devices[0]?.runs("1.1.0", imageHash);
  await devices[0]?.poll();
  assert.notEqual(dueNow(), null);
  await devices[0]?.feedback(id ?? 0, "closed", "success", ["state=confirmed"]);
  assert.equal(dueNow(), null);
});

test("an action of before that nothing ever proved ends under this server", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile });
  const before = await fleet.addDevice("lamp");
  before.runs(old.version, old.imageHash);
  await before.poll();
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { haltThreshold: { rolledBackShare: 1 } });
  const id = (await before.offered()) ?? 0;
  await before.feedback(id, "proceeding", "none", ["state=activating"]);
  await fleet.wait(day);
  await fleet.server.close();
  const database = new DatabaseSync(databaseFile);
  database.exec("update rollout_members set proof_due_at = null");
  database.close();
  const again = await TestFleet.open(t, { databaseFile }, day);
  await again.wait(14 * day);
  const { actions } = await again.api("GET", "/devices/lamp");
  assert.equal(actions[0].status, "failed");
});

test("an operator takes back what one device is to do, and its rollout offers it no more", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const [asked, forced] = devices;
  assert.ok(asked && forced);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  const actionId = await asked.offered();
  await forced.offered();
  const cancel = (id: string, force: boolean) =>
    fleet.api("POST", `/devices/${id}/cancel`, { force });
  assert.deepEqual(await cancel(forced.id, true), { status: "canceled" });
  assert.deepEqual(await cancel(asked.id, false), { status: "canceling" });
  assert.notEqual((await asked.poll())["cancelAction"], undefined);
  const body = { status: { execution: "closed", result: { finished: "success" } } };
  await asked.request("POST", `cancelAction/${actionId}/feedback`, { body });
  for (const device of devices) {
    const { configData: _, counters: __, ...links } = await device.poll();
    assert.deepEqual(links, {});
    assert.deepEqual(await memberOf(fleet, 1, device.id), ["excluded", "taken-back"]);
  }
  const nothing = await fleet.inject({
    method: "POST",
    url: `/api/v1/devices/${forced.id}/cancel`,
  });
  assert.equal(nothing.statusCode, 409);
  await fleet.api("DELETE", `/devices/${forced.id}/refusals/1.1.0`);
  assert.notEqual(await forced.offered(), null, "an operator brings it in again");
});

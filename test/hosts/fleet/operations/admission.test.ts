import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, rollOut } from "./rollout-scene.ts";

const minuteMs = 60_000;

interface Answer {
  readonly offered: boolean;
  readonly sleepSeconds: number;
}

async function poll(device: TestDevice): Promise<Answer> {
  const answer = await device.request("GET", "");
  assert.equal(answer.statusCode, 200, answer.body);
  const { config, _links: links = {} } = answer.json();
  const [hours = 0, minutes = 0, seconds = 0] = config.polling.sleep.split(":").map(Number);
  return {
    offered: links.deploymentBase !== undefined,
    sleepSeconds: hours * 3600 + minutes * 60 + seconds,
  };
}

/** Polls of each device at the times that it is told, until all were offered something. */
async function everybodyComes(fleet: TestFleet, devices: readonly TestDevice[]) {
  const startMs = fleet.nowUnixMs;
  const due = devices.map((device, index) => {
    const arrivedMs = Math.floor((index * minuteMs) / devices.length);
    return { device, arrivedMs, atMs: arrivedMs };
  });
  const offers: { arrivedMs: number; offeredMs: number }[] = [];
  for (let polls = 0; due.length > 0; polls += 1) {
    assert.ok(polls < 10 * devices.length, "the line ends");
    due.sort((a, b) => b.atMs - a.atMs);
    const next = due.pop();
    assert.ok(next);
    fleet.nowUnixMs = startMs + next.atMs;
    const { offered, sleepSeconds } = await poll(next.device);
    if (offered) offers.push({ arrivedMs: next.arrivedMs, offeredMs: next.atMs });
    else due.push({ ...next, atMs: next.atMs + sleepSeconds * 1000 });
  }
  return offers.sort((a, b) => a.arrivedMs - b.arrivedMs);
}

function mostInAMinute(offers: readonly { readonly offeredMs: number }[]): number {
  const times = offers.map(({ offeredMs }) => offeredMs);
  return Math.max(
    ...times.map((end) => times.filter((at) => at > end - minuteMs && at <= end).length),
  );
}

test("devices that wake together are offered a release one after the other, at the rate", async (t) => {
  const { fleet, devices } = await fleetOf(t, 120);
  await fleet.publish({ version: "2.0.0" });
  await rollOut(fleet, "2.0.0", { approved: true, rate: { offersPerMinute: 10 } });
  const offers = await everybodyComes(fleet, devices);
  assert.ok(mostInAMinute(offers) <= 10);
  for (const [ahead, { arrivedMs, offeredMs }] of offers.entries())
    assert.ok(offeredMs - arrivedMs <= (Math.floor(ahead / 10) + 1) * 72_000, `number ${ahead}`);
  assert.equal((await fleet.api("GET", "/admission")).waiting, 0);
});

test("a device that waits for its turn costs no write", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const { fleet, devices } = await fleetOf(t, 3, { databaseFile });
  await fleet.publish({ version: "2.0.0" });
  await rollOut(fleet, "2.0.0", { approved: true, rate: { offersPerMinute: 1 } });
  for (const device of devices) await poll(device);
  const looking = new DatabaseSync(databaseFile, { readOnly: true });
  t.after(() => looking.close());
  const version = () => looking.prepare("pragma data_version").get();
  const before = version();
  for (let polls = 0; polls < 20; polls += 1)
    assert.equal((await poll(devices[2] as TestDevice)).offered, false);
  assert.deepEqual(version(), before);
});

test("a minute that was full before a restart is full after it", async (t) => {
  const folder = temporaryFolder(t);
  const options = { databaseFile: join(folder, "f.sqlite"), artifactsFolder: join(folder, "a") };
  const { fleet, devices } = await fleetOf(t, 4, options);
  await fleet.publish({ version: "2.0.0" });
  await fleet.api("PATCH", "/admission", { offersPerMinute: 2 });
  await rollOut(fleet, "2.0.0", { approved: true });
  const offeredOn = async (server: TestFleet): Promise<number> => {
    let count = 0;
    for (const device of devices) if ((await poll(device.on(server))).offered) count += 1;
    return count;
  };
  assert.equal(await offeredOn(fleet), 2);
  await fleet.server.close();
  const again = await TestFleet.open(t, options, 10);
  assert.equal(await offeredOn(again), 2, "the two of before, whose links stay");
  again.nowUnixMs += 62_000;
  assert.equal(await offeredOn(again), 4);
});

test("while as many devices download as may, the next one is told to come, and of no file", async (t) => {
  const { fleet, devices } = await fleetOf(t, 3);
  const imageHash = await fleet.publish({ version: "2.0.0" });
  await fleet.api("PATCH", "/admission", { downloads: 1 });
  const { id } = await rollOut(fleet, "2.0.0", { approved: true });
  const [first, second, third] = devices as [TestDevice, TestDevice, TestDevice];
  assert.equal((await poll(first)).offered, true);
  const told = await poll(second);
  assert.equal(told.offered, false);
  assert.ok(told.sleepSeconds >= 1 && told.sleepSeconds <= 300, `${told.sleepSeconds} s`);
  assert.deepEqual(await memberOf(fleet, id, second.id), ["waiting", null]);
  const { limits, waiting } = await fleet.api("GET", "/admission");
  assert.equal(limits[0].downloading, 1);
  assert.equal(waiting, 1);
  await first.installs("2.0.0", imageHash);
  assert.equal((await poll(third)).offered, false, "the second was here before");
  assert.equal((await poll(second)).offered, true);
});

test("an artifact that was sent to its end frees the slot of its device", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  await fleet.publish({ version: "2.0.0" });
  await fleet.api("PATCH", "/admission", { downloads: 1, bytesPerSecond: 1_000_000 });
  await rollOut(fleet, "2.0.0", { approved: true });
  const [first, second] = devices as [TestDevice, TestDevice];
  const { deploymentBase } = await first.poll();
  const { deployment } = (await first.request("GET", deploymentBase ?? "")).json();
  const { href } = deployment.chunks[0].artifacts[0]._links.download;
  const path = href.replace(/^http:\/\/[^/]+/, "");
  const size = deployment.chunks[0].artifacts[0].size as number;
  const half = await first.request("GET", path, { headers: { range: "bytes=0-1999" } });
  assert.equal(half.rawPayload.length, 2000);
  assert.equal((await poll(second)).offered, false);
  const rest = await first.request("GET", path, { headers: { range: "bytes=2000-" } });
  assert.equal(half.rawPayload.length + rest.rawPayload.length, size);
  assert.equal((await poll(second)).offered, true);
});

test("a device that lost its slot asks again for its file, and is sent for it in its turn", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  await fleet.publish({ version: "2.0.0" });
  await fleet.api("PATCH", "/admission", { downloads: 1 });
  const { id } = await rollOut(fleet, "2.0.0", { approved: true });
  const [lost, other] = devices as [TestDevice, TestDevice];
  const { deploymentBase } = await lost.poll();
  const { deployment } = (await lost.request("GET", deploymentBase ?? "")).json();
  const { href } = deployment.chunks[0].artifacts[0]._links.download;
  const path = href.replace(/^http:\/\/[^/]+/, "");
  await fleet.wait(300);
  assert.equal((await poll(other)).offered, true);
  const refused = await lost.request("GET", path);
  assert.equal(refused.statusCode, 503);
  assert.ok(Number(refused.headers["retry-after"]) >= 1);
  assert.deepEqual(await memberOf(fleet, id, lost.id), ["offered", null]);
  assert.equal((await poll(lost)).offered, false);
  await fleet.wait(301);
  assert.equal((await poll(lost)).offered, true);
  assert.equal((await lost.request("GET", path)).statusCode, 200);
});

test("a paused rollout keeps nobody in line, and a limit that goes lets everybody go", async (t) => {
  const { fleet, devices } = await fleetOf(t, 5);
  await fleet.publish({ version: "2.0.0" });
  await fleet.api("PATCH", "/admission", { offersPerMinute: 1 });
  const { id } = await rollOut(fleet, "2.0.0", { approved: true });
  for (const device of devices) await poll(device);
  assert.equal((await fleet.api("GET", "/admission")).waiting, 4);
  await fleet.api("POST", `/rollouts/${id}/pause`);
  for (const device of devices) assert.equal((await poll(device)).sleepSeconds, 300);
  assert.equal((await fleet.api("GET", "/admission")).waiting, 0);
  await fleet.api("POST", `/rollouts/${id}/resume`);
  await fleet.api("PATCH", "/admission", { offersPerMinute: null });
  for (const device of devices) assert.equal((await poll(device)).offered, true);
});

test("the rate grows while the rollout offers, and begins anew after a pause", async (t) => {
  const { fleet, devices } = await fleetOf(t, 30);
  await fleet.publish({ version: "2.0.0" });
  const rate = { offersPerMinute: 2, growthPerHour: 2, offersPerMinuteMax: 100 };
  const { id } = await rollOut(fleet, "2.0.0", { approved: true, rate });
  const offersNow = async (): Promise<number> => {
    let count = 0;
    for (const device of devices) {
      const before = await memberOf(fleet, id, device.id);
      if (before?.[0] === "waiting" && (await poll(device)).offered) count += 1;
    }
    return count;
  };
  await fleet.wait(0);
  assert.equal(await offersNow(), 2);
  await fleet.wait(3600);
  assert.equal(await offersNow(), 4);
  await fleet.api("POST", `/rollouts/${id}/pause`);
  await fleet.wait(3600);
  await fleet.api("POST", `/rollouts/${id}/resume`);
  await fleet.wait(0);
  assert.equal(await offersNow(), 2);
});

test("a rate that cannot be is refused with what may be", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  await fleet.publish({ version: "2.0.0" });
  const refused = async (rate: object): Promise<number> => {
    const payload = { name: "n", releaseVersion: "2.0.0", approved: true, rate };
    return (await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload })).statusCode;
  };
  assert.equal(await refused({ offersPerMinute: 0 }), 400);
  assert.equal(await refused({ offersPerMinute: 10, growthPerHour: 0.5 }), 400);
  assert.equal(await refused({ offersPerMinute: 10, offersPerMinuteMax: 5 }), 422);
});

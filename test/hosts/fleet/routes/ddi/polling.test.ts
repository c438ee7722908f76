import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { sleepText } from "../../../../../hosts/fleet/routes/ddi/poll.ts";
import { TestFleet } from "../../test-fleet.ts";

const imageHash = "0a".repeat(32);

test("writes nothing for idle polls, and a batch of last contacts later", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-idle-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const databaseFile = join(folder, "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile });
  const observer = new DatabaseSync(databaseFile, { readOnly: true });
  t.after(() => observer.close());
  /** Changes with every commit of another connection. */
  const version = (): unknown => observer.prepare("pragma data_version").get()?.["data_version"];
  const devices = await fleet.addDevices(10);
  for (const device of devices) device.runs("1.0.0", imageHash);
  for (const device of devices) await device.poll();
  const before = version();
  for (let round = 0; round < 20; round++) {
    fleet.nowUnixMs += 300_000;
    for (const device of devices) await device.poll();
  }
  assert.equal(version(), before);
  await fleet.server.tick();
  assert.notEqual(version(), before);
  const row = observer.prepare("select min(last_seen_at) as seen from devices").get();
  assert.equal(row?.["seen"], fleet.nowUnixMs);
});

test("shows a contact at once that is not on the disk yet", async (t) => {
  const fleet = await TestFleet.open(t);
  const [device] = await fleet.addDevices(1);
  await device?.poll();
  fleet.nowUnixMs += 1000;
  await device?.poll();
  const { items } = await fleet.api("GET", "/devices");
  assert.equal(items[0].lastSeenAtUnixMs, fleet.nowUnixMs);
});

test("keeps what a device told across a restart of the server", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-restart-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const options = {
    databaseFile: join(folder, "fleet.sqlite"),
    artifactsFolder: join(folder, "artifacts"),
  };
  const first = await TestFleet.open(t, options);
  const device = await first.addDevice("lamp");
  device.runs("1.0.0", imageHash);
  await device.poll();
  await first.publish({ version: "1.1.0" });
  await first.api("POST", "/rollouts", { name: "r", releaseVersion: "1.1.0", start: true });
  const actionId = await device.offered();
  first.nowUnixMs += 1000;
  await device.poll();
  await first.server.close();

  const second = await TestFleet.open(t, options);
  const shown = await second.api("GET", "/devices/lamp");
  assert.equal(shown.lastSeenAtUnixMs, first.nowUnixMs);
  assert.deepEqual(shown.running, { version: "1.0.0", imageHash, confirmed: true });
  assert.equal(await device.on(second).offered(), actionId);
});

test("answers a device on trial with 200, whatever ETag it has: that is its heartbeat", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  device.runs("1.0.0", imageHash);
  const { etag = "" } = (await device.request("GET", "")).headers;
  const poll = async () =>
    (await device.request("GET", "", { headers: { "if-none-match": etag } })).statusCode;
  assert.equal(await poll(), 304);
  device.runs("1.0.0", imageHash, "trial");
  assert.equal(await poll(), 200);
});

test("serves a device whose Sluice-Running is malformed, and notes it once", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  for (const running of [
    "nonsense",
    "1.0;aa;confirmed",
    `1.0.0;${"A".repeat(64)};confirmed`,
    ";;",
  ]) {
    device.running = running;
    await device.poll();
    await device.poll();
  }
  const { items } = await fleet.api("GET", "/events?device=lamp");
  const noted = items.filter(({ kind }: { kind: string }) => kind === "running-header-malformed");
  assert.equal(noted.length, 4);
  assert.equal((await fleet.api("GET", "/devices/lamp")).running, null);
});

test("takes the tenant in any case and writes it in upper case", async (t) => {
  const fleet = await TestFleet.open(t, { tenant: "Plant-1" });
  const { token } = await fleet.api("POST", "/devices", { id: "lamp", hardware: "esp32c3-b" });
  const headers = { host: "fleet.test", authorization: `TargetToken ${token}` };
  for (const tenant of ["plant-1", "PLANT-1", "Plant-1"]) {
    const answer = await fleet.inject({
      method: "GET",
      url: `/${tenant}/controller/v1/lamp`,
      headers,
    });
    const { href } = answer.json()._links.configData;
    assert.equal(href, "http://fleet.test/PLANT-1/controller/v1/lamp/configData");
  }
  const other = await fleet.inject({ method: "GET", url: "/default/controller/v1/lamp", headers });
  assert.equal(other.statusCode, 401);
});

test("links to the external address when it has one", async (t) => {
  const fleet = await TestFleet.open(t, { externalUrl: "https://ota.example/fleet/" });
  const device = await fleet.addDevice("lamp");
  const { href } = (await device.request("GET", "")).json()._links.configData;
  assert.equal(href, "https://ota.example/fleet/DEFAULT/controller/v1/lamp/configData");
});

test("tells the poll interval in exactly eight characters", () => {
  assert.equal(sleepText(1), "00:00:01");
  assert.equal(sleepText(300), "00:05:00");
  assert.equal(sleepText(86_399), "23:59:59");
});

test("registers a device at a gateway's first poll, and learns its hardware from it", async (t) => {
  const fleet = await TestFleet.open(t);
  const headers = { host: "fleet.test", authorization: "GatewayToken gateway-token" };
  const url = "/default/controller/v1/kettle";
  assert.equal((await fleet.inject({ method: "GET", url, headers })).statusCode, 200);
  const put = (data: object) =>
    fleet.inject({ method: "PUT", url: `${url}/configData`, headers, payload: { data } });
  assert.equal((await put({ hardware: "esp32c3-a" })).statusCode, 200);
  const shown = await fleet.api("GET", "/devices/kettle");
  assert.equal(shown.hardware, "esp32c3-a");
  assert.deepEqual(shown.attributes, { hardware: "esp32c3-a" });
});

test("does not let a device change the hardware that an operator gave it", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  await device.request("PUT", "configData", { body: { data: { hardware: "esp32s3-x" } } });
  assert.equal((await fleet.api("GET", "/devices/lamp")).hardware, "esp32c3-b");
});

test("merges, replaces and removes attributes, up to their number", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  const put = async (mode: string, data: object) =>
    (await device.request("PUT", "configData", { body: { mode, data } })).statusCode;
  const attributes = async () => (await fleet.api("GET", "/devices/lamp")).attributes;
  assert.equal(await put("merge", { a: "1", b: "2" }), 200);
  assert.equal(await put("merge", { b: "3" }), 200);
  assert.deepEqual(await attributes(), { a: "1", b: "3" });
  assert.equal(await put("remove", { a: "" }), 200);
  assert.deepEqual(await attributes(), { b: "3" });
  assert.equal(await put("replace", { c: "4" }), 200);
  assert.deepEqual(await attributes(), { c: "4" });
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key-${index}`, ""]));
  assert.equal(await put("merge", many), 403);
  assert.deepEqual(await attributes(), { c: "4" });
  assert.equal(await put("replace", many), 200);
});

test("keeps each event of a device once", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  const post = async (...events: object[]) => {
    const answer = await device.request("POST", "events", { body: events });
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json();
  };
  const boot = { id: "b00t-1", type: "boot", atUptimeMs: 12, details: { reason: "power-on" } };
  assert.deepEqual(await post(boot), { accepted: 1, duplicates: 0 });
  assert.deepEqual(await post(boot, { id: "b00t-2", type: "trial-started" }), {
    accepted: 1,
    duplicates: 1,
  });
  const { items } = await fleet.api("GET", "/events?device=lamp");
  const kinds = items.map(({ kind }: { kind: string }) => kind);
  assert.deepEqual(kinds, ["device-registered", "device.boot", "device.trial-started"]);
  assert.deepEqual(items[1].details, { atUptimeMs: 12, reason: "power-on" });
});

test("an event of one device is none of another", async (t) => {
  const fleet = await TestFleet.open(t);
  for (const device of await fleet.addDevices(2)) {
    const answer = await device.request("POST", "events", { body: [{ id: "x-1", type: "boot" }] });
    assert.deepEqual(answer.json(), { accepted: 1, duplicates: 0 });
  }
});

test("takes what a device says that it installed as a note, not as the running image", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  const put = async () =>
    (await device.request("PUT", "installedBase", { body: { name: "app", version: "7" } }))
      .statusCode;
  assert.equal(await put(), 201);
  assert.equal(await put(), 200);
  assert.equal((await fleet.api("GET", "/devices/lamp")).running, null);
});

test("keeps paths within what Zephyr's client can hold", async (t) => {
  const fleet = await TestFleet.open(t);
  const hardware = "esp32c3-a-revision-of-32-letters";
  const id = "d".repeat(64);
  const device = await fleet.addDevice(id, hardware);
  await fleet.publish({ version: "255.255.65535+4294967295", hardware });
  await fleet.api("POST", "/rollouts", {
    name: "r",
    releaseVersion: "255.255.65535+4294967295",
    start: true,
  });
  const { deploymentBase = "" } = await device.poll();
  assert.ok(deploymentBase.slice(deploymentBase.indexOf("deploymentBase/")).length < 50);
  const { deployment } = (await device.request("GET", deploymentBase)).json();
  const { href } = deployment.chunks[0].artifacts[0]._links["download-http"];
  assert.match(href, /\/DEFAULT\/controller\/v1\//);
  assert.ok(new URL(href).pathname.length < 200, href);
});

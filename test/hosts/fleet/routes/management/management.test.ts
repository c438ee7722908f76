import assert from "node:assert/strict";
import { test } from "node:test";
import { createFleet } from "../../../../../hosts/fleet/app.ts";
import type { FleetOptions } from "../../../../../hosts/fleet/options.ts";
import { testSigner } from "../../../../support/image-signer.ts";
import { publicKeyPem, TestFleet } from "../../test-fleet.ts";

test("asks for its admin token everywhere in the API, and nowhere on the page", async (t) => {
  const fleet = await TestFleet.open(t, { adminToken: "admin-token" });
  const status = async (url: string, authorization?: string) =>
    (
      await fleet.inject({
        method: "GET",
        url,
        headers: authorization === undefined ? {} : { authorization },
      })
    ).statusCode;
  for (const path of ["/releases", "/devices", "/rollouts", "/events", "/devices/x"]) {
    assert.equal(await status(`/api/v1${path}`), 401);
    assert.equal(await status(`/api/v1${path}`, "Bearer wrong-token"), 401);
    assert.equal(await status(`/api/v1${path}`, "Basic admin-token"), 401);
    assert.notEqual(await status(`/api/v1${path}`, "Bearer admin-token"), 401);
  }
  for (const url of ["/", "/page.js", "/page.css", "/openapi.json"])
    assert.equal(await status(url), 200);
});

test("tells a token once, and keeps only its digest", async (t) => {
  const fleet = await TestFleet.open(t);
  const added = await fleet.api("POST", "/devices", { id: "lamp", hardware: "esp32c3-b" });
  assert.match(added.token, /^[\w-]{32}$/);
  const shown = JSON.stringify(await fleet.api("GET", "/devices/lamp"));
  assert.ok(!shown.includes(added.token));
});

test("does not add a device twice", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevice("lamp");
  const payload = { id: "lamp", hardware: "esp32c3-b" };
  const answer = await fleet.inject({ method: "POST", url: "/api/v1/devices", payload });
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "device-exists"]);
  assert.match(answer.json().message, /with this id.*another id, or remove that one first/);
});

test("pages through devices in the order of their ids, with filters", async (t) => {
  const fleet = await TestFleet.open(t);
  const devices = await fleet.addDevices(5);
  await fleet.addDevice("other", "esp32c3-a");
  devices[3]?.runs("2.0.0", "0a".repeat(32));
  await devices[3]?.poll();
  const ids = async (query: string) => {
    const { items, next } = await fleet.api("GET", `/devices?${query}`);
    return [...items.map(({ id }: { id: string }) => id), next];
  };
  assert.deepEqual(await ids("limit=2"), ["device-0000", "device-0001", "device-0001"]);
  assert.deepEqual(await ids("limit=9&after=device-0003"), ["device-0004", "other", null]);
  assert.deepEqual(await ids("hardware=esp32c3-a"), ["other", null]);
  assert.deepEqual(await ids("version=2.0.0"), ["device-0003", null]);
  assert.deepEqual(await ids("state=idle"), ["device-0003", null]);
});

test("follows the stream of events with its cursor", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevices(3);
  const first = await fleet.api("GET", "/events?limit=2");
  assert.equal(first.items.length, 2);
  const rest = await fleet.api("GET", `/events?after=${first.next}`);
  assert.equal(rest.items.length, 1);
  assert.equal(rest.next, null);
});

const badRollouts: ReadonlyArray<readonly [string, object, number, string]> = [
  ["an unknown release", { releaseVersion: "9.9.9" }, 404, "unknown-release"],
  ["no name", { name: "" }, 400, "invalid-request"],
  ["stages that fall", { stages: [stage(50), stage(10)] }, 422, "policy-invalid"],
  ["no stage", { stages: [] }, 400, "invalid-request"],
  ["a stage of nothing", { stages: [stage(0)] }, 400, "invalid-request"],
  ["a stage of 101 percent", { stages: [stage(101)] }, 400, "invalid-request"],
  ["a share above one", { haltThreshold: { rolledBackShare: 5 } }, 400, "invalid-request"],
  ["a text for a number", { proofSeconds: "60" }, 400, "invalid-request"],
  ["a field that nobody knows", { speed: 1 }, 400, "invalid-request"],
  [
    "hardware that no image is for",
    { selector: { hardware: ["esp32s3-z"] } },
    409,
    "no-eligible-devices",
  ],
  ["devices that there are not", { selector: { devices: ["nobody"] } }, 409, "no-eligible-devices"],
];

function stage(percent: number): object {
  return { percent, soakSeconds: 0 };
}

test("refuses a rollout with", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevice("lamp");
  await fleet.publish({ version: "1.0.0" });
  for (const [name, wrong, status, error] of badRollouts)
    await t.test(name, async () => {
      const payload = { name: "r", releaseVersion: "1.0.0", ...wrong };
      const answer = await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
      assert.deepEqual([answer.statusCode, answer.json().error], [status, error], answer.body);
    });
});

test("resumes without a body", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevice("lamp");
  await fleet.publish({ version: "1.0.0" });
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.0.0", start: true });
  await fleet.api("POST", "/rollouts/1/pause");
  assert.equal((await fleet.api("POST", "/rollouts/1/resume")).state, "running");
});

test("lists the devices of a rollout by their state", async (t) => {
  const fleet = await TestFleet.open(t);
  const devices = await fleet.addDevices(4);
  await fleet.publish({ version: "1.0.0" });
  await fleet.api("POST", "/rollouts", {
    name: "r",
    releaseVersion: "1.0.0",
    stages: [stage(50), stage(100)],
    start: true,
  });
  for (const device of devices) await device.poll();
  const list = async (query: string) =>
    (await fleet.api("GET", `/rollouts/1/devices?${query}`)).items.length;
  assert.deepEqual(
    [await list("state=offered"), await list("state=waiting"), await list("")],
    [2, 2, 4],
  );
});

test("answers 404 with JSON for what it does not know", async (t) => {
  const fleet = await TestFleet.open(t);
  for (const url of [
    "/api/v1/devices/nobody",
    "/api/v1/releases/1.0.0",
    "/api/v1/rollouts/7",
    "/api/v1/rollouts/7/devices",
    "/api/v1/nothing",
    "/nothing",
  ]) {
    const answer = await fleet.inject({ method: "GET", url });
    assert.equal(answer.statusCode, 404);
    assert.ok(answer.json().message, url);
  }
});

test("the page loads nothing from elsewhere", async (t) => {
  const fleet = await TestFleet.open(t);
  const html = await fleet.inject({ method: "GET", url: "/" });
  assert.match(String(html.headers["content-security-policy"]), /default-src 'none'/);
  assert.ok(!/https?:\/\//.test(html.body));
});

const badOptions: ReadonlyArray<readonly [Partial<FleetOptions>, RegExp]> = [
  [{ pollSeconds: 0 }, /poll seconds of 0/],
  [{ pollSeconds: 86_400 }, /1 to 86399/],
  [{ tenant: "a tenant" }, /tenant "a tenant"/],
  [{ adminToken: "short" }, /admin token of 5 characters/],
  [{ gatewayToken: "with a space" }, /gateway token/],
  [{ imageKeys: [publicKeyPem(testSigner(1)), "no key"] }, /image key 2/],
  [{ externalUrl: "ota.example" }, /external URL "ota.example"/],
];

test("refuses options that it cannot start with", async () => {
  for (const [options, says] of badOptions)
    await assert.rejects(
      createFleet({
        databaseFile: ":memory:",
        artifactsFolder: "/nowhere",
        clock: { unixMs: () => 0 },
        ...options,
      }),
      says,
    );
});

test("tells whole milliseconds, whatever the clock has", async (t) => {
  const fleet = await TestFleet.open(t);
  fleet.nowUnixMs += 0.75;
  const device = await fleet.addDevice("lamp");
  await device.poll();
  const { items } = await fleet.api("GET", "/devices");
  assert.equal(items[0].lastSeenAtUnixMs, Math.floor(fleet.nowUnixMs));
});

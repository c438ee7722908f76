import assert from "node:assert/strict";
import { test } from "node:test";
import { encode as encodeCbor } from "cborg";
import fc from "fast-check";
import type { LightMyRequestResponse } from "fastify";
import { type TestDevice, TestFleet } from "./test-fleet.ts";

/**
 * Whatever comes, the answer is a success or a 4xx that is JSON or empty, and tells nothing of the
 * inside.
 */
function assertCivil(answer: LightMyRequestResponse): void {
  assert.ok(answer.statusCode < 500, `${answer.statusCode} ${answer.body}`);
  if (answer.statusCode < 400) return;
  assert.ok(!/node_modules|\.ts:\d|\n\s+at /.test(answer.body), answer.body);
  if (answer.body === "") return;
  const told = JSON.parse(answer.body); // 405 and 415 of devices say `error` alone, as hawkBit does
  assert.equal(typeof (told.message ?? told.error), "string", answer.body);
}

/**
 * JSON near to what the server expects: right keys with wrong values are more telling than noise.
 */
const keys = fc.constantFrom(
  ...["id", "status", "execution", "result", "finished", "details", "mode", "data", "confirmation"],
  ...["type", "name", "version", "hardware", "releaseVersion", "stages", "selector", "__proto__"],
);
const words = fc.constantFrom("closed", "success", "none", "merge", "confirmed", "", "1.0.0", "x");
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    words,
    fc.jsonValue({ maxDepth: 2 }),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.dictionary(keys, tie("json"), { maxKeys: 5 }),
  ),
}));
const body = fc.oneof(
  json.map((value) => Buffer.from(JSON.stringify(value))),
  json.map((value) => Buffer.from(encodeCbor(value))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);
const contentType = fc.constantFrom(
  ...["application/json", "application/hal+json", "application/cbor", "application/octet-stream"],
  ...["text/plain", "application/json; charset=utf-16", "multipart/form-data", "json", ";"],
);
const headerText = fc.string({
  unit: fc.constantFrom(..."aZ09 ;,=*/.-+:\"'%bytes"),
  maxLength: 60,
});
const headers = fc.dictionary(
  fc.constantFrom(
    ...["accept", "range", "if-range", "if-match", "if-none-match", "sluice-running"],
    ...["x-controller-id", "x-forwarded-host", "accept-encoding", "expect-nothing"],
  ),
  headerText,
  { maxKeys: 4 },
);
const devicePath = fc.oneof(
  fc.constantFrom(
    ...["", "configData", "installedBase", "events", "confirmationBase", "deploymentBase/1"],
    ...["deploymentBase/1/feedback", "cancelAction/1", "cancelAction/1/feedback"],
    ...["confirmationBase/1/feedback", "confirmationBase/activateAutoConfirm", "installedBase/1"],
    ...["softwaremodules/1/artifacts", "softwaremodules/1/artifacts/esp32c3-b-1.0.0.bin"],
    ...["softwaremodules/1/artifacts/..%2f..%2fetc%2fpasswd", "deploymentBase/99999999999"],
    ...["deploymentBase/-1/feedback", "deploymentBase/1e3", "deploymentBase/1?actionHistory=-9"],
  ),
  fc.webPath(),
);
const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE");

async function offeredDevice(fleet: TestFleet): Promise<TestDevice> {
  const device = await fleet.addDevice("lamp");
  await fleet.publish({ version: "1.0.0" });
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.0.0", start: true });
  await device.poll();
  return device;
}

test("answers any request of a device civilly", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await offeredDevice(fleet);
  await fc.assert(
    fc.asyncProperty(
      method,
      devicePath,
      headers,
      contentType,
      body,
      async (verb, path, extra, type, payload) => {
        const answer = await fleet.inject({
          method: verb as "GET",
          url: `/DEFAULT/controller/v1/lamp/${path}`.replace(/\/+$/, ""),
          headers: {
            host: "fleet.test",
            ...extra,
            authorization: `TargetToken ${device.token}`,
            "content-type": type,
          },
          ...(verb === "GET" || verb === "HEAD" ? {} : { payload }),
        });
        assertCivil(answer);
      },
    ),
    { numRuns: 300 },
  );
});

test("answers any request of the management API civilly", async (t) => {
  const fleet = await TestFleet.open(t);
  await offeredDevice(fleet);
  const path = fc.oneof(
    fc.constantFrom(
      ...["/devices", "/releases", "/rollouts", "/events", "/releases/images", "/rollouts/1"],
      ...["/rollouts/1/pause", "/rollouts/1/resume", "/rollouts/x/start", "/devices/lamp"],
      ...["/devices?limit=0", "/devices?limit=x", "/events?after=-1", "/devices?after=%00"],
      ...["/devices/lamp/refusals/1.0.0", "/rollouts/99999999999", "/rollouts/1/devices?state=x"],
    ),
    fc.webPath(),
  );
  const verb = fc.constantFrom("GET", "POST", "DELETE");
  await fc.assert(
    fc.asyncProperty(verb, path, contentType, body, async (name, url, type, payload) => {
      const answer = await fleet.inject({
        method: name as "GET",
        url: `/api/v1${url}`,
        headers: { "content-type": type },
        ...(name === "GET" ? {} : { payload }),
      });
      assertCivil(answer);
    }),
    { numRuns: 300 },
  );
});

test("lets nobody in with any authorization but the right one", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevice("lamp");
  const scheme = fc.constantFrom(
    "TargetToken",
    "GatewayToken",
    "Basic",
    "Bearer",
    "",
    "targettoken",
  );
  let tries = 0;
  await fc.assert(
    fc.asyncProperty(scheme, headerText, async (name, token) => {
      tries += 1; // each from elsewhere: the next one from there would have to wait
      const answer = await fleet.inject({
        method: "GET",
        remoteAddress: `10.0.${tries >> 8}.${tries & 255}`,
        url: "/default/controller/v1/lamp",
        headers: { host: "fleet.test", authorization: `${name} ${token}` },
      });
      assert.deepEqual([answer.statusCode, answer.body], [401, ""]);
    }),
    { numRuns: 100 },
  );
});

test("refuses bodies beyond their bound", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await offeredDevice(fleet);
  const large = {
    status: { execution: "proceeding", result: { finished: "none" }, x: "x".repeat(2 ** 20) },
  };
  const feedback = await device.request("POST", "deploymentBase/1/feedback", { body: large });
  assert.equal(feedback.statusCode, 413);
  assertCivil(feedback);
  const attributes = { data: { x: "x".repeat(70_000) } };
  const put = await device.request("PUT", "configData", { body: attributes });
  assert.equal(put.statusCode, 413);
  assert.match(put.json().message, /give at most 65536 bytes/);
  const payload = { id: "lamp", hardware: "esp32c3-b", token: "x".repeat(300_000) };
  const added = await fleet.inject({ method: "POST", url: "/api/v1/devices", payload });
  assert.equal(added.statusCode, 413);
  assertCivil(added);
  const events = Array.from({ length: 65 }, (_, index) => ({ id: `b-${index}`, type: "boot" }));
  assert.equal((await device.request("POST", "events", { body: events })).statusCode, 400);
});

test("asks for a Host that can stand in a link", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  for (const host of ["a b", 'x"><script>', `${"a".repeat(300)}.test`]) {
    const answer = await device.request("GET", "", { headers: { host } });
    assert.equal(answer.statusCode, 400, host);
  }
});

test("bounds what it keeps and tells of the reports on an action", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await offeredDevice(fleet);
  const details = Array.from({ length: 50 }, () => "x".repeat(600));
  for (let index = 0; index < 210; index++) {
    await fleet.wait(5);
    assert.equal(await device.feedback(1, "proceeding", "none", details), 200);
  }
  const { deploymentBase = "" } = await device.poll();
  const answer = await device.request("GET", `${deploymentBase}&actionHistory=-1`);
  const { messages } = answer.json().actionHistory;
  assert.equal(messages.length, 50);
  assert.ok(messages.every((message: string) => message.length <= 512));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";

const device = "/DEFAULT/controller/v1/lamp";

/** Every kind of path, with what it answers to. */
const paths: ReadonlyArray<readonly [string, string]> = [
  ["/", "GET, HEAD"],
  ["/page.js", "GET, HEAD"],
  ["/openapi.json", "GET, HEAD"],
  ["/metrics", "GET, HEAD"],
  ["/ready", "GET, HEAD"],
  ["/api/v1/devices", "GET, HEAD, POST"],
  ["/api/v1/devices/lamp", "DELETE, GET, HEAD, PATCH"],
  ["/api/v1/devices/lamp/events", "GET, HEAD"],
  ["/api/v1/devices/lamp/refusals/1.0.0", "DELETE"],
  ["/api/v1/releases", "GET, HEAD"],
  ["/api/v1/releases/images", "POST"],
  ["/api/v1/releases/1.0.0", "GET, HEAD"],
  ["/api/v1/configurations", "GET, HEAD, POST"],
  ["/api/v1/counters", "GET, HEAD"],
  ["/api/v1/rollouts/1/comparison", "GET, HEAD"],
  ["/api/v1/windows", "GET, HEAD"],
  ["/api/v1/windows/hospital", "DELETE, GET, HEAD, PUT"],
  ["/api/v1/policies", "GET, HEAD"],
  ["/api/v1/policies/careful", "GET, HEAD, PUT"],
  ["/api/v1/rollouts", "GET, HEAD, POST"],
  ["/api/v1/rollouts/1", "GET, HEAD"],
  ["/api/v1/rollouts/preview", "POST"],
  ["/api/v1/rollouts/1/start", "POST"],
  ["/api/v1/rollouts/1/resume", "POST"],
  ["/api/v1/events", "GET, HEAD"],
  ["/api/v1/server", "GET, HEAD"],
  ["/api/v1/admission", "GET, HEAD, PATCH"],
  ["/api/v1/registry", "GET, HEAD, POST"],
  ["/api/v1/trust", "GET, HEAD"],
  ["/api/v1/trust/metadata", "POST"],
  ["/DEFAULT/tuf/1.root.json", "GET, HEAD"],
  ["/DEFAULT/tuf/targets/a.bin", "GET, HEAD"],
  [device, "GET, HEAD"],
  [`${device}/configData`, "PUT"],
  [`${device}/deploymentBase/1`, "GET, HEAD"],
  [`${device}/deploymentBase/1/feedback`, "POST"],
  [`${device}/cancelAction/1/feedback`, "POST"],
  [`${device}/installedBase`, "PUT"],
  [`${device}/softwaremodules/1/artifacts/a.bin`, "GET, HEAD"],
  [`${device}/events`, "POST"],
];

test("answers a method that a path does not know with 405 and what it knows", async (t) => {
  const trust = { folder: temporaryFolder(t), onlineSigner: null, moreOnlineSigners: [] };
  const fleet = await TestFleet.open(t, { trust });
  const { token } = await fleet.addDevice("lamp");
  for (const [url, allowed] of paths)
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
      if (allowed.split(", ").includes(method)) continue;
      const answer = await fleet.inject({
        method,
        url,
        // A body that nobody reads must not be judged before the method.
        ...(method === "GET" || method === "HEAD" ? {} : { payload: "<x/>" }),
        headers: {
          host: "fleet.test",
          authorization: `TargetToken ${token}`,
          ...(method === "GET" || method === "HEAD" ? {} : { "content-type": "text/xml" }),
        },
      });
      assert.equal(answer.statusCode, 405, `${method} ${url}: ${answer.body}`);
      assert.equal(answer.headers.allow, allowed, url);
    }
});

test("asks for the admin token before it tells which methods there are", async (t) => {
  const fleet = await TestFleet.open(t, { adminToken: "admin-token" });
  const answer = await fleet.inject({ method: "PUT", url: "/api/v1/devices" });
  assert.deepEqual([answer.statusCode, answer.headers.allow], [401, undefined]);
});

test("answers HEAD as GET, without the body", async (t) => {
  const fleet = await TestFleet.open(t);
  const lamp = await fleet.addDevice("lamp");
  const headers = { host: "fleet.test", authorization: `TargetToken ${lamp.token}` };
  for (const url of ["/", "/openapi.json", "/api/v1/devices", "/api/v1/devices/lamp", device]) {
    const got = await fleet.inject({ method: "GET", url, headers });
    const head = await fleet.inject({ method: "HEAD", url, headers });
    assert.deepEqual(
      [head.statusCode, head.headers["content-type"], head.headers["content-length"], head.body],
      [got.statusCode, got.headers["content-type"], got.headers["content-length"], ""],
      url,
    );
  }
  const unknown = await fleet.inject({ method: "HEAD", url: "/api/v1/devices/nobody", headers });
  assert.deepEqual([unknown.statusCode, unknown.body], [404, ""]);
});

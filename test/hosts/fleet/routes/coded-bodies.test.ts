import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type {} from "@fastify/swagger";
import { TestFleet } from "../test-fleet.ts";

const octets = "application/octet-stream";
const management = [
  ["POST", "/api/v1/releases/images", octets],
  ["POST", "/api/v1/configurations", octets],
  ["POST", "/api/v1/devices", "application/json"],
  ["POST", "/api/v1/rollouts", "application/json"],
] as const;
const ofDevice = [
  ["PUT", "configData"],
  ["PUT", "installedBase"],
  ["POST", "events"],
  ["POST", "deploymentBase/1/feedback"],
  ["POST", "cancelAction/1/feedback"],
  ["POST", "confirmationBase/1/feedback"],
  ["POST", "confirmationBase/activateAutoConfirm"],
] as const;
const body = { data: { a: "b" } };
const codings = ["gzip", "X-GZIP", "br", "deflate, gzip", "identity, gzip", "aes128gcm"];

for (const [method, path] of ofDevice)
  test(`a coded body is refused as such: ${method} ${path} of a device`, async (context) => {
    const fleet = await TestFleet.open(context);
    const device = await fleet.addDevice("lamp");
    for (const coding of codings) {
      const headers = { "content-encoding": coding, "content-type": "application/json" };
      const coded = gzipSync(JSON.stringify(body));
      const answer = await device.request(method, path, { body: coded, headers });
      assert.equal(answer.statusCode, 415, `${coding}: ${answer.body}`);
      assert.equal(answer.headers["accept-encoding"], "identity");
      assert.ok(JSON.parse(answer.body).message.includes(`"${coding}"`), answer.body);
    }
    const plain = { "content-encoding": "gzip", "content-type": "application/json" };
    const lies = await device.request(method, path, { body, headers: plain });
    assert.equal(lies.statusCode, 415, "what a header says of it goes before what it looks like");
  });

for (const [method, url, type] of management)
  test(`a coded body is refused as such: ${method} ${url}`, async (context) => {
    const fleet = await TestFleet.open(context);
    for (const coding of codings) {
      const headers = { host: "fleet.test", "content-encoding": coding, "content-type": type };
      const answer = await fleet.inject({ method, url, headers, payload: gzipSync("{}") });
      assert.equal(answer.statusCode, 415, `${coding}: ${answer.body}`);
      assert.equal(answer.headers["accept-encoding"], "identity");
      assert.equal(answer.json().error, "coded-body");
    }
  });

test("identity is no coding, in any of its forms", async (context) => {
  const fleet = await TestFleet.open(context);
  const device = await fleet.addDevice("lamp");
  for (const coding of ["identity", "Identity", "", "identity, identity", ", identity"]) {
    const headers = { "content-encoding": coding };
    const answer = await device.request("PUT", "configData", { body, headers });
    assert.equal(answer.statusCode, 200, coding);
  }
});

test("a coding for the way is one too, and chunks are none", async (context) => {
  const fleet = await TestFleet.open(context);
  const { token } = await fleet.addDevice("lamp");
  const address = await fleet.server.app.listen({ port: 0, host: "127.0.0.1" });
  const exchange = (coding: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const socket = connect(Number(new URL(address).port), "127.0.0.1", () =>
        socket.write(
          `PUT /DEFAULT/controller/v1/lamp/configData HTTP/1.1\r\nHost: fleet.test\r\n` +
            `Authorization: TargetToken ${token}\r\nContent-Type: application/json\r\n` +
            `Transfer-Encoding: ${coding}\r\nConnection: close\r\n\r\n` +
            `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`,
        ),
      );
      let answer = "";
      socket.on("data", (bytes) => {
        answer += bytes;
      });
      socket.on("end", () => resolve(answer.slice(0, 12)));
      socket.on("error", reject);
    });
  assert.equal(await exchange("chunked"), "HTTP/1.1 200");
  assert.equal(await exchange("gzip, chunked"), "HTTP/1.1 415");
});

test("whoever may not ask learns nothing of the coding", async (context) => {
  const fleet = await TestFleet.open(context);
  const device = await fleet.addDevice("lamp");
  const headers = { "content-encoding": "gzip", authorization: "TargetToken wrong" };
  const answer = await device.request("PUT", "configData", { body, headers });
  assert.equal(answer.statusCode, 401);
});

test("the document of the API tells of it wherever a body is read", async (context) => {
  const fleet = await TestFleet.open(context);
  await fleet.server.app.ready();
  const { paths = {} } = fleet.server.app.swagger() as unknown as {
    paths: Record<string, Record<string, { requestBody?: object; responses: object }>>;
  };
  let bodies = 0;
  for (const [path, operations] of Object.entries(paths))
    for (const [method, { requestBody, responses }] of Object.entries(operations)) {
      assert.equal("415" in responses, requestBody !== undefined, `${method} ${path}`);
      if (requestBody !== undefined) bodies += 1;
    }
  assert.ok(bodies >= 6, `${bodies}`);
});

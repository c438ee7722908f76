import assert from "node:assert/strict";
import { test } from "node:test";
import type { DigestHex } from "../../../src/protocol/digest.ts";
import { DdiClient } from "../../../src/transfer/ddi-client.ts";
import { type Script, ScriptedHttp } from "../../support/scripted-http.ts";

const imageHash = "ab".repeat(32) as DigestHex;

function clientWith(script: Script, serverUrl = "http://server:8080") {
  const http = new ScriptedHttp(() => script);
  const client = new DdiClient(http, {
    serverUrl,
    tenant: "DEFAULT",
    deviceId: "dev/1:a",
    token: "secret",
    timeoutMs: 15_000,
    running: () => ({ version: "1.2.3", imageHash, confirmed: true }),
  });
  return { client, http };
}

const base = "http://server:8080/DEFAULT/controller/v1/dev%2F1%3Aa";
const pollBody = '{"config":{"polling":{"sleep":"00:05:00"}}}';
const feedback = {
  execution: "closed",
  finished: "success",
  details: ["state=confirmed"],
} as const;

test("polls its own address and says who it is and what runs", async () => {
  const { client, http } = clientWith({ status: 200, body: pollBody });
  const polled = await client.poll();
  assert.equal(polled.ok && polled.value.sleepSeconds, 300);
  assert.deepEqual(http.requests[0], {
    method: "GET",
    url: base,
    headers: {
      accept: "application/json",
      authorization: "TargetToken secret",
      "sluice-running": `1.2.3;${imageHash};confirmed`,
    },
    body: null,
    timeoutMs: 15_000,
    bodyBytesMax: 8192,
  });
});

test("posts feedback on its action as JSON", async () => {
  const { client, http } = clientWith({ status: 200 });
  assert.deepEqual(await client.feedback("42", feedback), { ok: true, value: null });
  assert.deepEqual(await client.cancelFeedback("42", feedback), { ok: true, value: null });
  assert.deepEqual(
    http.requests.map(({ method, url }) => `${method} ${url}`),
    [`POST ${base}/deploymentBase/42/feedback`, `POST ${base}/cancelAction/42/feedback`],
  );
  assert.equal(http.requests[0]?.headers["content-type"], "application/json");
});

test("puts attributes where the server asked for them", async () => {
  const { client, http } = clientWith({ status: 200 });
  await client.configData(`${base}/configData`, { hardware: "esp32c3-a" });
  assert.equal(http.requests[0]?.method, "PUT");
  assert.equal(http.requests[0]?.url, `${base}/configData`);
});

for (const [name, script, reason, retryAfterMs] of [
  ["no connection", { failure: "connection" }, "no-connection", null],
  ["a timeout", { failure: "timeout" }, "no-connection", null],
  ["an address that it cannot fetch", { failure: "bad-url" }, "response-invalid", null],
  ["401", { status: 401 }, "unauthorized", null],
  ["403", { status: 403 }, "unauthorized", null],
  ["404", { status: 404 }, "not-found", null],
  ["410", { status: 410 }, "not-found", null],
  ["500", { status: 500, body: "<html>" }, "server-error", null],
  [
    "503 with Retry-After",
    { status: 503, headers: { "retry-after": "60" } },
    "server-error",
    60_000,
  ],
  ["429 with Retry-After", { status: 429, headers: { "retry-after": "1" } }, "server-error", 1000],
  ["a redirect", { status: 307, headers: { location: "http://x/" } }, "response-invalid", null],
  ["304", { status: 304 }, "response-invalid", null],
  ["400", { status: 400 }, "response-invalid", null],
  ["HTML under 200", { status: 200, body: "<html></html>" }, "response-invalid", null],
  ["nothing under 200", { status: 200 }, "response-invalid", null],
  [
    "a poll of 8,193 bytes",
    { status: 200, body: pollBody.padEnd(8193) },
    "response-too-large",
    null,
  ],
] as const)
  test(`answers ${reason} for ${name}`, async () => {
    const { client } = clientWith(script);
    assert.deepEqual(await client.poll(), { ok: false, reason, retryAfterMs });
  });

for (const [status, isTold] of [
  [200, true],
  [201, true],
  [204, true],
  [404, true],
  [410, true],
  [400, false],
  [401, false],
  [405, false],
  [500, false],
] as const)
  test(`takes feedback answered with ${status} for ${isTold ? "told" : "not told"}`, async () => {
    const { client } = clientWith({ status });
    assert.equal((await client.feedback("42", feedback)).ok, isTold);
    assert.equal((await client.cancelFeedback("42", feedback)).ok, isTold);
  });

test("takes feedback answered with 200 and many words for told", async () => {
  const { client } = clientWith({ status: 200, body: new Uint8Array(10_000) });
  assert.equal((await client.feedback("42", feedback)).ok, true);
});

for (const [serverUrl, url, isOwn] of [
  ["http://server:8080", "http://server:8080/file", true],
  ["http://server:8080", "http://server/file", true],
  ["http://server:8080", "http://SERVER:9090", true],
  ["http://server:8080", "https://server/file", true],
  ["https://server", "http://server/file", false],
  ["http://server", "http://cdn/file", false],
  ["http://server", "http://server.evil/file", false],
  ["http://server", "http://evil/server", false],
  ["http://server", "http://server@evil/file", false],
  ["http://server", "http://server:80@evil/file", false],
  ["http://server", "http://evil#http://server/", false],
] as const)
  test(`${isOwn ? "shows" : "hides"} its token of ${serverUrl} at ${url}`, () => {
    const { client } = clientWith({ status: 200 }, serverUrl);
    const headers = client.headers(url);
    assert.equal(headers["authorization"], isOwn ? "TargetToken secret" : undefined);
    assert.equal("sluice-running" in headers, isOwn);
  });

test("says nothing of itself when it follows a link to another host", async () => {
  const { client, http } = clientWith({ status: 200, body: "{}" });
  await client.offer("http://elsewhere/deploymentBase/1");
  assert.deepEqual(http.requests[0]?.headers, { accept: "application/json" });
});

for (const [name, link, address] of [
  ["its own address", `${base}/deploymentBase/1?c=2`, `${base}/deploymentBase/1?c=2`],
  [
    "its address without the port",
    "http://server/DEFAULT/controller/v1/dev%2F1%3Aa/cancelAction/1",
    `${base}/cancelAction/1`,
  ],
  [
    "its address behind a proxy",
    "https://10.0.0.1/default/controller/v1/dev%2F1%3Aa/softwaremodules/1/artifacts/f.bin",
    `${base}/softwaremodules/1/artifacts/f.bin`,
  ],
  [
    "its address with less escaped",
    "http://server/DEFAULT/controller/v1/dev%2f1:a/deploymentBase/1",
    `${base}/deploymentBase/1`,
  ],
  [
    "an address with a broken escape",
    "http://server/DEFAULT/controller/v1/dev%2/deploymentBase/1",
    "http://server/DEFAULT/controller/v1/dev%2/deploymentBase/1",
  ],
  [
    "another device",
    "http://x/DEFAULT/controller/v1/dev-2/deploymentBase/1",
    "http://x/DEFAULT/controller/v1/dev-2/deploymentBase/1",
  ],
  ["a file elsewhere", "http://cdn/files/1", "http://cdn/files/1"],
  [
    "a file elsewhere that names the device",
    "http://cdn/a/b/controller/v1/dev%2F1%3Aa/f",
    "http://cdn/a/b/controller/v1/dev%2F1%3Aa/f",
  ],
  [
    "its own address in a query",
    "http://cdn/f?x=/controller/v1/dev%2F1%3Aa/y",
    "http://cdn/f?x=/controller/v1/dev%2F1%3Aa/y",
  ],
] as const)
  test(`follows a link to ${name} to ${address}`, async () => {
    const { client, http } = clientWith({ status: 200, body: "{}" });
    assert.equal(client.addressOf(link), address);
    await client.offer(link);
    assert.equal(http.requests[0]?.url, address);
  });

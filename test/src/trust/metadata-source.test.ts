import assert from "node:assert/strict";
import { test } from "node:test";
import { type Fetched, httpSource } from "../../../src/trust/metadata-source.ts";
import { type Script, ScriptedHttp } from "../../support/scripted-http.ts";

async function fetched(script: Script, bytesMax = 5000): Promise<Fetched> {
  const http = new ScriptedHttp(() => script);
  const options = { baseUrl: "http://a.test/tuf/", timeoutMs: 100, headers: () => ({ a: "b" }) };
  const answer = await httpSource(http, options).fetch("timestamp.json", bytesMax);
  const [request] = http.requests;
  assert.equal(request?.url, "http://a.test/tuf/timestamp.json");
  assert.deepEqual([request.headers, request.timeoutMs], [{ a: "b" }, 100]);
  assert.equal(request.bodyBytesMax, bytesMax);
  return answer;
}

const told = (answer: Fetched): string =>
  answer.kind === "failed" ? answer.refusal.reason : answer.kind;

test("a file comes whole, however many pieces it has", async () => {
  for (const length of [0, 10, 4000]) {
    const body = new Uint8Array(length).fill(7);
    const headers = { "content-length": `${length}` };
    assert.deepEqual(await fetched({ status: 200, headers, body }), { kind: "found", body });
  }
});

test("a file that the server does not have is missing", async () => {
  for (const status of [403, 404, 410])
    assert.equal(told(await fetched({ status, body: "a page about it" })), "missing");
});

test("any other answer is the server's error, also one without a body", async () => {
  for (const status of [204, 206, 301, 304, 400, 429, 500, 503]) {
    assert.equal(told(await fetched({ status })), "server-error", `${status}`);
    assert.equal(told(await fetched({ status, body: "x" })), "server-error", `${status}`);
  }
});

test("endless data ends with too-large, slow data and broken connections with network", async () => {
  const body = new Uint8Array(5001);
  assert.equal(told(await fetched({ status: 200, body })), "too-large");
  assert.equal(told(await fetched({ status: 200, body, brokenAfterBytes: 10 }, 9000)), "network");
  for (const failure of ["timeout", "connection", "aborted", "bad-url"] as const)
    assert.equal(told(await fetched({ failure })), "network");
});

test("a body that ends with its connection is whole once its JSON is, and else passing", async () => {
  const body = '{"signed":{"a":"}\\"}","b":[{}]},"signatures":[]}\n';
  assert.equal(told(await fetched({ status: 200, body })), "found");
  const end = body.lastIndexOf("}");
  for (let length = 0; length <= end; length += 1)
    assert.equal(
      told(await fetched({ status: 200, body: body.slice(0, length) })),
      "response-malformed",
    );
  const headers = { "transfer-encoding": "chunked" };
  assert.equal(told(await fetched({ status: 200, headers, body: "{" })), "found");
});

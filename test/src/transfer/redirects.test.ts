import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../../../src/ports/http.ts";
import { followingRedirect } from "../../../src/transfer/redirects.ts";
import { settle } from "../../support/manual-clock.ts";
import { type Script, ScriptedHttp } from "../../support/scripted-http.ts";

const asked: HttpRequest = {
  method: "GET",
  url: "https://fleet.test:8443/files/one?a=b",
  headers: { authorization: "TargetToken t", "sluice-running": "1.0.0", range: "bytes=0-1" },
  body: null,
  timeoutMs: 1000,
  bodyBytesMax: 100,
};

async function run(
  script: (request: HttpRequest) => Script,
  request = asked,
  hosts = ["cdn.test"],
) {
  const scripted = new ScriptedHttp(script);
  const told: string[] = [];
  followingRedirect(scripted, hosts).send(request, {
    head: ({ status }) => told.push(`${status}`) > 0,
    body: () => true,
    done: () => void told.push("done"),
    failed: (failure) => void told.push(failure),
  });
  await settle();
  return { told, requests: scripted.requests };
}

const to =
  (location: string, status = 302) =>
  ({ url }: HttpRequest): Script =>
    url === asked.url ? { status, headers: { location } } : { status: 200, body: "ok" };

for (const status of [301, 302, 303, 307, 308])
  test(`follows ${status} to a host of the settings, without the token`, async () => {
    const { told, requests } = await run(to("https://CDN.test/x?signed=1#part", status));
    assert.deepEqual(told, ["200", "done"]);
    assert.equal(requests[1]?.url, "https://CDN.test/x?signed=1");
    assert.deepEqual(requests[1]?.headers, { range: "bytes=0-1" });
  });

for (const [location, url] of [
  ["/two", "https://fleet.test:8443/two"],
  ["two?c", "https://fleet.test:8443/files/two?c"],
  ["?c=d", "https://fleet.test:8443/files/one?c=d"],
  ["?://", "https://fleet.test:8443/files/one?://"],
  ["/a?://b", "https://fleet.test:8443/a?://b"],
  ["//fleet.test:8443/two", "https://fleet.test:8443/two"],
  ["../two", "https://fleet.test:8443/two"],
  ["./two", "https://fleet.test:8443/files/two"],
  ["../../../two?a=../b", "https://fleet.test:8443/two?a=../b"],
  ["a/./b/../c", "https://fleet.test:8443/files/a/c"],
  ["..", "https://fleet.test:8443/"],
  [".", "https://fleet.test:8443/files/"],
  ["two/..", "https://fleet.test:8443/files/"],
  ["/../x//..", "https://fleet.test:8443/x/"],
  ["/..two/...", "https://fleet.test:8443/..two/..."],
  ["./a:b", "https://fleet.test:8443/files/a:b"],
  ["//fleet.test:8443", "https://fleet.test:8443"],
  ["//fleet.test:8443/a/../b/", "https://fleet.test:8443/b/"],
  ["https://fleet.test:8443?x=/../y", "https://fleet.test:8443?x=/../y"],
  ["HTTPS://fleet.test:8443/two", "HTTPS://fleet.test:8443/two"],
] as const)
  test(`follows ${location} to ${url}, with the token`, async () => {
    const { told, requests } = await run(to(location));
    assert.deepEqual(told, ["200", "done"]);
    assert.equal(requests[1]?.url, url);
    assert.deepEqual(requests[1]?.headers, asked.headers);
  });

test("tells another port of the same host no token", async () => {
  const { requests } = await run(to("https://fleet.test/two"));
  assert.deepEqual(requests[1]?.headers, { range: "bytes=0-1" });
});

for (const location of [
  "https://other.test/x",
  "https://cdn.test.other/x",
  "http://fleet.test:8443/x",
  "http://cdn.test/x",
  "ftp://cdn.test/x",
  "a:b",
  "https:x",
  "https:/x",
  "https:///x",
  "//",
  "https://me@cdn.test/x",
  "https://[::1]/x",
  `/${"x".repeat(2048)}`,
])
  test(`refuses to go to ${location.slice(0, 40)}`, async () => {
    const { told, requests } = await run(to(location));
    assert.deepEqual(told, ["redirect-refused"]);
    assert.equal(requests.length, 1);
  });

test("goes nowhere from a second host, and not in circles", async () => {
  const { told, requests } = await run(() => ({ status: 302, headers: { location: "/again" } }));
  assert.deepEqual(told, ["redirect-refused"]);
  assert.equal(requests.length, 2);
});

test("follows no POST, and takes what has no location for what it is", async () => {
  const post = await run(to("/two"), { ...asked, method: "POST" });
  assert.deepEqual([post.told[0], post.requests.length], ["302", 1]);
  const none = await run(() => ({ status: 304 }));
  assert.deepEqual([none.told[0], none.requests.length], ["304", 1]);
});

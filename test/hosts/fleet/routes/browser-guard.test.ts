import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { test } from "node:test";
import { ServerNames } from "../../../../hosts/fleet/access/server-names.ts";
import { TestFleet } from "../test-fleet.ts";
import { places } from "../trust/trust-scene.ts";

const own = "fleet.test";
/** What another site's page can make a browser send, and what no program sends. */
const crossSite: readonly Readonly<Record<string, string>>[] = [
  { origin: "http://evil.example", "sec-fetch-site": "cross-site" },
  { origin: "http://evil.example" },
  { origin: "null" },
  { origin: "http://fleet.test:3000", "sec-fetch-site": "same-site" },
  { origin: "https://fleet.test" },
  { "sec-fetch-site": "same-site" },
  { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script" },
];
const foreignHosts = [
  "evil.example",
  "evil.example:8080",
  "fleet.test.evil.example",
  "evil.example:80@fleet.test",
  "10.0.0.9",
];

type Method = "GET" | "POST" | "DELETE";
interface Route {
  readonly method: Method;
  readonly url: string;
}

/**
 * Every route that is not the devices', as the OpenAPI document lists them, and those that it
 * hides.
 */
async function managedRoutes(fleet: TestFleet): Promise<Route[]> {
  const document = (await fleet.inject({ method: "GET", url: "/openapi.json" })).json<{
    paths: Record<string, Record<string, unknown>>;
  }>();
  const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      method: method.toUpperCase() as Method,
      url: path.replaceAll(/\{\w+\}/g, "1"),
    })),
  );
  const hidden = ["/", "/page.js", "/page.css", "/metrics", "/openapi.json"];
  return [...listed, ...hidden.map((url) => ({ method: "GET" as const, url }))];
}

test("no route of the page or the management serves a foreign name, or another site's page", async (t) => {
  const { fleet } = await places(t);
  const routes = await managedRoutes(fleet);
  assert.ok(routes.length > 25, "the document lists the routes");
  for (const route of routes) {
    const name = `${route.method} ${route.url}`;
    for (const host of foreignHosts) {
      const answer = await fleet.inject({ ...route, headers: { host } });
      assert.equal(answer.statusCode, 421, `${name} by "${host}"`);
    }
    for (const headers of crossSite) {
      const answer = await fleet.inject({ ...route, headers: { host: own, ...headers } });
      assert.equal(answer.statusCode, 403, `${name} with ${JSON.stringify(headers)}`);
    }
    const referer = { host: own, referer: "http://evil.example/cats" };
    const referred = await fleet.inject({ ...route, headers: referer });
    assert.equal(referred.statusCode === 403, route.method !== "GET", `${name} by its Referer`);
  }
});

test("the server's own page, programs and tunnels are served", async (t) => {
  const fleet = await TestFleet.open(t, { publicUrls: ["https://ota.example:8443/fleet"] });
  const url = "/api/v1/devices";
  const served: readonly Readonly<Record<string, string>>[] = [
    { host: "localhost:9000" },
    { host: "127.0.0.1:8080" },
    { host: "[::1]:8080" },
    { host: "LOCALHOST" },
    { host: "localhost." },
    { host: "LocalHost.:8080", origin: "http://localhost.:8080" },
    { host: "[::ffff:7f00:1]:8080" },
    { host: "Ota.Example." },
    { host: "ota.example" },
    { host: "localhost:9000", origin: "http://localhost:9000", "sec-fetch-site": "same-origin" },
    { host: "127.0.0.1", "sec-fetch-site": "none" },
    { host: "localhost", origin: "https://ota.example:8443", "sec-fetch-site": "same-origin" },
    { host: "localhost", referer: "http://localhost/#devices" },
  ];
  for (const headers of served) {
    const answer = await fleet.inject({ method: "GET", url, headers });
    assert.equal(answer.statusCode, 200, JSON.stringify(headers));
  }
});

test("a link from another site opens the page and nothing else", async (t) => {
  const fleet = await TestFleet.open(t);
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  const headers = { host: own, ...link, "sec-fetch-dest": "document" };
  const open = async (url: string) =>
    (await fleet.inject({ method: "GET", url, headers })).statusCode;
  assert.equal(await open("/"), 200);
  assert.equal(await open("/api/v1/devices"), 403);
  const framed = await fleet.inject({
    method: "GET",
    url: "/",
    headers: { ...headers, "sec-fetch-dest": "iframe" },
  });
  assert.equal(framed.statusCode, 403);
});

test("refuses bodies that a form can send", async (t) => {
  const fleet = await TestFleet.open(t);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    const answer = await fleet.inject({
      method: "POST",
      url: "/api/v1/devices",
      headers: { host: own, "content-type": type },
      payload: '{"id":"lamp","hardware":"esp32c3-b"}',
    });
    assert.equal(answer.statusCode, 415, type);
  }
});

test("devices may come by any name", async (t) => {
  const { fleet } = await places(t);
  const headers = { host: "updates.lan:8080", authorization: "GatewayToken gateway-token" };
  const poll = { method: "GET", url: "/DEFAULT/controller/v1/lamp", headers } as const;
  assert.equal((await fleet.inject(poll)).statusCode, 200);
  const tuf = await fleet.inject({ ...poll, url: "/DEFAULT/tuf/timestamp.json" });
  assert.notEqual(tuf.statusCode, 421);
});

const names = new ServerNames(["https://ota.example"], "192.168.1.5");
const hosts: readonly (readonly [string, string | undefined, boolean])[] = [
  ["192.168.1.5:8080", undefined, true],
  ["10.1.1.1", "10.1.1.1", true],
  ["10.1.1.1", "::ffff:10.1.1.1", true],
  ["10.1.1.2", "10.1.1.1", false],
  ["[fe80::1]:80", "fe80:0:0:0:0:0:0:1", true],
  ["[fe80::1]:80", "fe80::1%eth0", true],
  ["[fe80::2]:80", "fe80::1%eth0", false],
  ["[::1", undefined, false],
  ["[::ffff:10.1.1.1]", "::ffff:a01:101", true],
  ["[::ffff:a01:102]", "10.1.1.1", false],
  ["ota.example..", undefined, false],
  [".", undefined, false],
  ["ota.example.evil.", undefined, false],
  ["ota.example:99999999", undefined, false],
  ["a b", undefined, false],
  ["", undefined, false],
];
for (const [host, local, isOwn] of hosts)
  test(`${isOwn ? "takes" : "refuses"} the name "${host}" of a connection to ${local ?? "anywhere"}`, () => {
    assert.equal(names.has(host, local), isOwn);
  });

/** Each is one request by two names, of which one is a stranger's. */
const twoNames: readonly (readonly [string, string, readonly string[]])[] = [
  ["a second Host", "/api/v1/devices", ["host", "localhost", "host", "evil.example"]],
  ["a second Host before", "/api/v1/devices", ["host", "evil.example", "HOST", "localhost"]],
  ["another host in its target", "http://evil.example/api/v1/devices", ["host", "localhost"]],
  ["a foreign Host", "http://localhost/api/v1/devices", ["host", "evil.example"]],
  ["a user in its target", "HTTP://localhost@evil.example/metrics", ["host", "localhost"]],
];
for (const [name, path, headers] of twoNames)
  test(`serves no request with ${name}`, async (t) => {
    const fleet = await TestFleet.open(t);
    const { port } = new URL(await fleet.server.app.listen({ host: "127.0.0.1", port: 0 }));
    const asked = request({ host: "127.0.0.1", port, path, headers, setHost: false });
    asked.end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    assert.equal(answer.statusCode, 421);
  });

test("serves a target that names the server, as proxies send it", async (t) => {
  const fleet = await TestFleet.open(t);
  const { port } = new URL(await fleet.server.app.listen({ host: "127.0.0.1", port: 0 }));
  const path = `http://localhost:${port}/api/v1/devices`;
  const asked = request({ host: "127.0.0.1", port, path });
  asked.end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.resume();
  assert.equal(answer.statusCode, 200);
});

test("a server on every address takes no name for that", () => {
  const open = new ServerNames([], "0.0.0.0");
  assert.equal(open.has("0.0.0.0:8080", "127.0.0.1"), false);
  assert.equal(open.has("192.168.1.5", "192.168.1.5"), true);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { readRedirectHosts } from "../../../src/transfer/redirect-hosts.ts";

test("reads names in a text and in a list, in any case", () => {
  const hosts = ["cdn.example", "10.0.0.7"];
  assert.deepEqual(readRedirectHosts(" CDN.example,10.0.0.7,"), { ok: true, hosts });
  assert.deepEqual(readRedirectHosts(hosts), { ok: true, hosts });
  for (const none of [undefined, "", []])
    assert.deepEqual(readRedirectHosts(none), { ok: true, hosts: [] });
});

for (const wrong of [
  "https://cdn.example",
  "cdn.example:443",
  "cdn.example/files",
  "*.cdn.example",
  "me@cdn.example",
  "[::1]",
  "cdn example",
  "x".repeat(254),
])
  test(`refuses ${wrong.slice(0, 30)} beside good ones, with the word itself`, () => {
    const read = readRedirectHosts(`good.example,${wrong}`);
    assert.ok(!read.ok && read.message.includes(`"${wrong}"`));
  });

test("refuses more hosts than a device takes", () => {
  const names = Array.from({ length: 9 }, (_, index) => `cdn${index}.example`);
  assert.equal(readRedirectHosts(names.slice(1)).ok, true);
  const read = readRedirectHosts(names);
  assert.match(read.ok ? "" : read.message, /9 hosts, a device takes at most 8/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type SeenRequest, text } from "../../../hosts/simulator/ddi-server.ts";
import type { NetworkAnswer } from "../../../hosts/simulator/network.ts";
import { DeviceBench, image } from "../../support/device-bench.ts";

type Response = Extract<NetworkAnswer, { kind: "response" }>;
/** Null lets the server's own answer through. */
type Oddity = (request: SeenRequest, own: Response) => NetworkAnswer | null;

const isFile = ({ path }: SeenRequest): boolean => path.startsWith("/artifact/");
const newer = await image("1.1.0", { paddingBytes: 150_000, blockBytes: 65_536 });

async function offered(odd: Oddity, minutes: number): Promise<DeviceBench> {
  const bench = await DeviceBench.start();
  bench.server.interfere = (request, own) => (own.kind === "response" ? odd(request, own) : null);
  await bench.powerOn();
  bench.offer("1", "1.1.0", newer);
  await bench.pass(minutes);
  bench.world.close();
  return bench;
}

const gzipped = (own: Response): Response => {
  const body = gzipSync(own.body);
  const headers = {
    ...own.headers,
    "content-encoding": "gzip",
    "content-length": `${body.length}`,
  };
  return { ...own, headers, body };
};

/** As a store of objects, whose addresses hold for so many requests. */
function expiring(requests: number): Oddity {
  let given = 0;
  let asked = 0;
  return (request, own) => {
    if (request.path.includes("/deploymentBase/") && request.method === "GET") {
      given += 1;
      asked = 0;
      const body = new TextDecoder()
        .decode(own.body)
        .replace(/\/artifact\/1/, `$&?signed=${given}`);
      return text(200, body);
    }
    if (!isFile(request)) return null;
    asked += 1;
    const isCurrent = request.path.endsWith(`?signed=${given}`);
    return isCurrent && asked <= requests ? null : text(403, "<Error>expired</Error>");
  };
}

for (const [name, odd] of [
  ["with addresses that expire after three requests", expiring(3)],
  ["with addresses that expire after two requests", expiring(2)],
  [
    "that gives 4 KiB at most of a range",
    (request, own) => {
      if (!isFile(request)) return null;
      const [, first = "", total = ""] =
        /bytes (\d+)-\d+\/(\d+)/.exec(own.headers["content-range"] ?? "") ?? [];
      const body = own.body.subarray(0, 4096);
      const range = `bytes ${first}-${Number(first) + body.length - 1}/${total}`;
      return {
        ...own,
        headers: { "content-range": range, "content-length": `${body.length}` },
        body,
      };
    },
  ],
  [
    "that counts in BYTES and does not tell the total",
    (request, own) => {
      const range = (own.headers["content-range"] ?? "").replace("bytes", "BYTES");
      const headers = { ...own.headers, "content-range": range.replace(/\/\d+/, "/*") };
      return isFile(request) ? { ...own, headers } : null;
    },
  ],
] as const satisfies readonly (readonly [string, Oddity])[])
  test(`takes an update from a server ${name}`, async () => {
    const bench = await offered(odd, 180);
    assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
  });

for (const [name, odd, reason] of [
  ["gzips files", (request, own) => (isFile(request) ? gzipped(own) : null), "content-encoded"],
  [
    "gzips files and keeps their length",
    (request, own) =>
      isFile(request) ? { ...own, headers: { ...own.headers, "content-encoding": "gzip" } } : null,
    "content-encoded",
  ],
  [
    "answers ranges with the whole file",
    (request, own) => (isFile(request) ? { ...own, status: 200, headers: {}, body: newer } : null),
    "response-invalid",
  ],
  [
    "answers files with a portal's page",
    (request) => (isFile(request) ? text(200, "<html>", { "content-type": "text/html" }) : null),
    "response-invalid",
  ],
] as const satisfies readonly (readonly [string, Oddity, string])[])
  test(`gives no verdict on an image while something on the way ${name}`, async () => {
    let isOdd = true;
    const bench = await DeviceBench.start();
    bench.server.interfere = (request, own) =>
      isOdd && own.kind === "response" ? odd(request, own) : null;
    await bench.powerOn();
    bench.offer("1", "1.1.0", newer);
    await bench.pass(120);
    assert.equal(bench.verdict, undefined);
    assert.ok(bench.server.reports.some((report) => report.includes(`reason=${reason}`)));
    isOdd = false;
    await bench.pass(150);
    assert.equal(bench.running, "1.1.0");
    bench.world.close();
  });

test("gives no verdict while polls and deployments are gzipped or pages", async () => {
  let turn = 0;
  const bench = await offered((request, own) => {
    if (request.method !== "GET" || isFile(request)) return null;
    turn += 1;
    if (turn > 60) return null;
    return turn % 2 === 0 ? gzipped(own) : text(200, "<html>", { "content-type": "text/html" });
  }, 600);
  assert.equal(bench.running, "1.1.0");
  assert.match(bench.verdict ?? "", /closed success/);
});

/** The deployment names its file by an address of so many characters. */
function longAddress(characters: number): Oddity {
  return (request, own) => {
    if (!request.path.includes("/deploymentBase/") || request.method !== "GET") return null;
    const body = new TextDecoder()
      .decode(own.body)
      .replace(/http:[^"]*\/artifact\/1/, (url) =>
        `HTTP${url.slice(4)}?signed=`.padEnd(characters, "a"),
      );
    return text(200, body);
  };
}

for (const characters of [700, 2048])
  test(`takes a file by an address of ${characters} characters, also after a reset`, async () => {
    const bench = await DeviceBench.start();
    const odd = longAddress(characters);
    bench.server.interfere = (request, own) => (own.kind === "response" ? odd(request, own) : null);
    await bench.powerOn();
    bench.offer("1", "1.1.0", newer);
    const { scheduler } = bench.world;
    const isUnderWay = () => bench.server.artifactRanges.length >= 3;
    await scheduler.runUntil(isUnderWay, scheduler.nowMs + 3_600_000);
    assert.ok(isUnderWay());
    await bench.powerOn(); // a reset in the middle of the download
    await bench.pass(60);
    assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
    bench.world.close();
  });

test("names an address that is too long as such", async () => {
  const bench = await offered(longAddress(2049), 20);
  assert.match(bench.verdict ?? "", /state=failed reason=url-too-long/);
});

for (const status of [301, 302, 307])
  test(`follows a file to another place of its host by ${status}`, async () => {
    const bench = await offered((request) => {
      if (!isFile(request) || request.path.endsWith("/moved")) return null;
      return text(status, "", { location: `${request.path}/moved` });
    }, 60);
    assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
  });

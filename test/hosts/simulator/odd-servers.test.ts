import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { PluggableBattery } from "../../../hosts/simulator/battery.ts";
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

/**
 * As a store whose addresses hold for so long, by a clock of its own, and which answers this
 * afterwards.
 */
function holdingFor(
  minutes: number,
  nowMs: () => number,
  refusal: NetworkAnswer,
): { readonly odd: Oddity; readonly refused: string[] } {
  const refused: string[] = [];
  const odd: Oddity = (request, own) => {
    if (request.path.includes("/deploymentBase/") && request.method === "GET") {
      const until = nowMs() + minutes * 60_000;
      const address = `$&?X-Amz-Signature=${"a".repeat(1400)}&until=${until}`;
      const body = new TextDecoder().decode(own.body).replace(/\/artifact\/1/, address);
      return text(200, body);
    }
    if (!isFile(request) || nowMs() < Number(request.path.split("&until=")[1])) return null;
    refused.push(request.headers["range"] ?? "");
    return refusal;
  };
  return { odd, refused };
}

const xml = (status: number, code: string): NetworkAnswer =>
  text(status, `<?xml version="1.0"?>\n<Error><Code>${code}</Code></Error>`, {
    "content-type": "application/xml",
  });

for (const [name, refusal] of [
  ["403", xml(403, "AccessDenied")],
  ["400", xml(400, "ExpiredToken")],
  ["410", xml(410, "Gone")],
  ["401", xml(401, "Unauthorized")],
  ["422", xml(422, "Expired")],
] as const)
  test(`reads the deployment again when its address ended with ${name} while the battery was low`, async () => {
    const battery = new PluggableBattery(10, 100);
    const bench = await DeviceBench.start({ battery });
    const { scheduler } = bench.world;
    const { odd, refused } = holdingFor(15, () => scheduler.nowMs, refusal);
    bench.server.interfere = (request, own) => (own.kind === "response" ? odd(request, own) : null);
    bench.server.pollSleep = "02:00:00";
    await bench.powerOn();
    bench.offer("1", "1.1.0", newer);
    await bench.pass(150);
    assert.equal(bench.running, "1.0.0");
    battery.plugIn(scheduler.nowMs);
    await bench.pass(300);
    assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
    assert.ok(refused.length >= 1 && refused.length <= 2, refused.join(" "));
    bench.world.close();
  });

test("an address that ends in the middle costs no byte twice", async () => {
  const bench = await DeviceBench.start();
  const { scheduler } = bench.world;
  // Shorter than the three blocks take at the pace of a slow link.
  const { odd, refused } = holdingFor(0.04, () => scheduler.nowMs, xml(403, "AccessDenied"));
  bench.server.interfere = (request, own) => (own.kind === "response" ? odd(request, own) : null);
  await bench.powerOn();
  bench.offer("1", "1.1.0", newer);
  await bench.pass(400);
  assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
  assert.ok(refused.length > 0);
  const { requests } = bench.server;
  const blocks = requests.filter(({ path, headers }) => {
    const [from = 0, to = 0] = (headers["range"] ?? "").slice(6).split("-").map(Number);
    return isFile({ path } as SeenRequest) && to - from > 8192;
  });
  const given = blocks.map(({ headers }) => headers["range"] ?? "");
  assert.equal(
    given.length - refused.filter((range) => given.includes(range)).length,
    new Set(given).size,
  );
  bench.world.close();
});

function wholeFile(headers: Readonly<Record<string, string>>): Oddity {
  return (request, own) => (isFile(request) ? { ...own, status: 200, headers, body: newer } : null);
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
  ["that knows no ranges", wholeFile({ "content-length": `${newer.length}` })],
  ["that knows no ranges and tells no length", wholeFile({})],
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
    "answers ranges with another file of no said length",
    (request, own) => {
      const body = newer.subarray(0, -1).map((byte) => byte ^ 1);
      return isFile(request) ? { ...own, status: 200, headers: {}, body } : null;
    },
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

test("a server without ranges whose link breaks further and further comes to an end", async () => {
  let asked = 0;
  const whole = wholeFile({ "content-length": `${newer.length}` });
  const bench = await offered((request, own) => {
    const answer = whole(request, own);
    if (answer?.kind !== "response") return answer;
    asked += 1;
    // The check reads both ends first: it is the download whose link breaks.
    return asked <= 2 ? answer : { ...answer, brokenAfterBytes: 20_000 * (asked - 2) };
  }, 120);
  assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
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

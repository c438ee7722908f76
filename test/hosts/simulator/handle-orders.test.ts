import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { type SeenRequest, text } from "../../../hosts/simulator/ddi-server.ts";
import { xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { LoopbackNetwork } from "../../../hosts/simulator/loopback-network.ts";
import type { Network, NetworkAnswer } from "../../../hosts/simulator/network.ts";
import { DeviceBench, image } from "../../support/device-bench.ts";
import { withoutClient } from "../../support/tls.ts";

// What is open in one boot after so many ends of a kind, each at another point.

type Response = Extract<NetworkAnswer, { kind: "response" }>;

/** More than may ever be open of a kind: one that each end leaves open is found before. */
const times = 80;
const firstTimes = 10;
/** Of virtual time. */
const hoursMax = 400;

const isFile = ({ path }: SeenRequest): boolean => path.startsWith("/artifact/");
const isDeployment = ({ method, path }: SeenRequest): boolean =>
  method === "GET" && path.includes("/deploymentBase/");

/** Lets time pass until that happened so often, and answers what is open at rest then. */
async function openAfter(
  bench: DeviceBench,
  count: () => number,
  wanted: number,
): Promise<Readonly<Record<string, number>>> {
  const { scheduler } = bench.world;
  const untilMs = scheduler.nowMs + hoursMax * 3_600_000;
  const { device } = bench.device;
  const isThere = () => count() >= wanted && device.open?.socket === 0;
  await scheduler.runUntil(isThere, untilMs);
  assert.ok(isThere(), `${count()} of ${wanted}: ${bench.device.console.slice(-5).join("\n")}`);
  const { open } = device;
  assert.ok(open !== null, "no firmware runs");
  return open;
}

/** Flat, whatever happened in between, and no digest but that of a file under way. */
async function staysFlat(bench: DeviceBench, count: () => number): Promise<void> {
  const before = await openAfter(bench, count, firstTimes);
  const after = await openAfter(bench, count, times);
  assert.equal(bench.boots.length, 1, bench.boots.join("\n"));
  for (const kind of ["socket", "partition", "storage"])
    assert.equal(after[kind], before[kind], kind);
  // Which timers wait depends on the moment: the next poll, the end of a pause, a look at the
  // health.
  for (const kind of ["digest", "timer"])
    assert.ok((after[kind] ?? 0) <= (before[kind] ?? 0) + 2, `${kind}: ${after[kind]}`);
  bench.world.close();
}

const small = await image("1.1.0", {
  entry: "test/support/firmware/throws.ts",
  paddingBytes: 150_000,
  blockBytes: 65_536,
});
const other = await image("1.1.1", {
  entry: "test/support/firmware/throws.ts",
  paddingBytes: 150_001,
  blockBytes: 65_536,
});

function raw(whole: string, closes: boolean): NetworkAnswer {
  return { kind: "raw", segments: [Buffer.from(whole, "latin1")], closes };
}

/** Answers of one kind, as often as somebody asks; each is one end. */
const interferences: readonly (readonly [
  string,
  (request: SeenRequest, own: Response, number: number) => NetworkAnswer | null,
])[] = [
  [
    "polls are refused in the middle of a body",
    ({ path }) =>
      /\/bench$/.test(path) ? raw(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(70_000)}`, false) : null,
  ],
  [
    "files go on behind what they are",
    (request, own) => {
      if (!isFile(request)) return null;
      const range = own.headers["content-range"] ?? "";
      const head = `HTTP/1.1 206 Partial Content\r\ncontent-range: ${range}\r\n\r\n`;
      return raw(`${head}${Buffer.from(own.body).toString("latin1")}xxxx`, false);
    },
  ],
  [
    "files have a spoilt frame in the middle",
    (request, own) => {
      if (!isFile(request)) return null;
      const range = own.headers["content-range"] ?? "";
      const head = `HTTP/1.1 206 Partial Content\r\ncontent-range: ${range}\r\ntransfer-encoding: chunked\r\n\r\n`;
      return raw(`${head}10\r\n${"y".repeat(16)}\r\nno size\r\n`, false);
    },
  ],
  [
    "the second place of a redirect closes",
    (request, own, number) => {
      if (/moved/.test(request.path)) {
        if (number % 3 === 0) return { kind: "unreachable" };
        return { ...own, brokenAfterBytes: number % 3 === 1 ? 0 : 1 };
      }
      return isFile(request) ? text(302, "<html>", { location: "../moved" }) : null;
    },
  ],
  [
    "the head of a redirect is cut",
    (request) => (isFile(request) ? raw("HTTP/1.1 302 Found\r\nlocation: ../mo", true) : null),
  ],
  [
    "a redirect goes on and on",
    (request) =>
      isFile(request) ? raw("HTTP/1.1 302 Found\r\nlocation: /artifact/1\r\n\r\n", true) : null,
  ],
  [
    "deployments break in the middle of a body",
    (request, own, number) =>
      isDeployment(request) ? { ...own, brokenAfterBytes: number % 300 } : null,
  ],
];

for (const engine of ["node", "xs"] as const) {
  const skip = engine === "xs" ? (xsEngineMissing() ?? false) : false;

  for (const [what, odd] of interferences)
    test(`engine ${engine}: what is open stays the same while ${what}`, { skip }, async () => {
      const bench = await DeviceBench.start({ engine });
      let ends = 0;
      bench.server.interfere = (request, own) => {
        if (own.kind !== "response") return null;
        const answer = odd(request, own, ends);
        if (answer !== null) ends += 1;
        return answer;
      };
      bench.offer("1", "1.1.0", small);
      await bench.powerOn();
      await staysFlat(bench, () => ends);
    });

  test(`engine ${engine}: what is open stays the same while offers replace each other in downloads`, {
    skip,
  }, async () => {
    const bench = await DeviceBench.start({ engine });
    bench.server.pollSleep = "00:00:01";
    let action = 1;
    let replaced = 0;
    bench.server.interfere = (request, own) => {
      // The second block is under way.
      if (isFile(request) && /bytes=65536-/.test(request.headers["range"] ?? "")) {
        replaced += 1;
        action += 1;
        bench.offer(String(action), "1.1.0", action % 2 === 0 ? other : small);
      }
      return own;
    };
    bench.offer("1", "1.1.0", small);
    await bench.powerOn();
    await staysFlat(bench, () => replaced);
  });

  test(`engine ${engine}: what is open stays the same while updates are cancelled in their verification`, {
    skip,
  }, async () => {
    const bench = await DeviceBench.start({
      engine,
      first: { entry: "test/support/firmware/works-slowly.ts" },
    });
    bench.server.pollSleep = "00:00:01";
    let action = 1;
    let cancels = 0;
    let verifying = 0;
    bench.server.interfere = (request, own) => {
      if (request.path.endsWith("/feedback") && /state=verifying/.test(request.body)) {
        verifying += 1;
        bench.server.cancelId = String(action);
      }
      if (request.path.includes("/cancelAction/") && request.method === "POST") {
        cancels += 1;
        action += 1;
        bench.offer(String(action), "1.1.0", cancels % 2 === 0 ? other : small);
      }
      return own;
    };
    bench.offer("1", "1.1.0", small);
    await bench.powerOn();
    await staysFlat(bench, () => cancels);
    assert.ok(verifying >= times);
    // Had one been too late, the image would have been swapped in.
    const accepted = bench.server.reports.filter((report) => report.startsWith("closed success"));
    assert.ok(accepted.length >= times);
  });

  test(`engine ${engine}: what is open stays the same while handshakes are cut`, {
    skip,
  }, async (t) => {
    const { network, cuts, url } = await cuttingServer(t);
    const bench = await DeviceBench.start({ engine, network, url, tls: withoutClient });
    await bench.powerOn();
    await staysFlat(bench, cuts);
  });
}

/**
 * Closes each connection at another point of its handshake: at once, or behind some of what it
 * says.
 */
async function cuttingServer(t: TestContext): Promise<{
  readonly network: Network;
  readonly url: string;
  cuts(): number;
}> {
  let cut = 0;
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    cut += 1;
    const way = cut % 5;
    if (way === 0) socket.destroy();
    socket.once("data", () => {
      if (way === 1) socket.destroy();
      else if (way === 2) socket.end(Uint8Array.of(22, 3, 3, 0, 80, 2, 0));
      else if (way === 3) socket.end(Uint8Array.of(21, 3, 3, 0, 2, 2, 40));
      else socket.resetAndDestroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const network = new LoopbackNetwork(5000);
  t.after(async () => {
    await network.close();
    for (const socket of open) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { network, url: `https://127.0.0.1:${port}`, cuts: () => cut };
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { type SeenRequest, text } from "../../../hosts/simulator/ddi-server.ts";
import { xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import type { NetworkAnswer } from "../../../hosts/simulator/network.ts";
import { DeviceBench, image } from "../../support/device-bench.ts";

// What common servers and proxies make of an answer: their own words in the head, another frame of
// the body. A device takes a whole update from each.

type Response = Extract<NetworkAnswer, { kind: "response" }>;

/** The lines of the head but the status; the body is framed by the first two of them. */
interface Shape {
  readonly name: string;
  readonly interim?: string;
  readonly frame: "length" | "chunked" | "close";
  readonly version?: string;
  readonly ranges?: false;
  head(length: number, range: string | null): readonly string[];
}

const date = "Date: Tue, 01 Dec 2026 04:14:01 GMT";

const shapes: readonly Shape[] = [
  {
    name: "nginx",
    frame: "length",
    head: (length, range) => [
      ...["Server: nginx/1.22.1", date, "Content-Type: application/octet-stream"],
      ...[`Content-Length: ${length}`, "Connection: keep-alive", 'ETag: "6b0e497c-8725d"'],
      ...(range === null ? [] : [`Content-Range: ${range}`]),
    ],
  },
  {
    name: "nginx without ranges, with side includes",
    frame: "chunked",
    ranges: false,
    head: () => [
      "Server: nginx/1.22.1",
      date,
      "Transfer-Encoding: chunked",
      "Connection: keep-alive",
    ],
  },
  {
    name: "nginx as a proxy of HTTP/1.0",
    frame: "close",
    ranges: false,
    head: () => ["Server: nginx/1.22.1", date, "Connection: close"],
  },
  {
    name: "caddy",
    frame: "length",
    head: (length, range) => [
      ...["Accept-Ranges: bytes", `Content-Length: ${length}`, 'Etag: "tpcmf0bv4t"'],
      ...(range === null ? [] : [`Content-Range: ${range}`]),
      ...["Content-Type: application/x-raw-disk-image", "Server: Caddy", date],
    ],
  },
  {
    name: "apache with mod_deflate and ProxyVia",
    frame: "length",
    head: (length, range) => [
      ...[date, "Server: Apache/2.4.71 (Debian) OpenSSL/3.0.19", "Accept-Ranges: bytes"],
      ...[`Content-Length: ${length}`, "Vary: Accept-Encoding", "Via: 1.1 127.0.0.1"],
      ...(range === null ? [] : [`Content-Range: ${range}`]),
      ...["Keep-Alive: timeout=5, max=100", "Connection: Keep-Alive"],
    ],
  },
  {
    name: "lighttpd without ranges",
    frame: "length",
    ranges: false,
    head: (length) => [`Content-Length: ${length}`, date, "Server: lighttpd/1.4.69"],
  },
  {
    name: "haproxy, which writes names as it is told",
    frame: "length",
    head: (length, range) => [
      ...[`CONTENT-LENGTH: ${length}`, "Content-TYPE: application/json", "via: 1.1 haproxy"],
      ...(range === null ? [] : [`CoNtEnT-rAnGe: ${range}`]),
      ...["cache-control: no-cache", "connection: close"],
    ],
  },
  {
    name: "varnish",
    frame: "length",
    head: (length, range) => [
      ...[date, "X-Varnish: 32770 3", "Age: 12", "Via: 1.1 varnish (Varnish/7.1)"],
      ...(range === null ? [] : [`Content-Range: ${range}`]),
      ...[
        `Content-Length: ${length}`,
        "Accept-Ranges: bytes",
        "Connection: keep-alive",
        "X-Empty:",
      ],
    ],
  },
  {
    name: "a gateway in chunks, with 100 and 103 before",
    interim:
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n",
    frame: "chunked",
    head: (_length, range) => [
      ...["transfer-encoding: Chunked", "trailer: x-sum"],
      ...(range === null ? [] : [`content-range: Bytes ${range.slice(6).replace(/\/\d+/, "/*")}`]),
    ],
  },
  {
    name: "an appliance of HTTP/1.0",
    version: "HTTP/1.0",
    frame: "length",
    head: (length, range) => [
      ...[`Content-length:${length}`, "Server:"],
      ...(range === null ? [] : [`Content-range:${range}`]),
    ],
  },
];

const chunkBytes = 5000;

function chunked(body: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  for (let offset = 0; offset < body.length; offset += chunkBytes) {
    const part = body.subarray(offset, offset + chunkBytes);
    parts.push(Buffer.from(`${part.length.toString(16).toUpperCase()};x=y\r\n`), Buffer.from(part));
    parts.push(Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\nX-Sum: 1\r\n\r\n")]);
}

const pieceBytes = 1460;

function shaped(shape: Shape, own: Response, file: Uint8Array | null): NetworkAnswer {
  const isWhole = shape.ranges === false && file !== null;
  const body = isWhole ? file : own.body;
  const range = isWhole ? null : (own.headers["content-range"] ?? null);
  const status = isWhole ? 200 : own.status;
  const lines = [`${shape.version ?? "HTTP/1.1"} ${status} OK`, ...shape.head(body.length, range)];
  const head = Buffer.from(`${shape.interim ?? ""}${lines.join("\r\n")}\r\n\r\n`, "latin1");
  const framed = shape.frame === "chunked" ? chunked(body) : Buffer.from(body);
  const whole = Buffer.concat([head, framed]);
  const segments: Uint8Array[] = [];
  for (let offset = 0; offset < whole.length; offset += pieceBytes)
    segments.push(whole.subarray(offset, offset + pieceBytes));
  return { kind: "raw", segments, closes: shape.frame === "close" };
}

const newer = await image("1.1.0", { paddingBytes: 30_000, blockBytes: 65_536 });
const isFile = ({ path }: SeenRequest): boolean => path.includes("/artifact/");

for (const engine of ["node", "xs"] as const)
  for (const shape of shapes)
    test(`engine ${engine} takes an update from ${shape.name}`, {
      skip: engine === "xs" ? (xsEngineMissing() ?? false) : false,
    }, async () => {
      const bench = await DeviceBench.start({ engine });
      bench.server.interfere = (request, own) =>
        own.kind === "response" ? shaped(shape, own, isFile(request) ? newer : null) : null;
      await bench.powerOn();
      bench.offer("1", "1.1.0", newer);
      await bench.pass(20);
      assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
      assert.match(bench.verdict ?? "", /closed success/);
      assert.deepEqual(bench.device.device.open?.socket, 0);
      bench.world.close();
    });

/** Places that servers name, from `/artifact/1`, and where they lead. */
const places: readonly (readonly [string, string])[] = [
  ["moved/1?signed=1", "/artifact/moved/1?signed=1"],
  ["../moved/1", "/moved/1"],
  ["./../../../moved/1", "/moved/1"],
  ["?signed=1", "/artifact/1?signed=1"],
  ["/moved/1/", "/moved/1/"],
  ["//127.0.0.1:80/a/../moved/1", "/moved/1"],
  [`http://127.0.0.1/moved/1?${"a".repeat(1500)}`, `/moved/1?${"a".repeat(1500)}`],
];

for (const [location, path] of places)
  test(`follows every part of a file to ${location.slice(0, 40)}`, async () => {
    const bench = await DeviceBench.start();
    const asked: string[] = [];
    bench.server.interfere = (request, own) => {
      if (own.kind !== "response" || !/artifact|moved/.test(request.path)) return null;
      if (request.path === "/artifact/1")
        return text(302, "<html>moved</html>", { location, "content-type": "text/html" });
      asked.push(request.path);
      const [first = 0, last = 0] = (request.headers["range"] ?? "")
        .slice(6)
        .split("-")
        .map(Number);
      const headers = { "content-range": `bytes ${first}-${last}/${newer.length}` };
      const body = newer.subarray(first, last + 1);
      return { ...own, status: 206, headers, body };
    };
    await bench.powerOn();
    bench.offer("1", "1.1.0", newer);
    await bench.pass(20);
    assert.equal(bench.running, "1.1.0", bench.server.reports.join("\n"));
    assert.deepEqual([...new Set(asked)], [path]);
    bench.world.close();
  });

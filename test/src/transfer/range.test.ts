import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../../../src/ports/http.ts";
import { fetchRange, type RangeRequest } from "../../../src/transfer/range.ts";
import { rangeOf, type Script, ScriptedHttp } from "../../support/scripted-http.ts";

const file = Uint8Array.from({ length: 10_000 }, (_, index) => (index * 7) % 251);

const request: RangeRequest = {
  url: "http://server/file",
  headers: { authorization: "TargetToken t" },
  fromBytes: 4096,
  toBytes: 8192,
  totalBytes: file.length,
  timeoutMs: 60_000,
};

async function fetched(script: Script | null, sink?: (bytes: Uint8Array) => boolean) {
  const got: number[] = [];
  const http = new ScriptedHttp((sent) => script ?? rangeOf(file, sent));
  const result = await fetchRange(http, request, (bytes) => {
    const wanted = sink?.(bytes) ?? true;
    if (wanted) got.push(...bytes);
    return wanted;
  });
  return { result, got, http };
}

const failed = (failure: string, retryAfterMs: number | null = null) => ({
  ok: false,
  failure,
  retryAfterMs,
});
const whole = { "content-range": "bytes 4096-8191/10000" };

test("asks for exactly the range and hands over its bytes", async () => {
  const { result, got, http } = await fetched(null);
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(got, [...file.subarray(4096, 8192)]);
  const [sent] = http.requests;
  assert.equal(sent?.headers["range"], "bytes=4096-8191");
  assert.equal(sent?.headers["authorization"], "TargetToken t");
  assert.equal(sent?.bodyBytesMax, file.length);
});

for (const [name, script, expected] of [
  [
    "the range under 200",
    {
      status: 200,
      headers: { ...whole, "content-length": "4096" },
      body: file.subarray(4096, 8192),
    },
    failed("response-invalid"),
  ],
  [
    "another file under 200",
    { status: 200, headers: { "content-length": "9999" }, body: file.subarray(1) },
    failed("response-invalid"),
  ],
  [
    "a page under 200",
    { status: 200, headers: { "content-type": "text/HTML" }, body: file },
    failed("response-invalid"),
  ],
  [
    "a short answer under 200 whose length is not said",
    { status: 200, body: file.subarray(0, 4096) },
    { ...failed("response-invalid"), isUnproven: true },
  ],
  [
    "206 without Content-Range",
    { status: 206, body: file.subarray(4096, 8192) },
    failed("response-invalid"),
  ],
  [
    "another start",
    {
      status: 206,
      headers: { "content-range": "bytes 0-4095/10000" },
      body: file.subarray(0, 4096),
    },
    failed("response-invalid"),
  ],
  [
    "a range that begins behind",
    {
      status: 206,
      headers: { "content-range": "bytes 4097-8191/10000" },
      body: file.subarray(4097, 8192),
    },
    failed("response-invalid"),
  ],
  [
    "a range that goes on behind the file",
    { status: 206, headers: { "content-range": "bytes 4096-10000/*" }, body: file },
    failed("response-invalid"),
  ],
  [
    "a range whose length is another",
    {
      status: 206,
      headers: { "content-range": "bytes 4096-8191/10000", "content-length": "4095" },
      body: file.subarray(4096, 8191),
    },
    failed("response-invalid"),
  ],
  [
    "a range in a frame of several",
    {
      status: 206,
      headers: {
        "content-range": "bytes 4096-8191/10000",
        "content-type": "Multipart/byteranges; boundary=x",
      },
      body: file.subarray(4096, 8192),
    },
    failed("response-invalid"),
  ],
  [
    "a range that ends before it begins",
    { status: 206, headers: { "content-range": "bytes 4096-4095/10000" }, body: file },
    failed("response-invalid"),
  ],
  [
    "two ranges",
    {
      status: 206,
      headers: { "content-range": "bytes 4096-8191/10000, bytes 4096-8191/10000" },
      body: file.subarray(4096, 8192),
    },
    failed("response-invalid"),
  ],
  [
    "a file of another length",
    {
      status: 206,
      headers: { "content-range": "bytes 4096-8191/10001" },
      body: file.subarray(4096, 8192),
    },
    failed("response-invalid"),
  ],
  ["416", { status: 416 }, failed("response-invalid")],
  [
    "a redirect",
    { status: 302, headers: { location: "http://elsewhere/" } },
    failed("response-invalid"),
  ],
  ["400", { status: 400, body: "<Error><Code>ExpiredToken" }, failed("artifact-denied")],
  ["401", { status: 401 }, failed("artifact-denied")],
  ["403", { status: 403 }, failed("artifact-denied")],
  ["404", { status: 404 }, failed("artifact-missing")],
  ["410", { status: 410 }, failed("artifact-missing")],
  ["500", { status: 500 }, failed("server-error")],
  [
    "503 with Retry-After",
    { status: 503, headers: { "retry-after": "30" } },
    failed("server-error", 30_000),
  ],
  [
    "429 with Retry-After",
    { status: 429, headers: { "retry-after": "5" } },
    failed("server-error", 5000),
  ],
  ["a timeout", { failure: "timeout" }, failed("network")],
  ["no connection", { failure: "connection" }, failed("network")],
  ["an address that cannot be fetched", { failure: "bad-url" }, failed("unsupported-url")],
] as const)
  test(`answers ${expected.failure} for ${name}, and no byte reaches the sink`, async () => {
    const { result, got } = await fetched(script);
    assert.deepEqual(result, expected);
    assert.deepEqual(got, []);
  });

test("keeps what came before the connection broke, and answers network", async () => {
  const body = file.subarray(4096, 8192);
  const { result, got } = await fetched({
    status: 206,
    headers: whole,
    body,
    brokenAfterBytes: 2000,
  });
  assert.deepEqual(result, failed("network"));
  assert.deepEqual(got, [...file.subarray(4096, 6096)]);
});

test("answers network for a body that ends early without an error", async () => {
  const body = file.subarray(4096, 8000);
  const { result, got } = await fetched({ status: 206, headers: whole, body });
  assert.deepEqual(result, failed("network"));
  assert.equal(got.length, body.length);
});

test("never hands over more than the range when a port does not hold the bound", async () => {
  const got: number[] = [];
  const result = await fetchRange(
    {
      send(_request, receiver) {
        receiver.head({ status: 206, headers: new Map(Object.entries(whole)) });
        const more = receiver.body(file.subarray(4096, 8192)) && receiver.body(file.subarray(0, 1));
        if (more) receiver.done();
        else receiver.failed("aborted");
      },
    },
    request,
    (bytes) => got.push(...bytes) > 0,
  );
  assert.deepEqual(result, { ...failed("response-invalid"), isUnproven: true });
  assert.equal(got.length, 4096);
});

test("answers refused when the sink wants no more", async () => {
  let calls = 0;
  const { result } = await fetched(null, () => {
    calls += 1;
    return calls < 2;
  });
  assert.deepEqual(result, failed("refused"));
  assert.equal(calls, 2);
});

for (const [name, changed] of [
  ["a unit in capitals", (text: string) => text.replace("bytes", "BYTES")],
  ["a total that it does not tell", (text: string) => text.replace("/10000", "/*")],
  ["spaces around", (text: string) => text.replace("bytes ", "bytes   ").replace("/", " / ")],
] as const)
  test(`takes a range with ${name}`, async () => {
    const headers = { "content-range": changed("bytes 4096-8191/10000") };
    const body = file.subarray(4096, 8192);
    const { result, got } = await fetched({ status: 206, headers, body });
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(got, [...body]);
  });

test("asks for the rest where a server gives less than it was asked for", async () => {
  const capped = (sent: HttpRequest): Script => {
    const [from = 0, to = 0] = (sent.headers["range"] ?? "").slice(6).split("-").map(Number);
    const last = Math.min(to, from + 999);
    const headers = { "content-range": `bytes ${from}-${last}/10000` };
    return { status: 206, headers, body: file.subarray(from, last + 1) };
  };
  const got: number[] = [];
  const http = new ScriptedHttp(capped);
  const result = await fetchRange(http, request, (bytes) => {
    got.push(...bytes);
    return true;
  });
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(got, [...file.subarray(4096, 8192)]);
  const ranges = http.requests.map(({ headers }) => headers["range"]);
  assert.deepEqual(ranges.slice(0, 2), ["bytes=4096-8191", "bytes=5096-8191"]);
  assert.equal(ranges.length, 5);
});

test("gives up a server that gives a byte at a time, and keeps what came", async () => {
  let bytes = 0;
  const http = new ScriptedHttp((sent) => {
    const from = Number((sent.headers["range"] ?? "").slice(6).split("-")[0]);
    const headers = { "content-range": `bytes ${from}-${from}/10000` };
    return { status: 206, headers, body: file.subarray(from, from + 1) };
  });
  const result = await fetchRange(http, request, (piece) => {
    bytes += piece.length;
    return true;
  });
  assert.deepEqual(result, failed("response-invalid"));
  assert.deepEqual([http.requests.length, bytes], [64, 64]);
});

/** What one answer gives to the sink, and how it ends. */
async function taken(script: Script, changes: Partial<RangeRequest> = {}) {
  const got: number[] = [];
  const http = new ScriptedHttp(() => script);
  const result = await fetchRange(http, { ...request, ...changes }, (bytes) => {
    got.push(...bytes);
    return true;
  });
  return { result, got, deliveredBytes: http.deliveredBytes };
}

const said = { "content-length": "10000" };
const chunked = { "transfer-encoding": "chunked" };

for (const [name, script] of [
  ["a whole file under 200", { status: 200, headers: said, body: file }],
  ["a whole file in chunks", { status: 200, headers: chunked, body: file }],
  ["a whole file until the close", { status: 200, body: file }],
  [
    "a longer range",
    {
      status: 206,
      headers: { "content-range": "bytes 100-9000/10000" },
      body: file.subarray(100, 9001),
    },
  ],
] as const satisfies readonly (readonly [string, Script])[])
  test(`takes what was asked for out of ${name}`, async () => {
    const { result, got } = await taken(script);
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(got, [...file.subarray(4096, 8192)]);
  });

test("breaks off behind what it wants, where the length was said before", async () => {
  const { deliveredBytes } = await taken({ status: 200, headers: said, body: file });
  assert.equal(deliveredBytes, 9000); // in pieces of 1,500
});

test("takes all that follows where the rest is welcome and the server knows no ranges", async () => {
  const welcome = { isRestWelcome: true };
  for (const headers of [said, chunked]) {
    const { result, got } = await taken({ status: 200, headers, body: file }, welcome);
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(got, [...file.subarray(4096)]);
  }
  const headers = { "content-range": "bytes 0-9999/10000" };
  const { got } = await taken({ status: 206, headers, body: file }, welcome);
  assert.deepEqual(got, [...file.subarray(4096, 8192)]);
});

for (const [name, script, failure] of [
  ["breaks", { status: 200, headers: chunked, body: file, brokenAfterBytes: 6000 }, "network"],
  ["ends early", { status: 200, headers: chunked, body: file.subarray(1) }, "response-invalid"],
  ["is too long", { status: 200, body: Uint8Array.of(...file, 1) }, "response-invalid"],
] as const satisfies readonly (readonly [string, Script, string])[])
  test(`calls unproven what came of an answer without a length that ${name}`, async () => {
    const { result } = await taken(script);
    assert.deepEqual(result, { ...failed(failure), isUnproven: true });
  });

test("calls unproven what came of a range whose body goes on behind it", async () => {
  const { result } = await taken({ status: 206, headers: whole, body: file.subarray(4096, 8193) });
  assert.deepEqual(result, { ...failed("response-invalid"), isUnproven: true });
});

test("keeps what came of a whole file whose link breaks", async () => {
  const script = { status: 200, headers: said, body: file, brokenAfterBytes: 6000 };
  const { result, got } = await taken(script);
  assert.deepEqual(result, failed("network"));
  assert.deepEqual(got, [...file.subarray(4096, 6000)]);
});

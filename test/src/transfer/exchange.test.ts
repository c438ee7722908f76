import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../../../src/ports/http.ts";
import { exchange, oneAtATime, retryAfterMs } from "../../../src/transfer/exchange.ts";
import { settle } from "../../support/manual-clock.ts";
import { LogLines } from "../../support/plain-ports.ts";
import { type Script, ScriptedHttp } from "../../support/scripted-http.ts";

const request: HttpRequest = {
  method: "GET",
  url: "http://server/",
  headers: {},
  body: null,
  timeoutMs: 1000,
  bodyBytesMax: 5000,
};

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("collects a body that comes in pieces", async () => {
  const body = "x".repeat(5000);
  const answer = await exchange(new ScriptedHttp(() => ({ status: 200, body })), request);
  assert.ok(answer.ok);
  assert.equal(text(answer.body), body);
});

test("keeps the bytes of each piece, which are valid during the call only", async () => {
  const piece = Uint8Array.of(1);
  const answer = await exchange(
    {
      send(_request, receiver) {
        receiver.head({ status: 200, headers: new Map() });
        receiver.body(piece);
        piece[0] = 9;
        receiver.done();
      },
    },
    request,
  );
  assert.ok(answer.ok);
  assert.deepEqual([...answer.body], [1]);
});

test("answers why there is no response", async () => {
  for (const failure of ["timeout", "connection", "bad-url"] as const)
    assert.deepEqual(await exchange(new ScriptedHttp(() => ({ failure })), request), {
      ok: false,
      failure,
    });
  const tooLong = new ScriptedHttp(() => ({ status: 200, body: new Uint8Array(5001) }));
  assert.deepEqual(await exchange(tooLong, request), { ok: false, failure: "body-too-large" });
});

test("tells the status of an error whose page is longer than any answer may be", async () => {
  const script: Script = {
    status: 503,
    headers: { "retry-after": "7" },
    body: new Uint8Array(100_000),
  };
  const answer = await exchange(new ScriptedHttp(() => script), request);
  assert.ok(answer.ok);
  assert.equal(answer.head.status, 503);
  assert.equal(answer.body.length, 0);
  assert.equal(retryAfterMs(answer.head), 7000);
});

test("sends the next request only after the one before has ended", async () => {
  const finishes: ((script: Script) => void)[] = [];
  const below = new ScriptedHttp(() => ({ hold: (finish) => void finishes.push(finish) }));
  const http = oneAtATime(below, new LogLines());
  const answers = [exchange(http, request), exchange(http, request), exchange(http, request)];
  await settle();
  assert.equal(below.requests.length, 1);
  finishes[0]?.({ failure: "timeout" });
  await settle();
  assert.equal(below.requests.length, 2);
  finishes[1]?.({ status: 200 });
  await settle();
  finishes[2]?.({ status: 404 });
  assert.deepEqual(
    (await Promise.all(answers)).map((answer) => (answer.ok ? answer.head.status : answer.failure)),
    ["timeout", 200, 404],
  );
  assert.equal(below.openMax, 1);
});

test("goes on after a port that throws: that exchange failed, the next has its turn", async () => {
  const log = new LogLines();
  const scripts: Script[] = [{ throws: new Error("out of sockets") }, { status: 200 }];
  const http = oneAtATime(new ScriptedHttp(() => scripts.shift() ?? { status: 500 }), log);
  const [first, second] = await Promise.all([exchange(http, request), exchange(http, request)]);
  assert.deepEqual(first, { ok: false, failure: "connection" });
  assert.equal(second.ok, true);
  assert.match(log.lines[0] ?? "", /out of sockets/);
});

test("lets an exchange end once, whatever the port below says", async () => {
  const ends: string[] = [];
  const http = oneAtATime(
    {
      send(_request, receiver) {
        receiver.failed("timeout");
        receiver.head({ status: 200, headers: new Map() });
        receiver.body(new Uint8Array(1));
        receiver.done();
        throw new Error("late");
      },
    },
    new LogLines(),
  );
  http.send(request, {
    head: () => ends.push("head") > 0,
    body: () => ends.push("body") > 0,
    done: () => void ends.push("done"),
    failed: (failure) => void ends.push(failure),
  });
  await settle();
  assert.deepEqual(ends, ["timeout"]);
});

for (const [value, expected] of [
  [undefined, null],
  ["0", 0],
  ["120", 120_000],
  ["999999", 3_600_000],
  ["1234567", 3_600_000],
  ["9999999999999", 3_600_000],
  ["9".repeat(400), 3_600_000],
  ["", null],
  ["5, 7", null],
  ["-1", null],
  ["1.5", null],
  // Nobody knows the time.
  ["Wed, 21 Oct 2026 07:28:00 GMT", null],
] as const)
  test(`takes Retry-After: ${value} for ${expected} ms`, () => {
    const headers = new Map(value === undefined ? [] : [["retry-after", value]]);
    assert.equal(retryAfterMs({ status: 503, headers }), expected);
  });

const at = Date.UTC(2026, 9, 21, 7, 28);
for (const [value, date, unixMs, expected] of [
  ["Wed, 21 Oct 2026 07:29:00 GMT", undefined, at, 60_000],
  ["Wed, 21 Oct 2026 07:29:00 GMT", "Wed, 21 Oct 2026 07:28:30 GMT", at, 30_000],
  ["Wed, 21 Oct 2026 07:29:00 GMT", "Wed, 21 Oct 2026 07:28:30 GMT", null, 30_000],
  ["Wednesday, 21-Oct-26 07:29:00 GMT", undefined, at, 60_000],
  ["Wed Oct 21 07:29:00 2026", "no date", at, 60_000],
  ["Wed, 21 Oct 2026 07:27:00 GMT", undefined, at, 0],
  ["Thu, 21 Oct 2027 07:28:00 GMT", undefined, at, 3_600_000],
  ["Wed, 31 Feb 2026 07:28:00 GMT", undefined, at, null],
  ["Wed, 21 Oct 2026 25:28:00 GMT", undefined, at, null],
  ["Wed, 21 Oct 2026 07:28:00 CET", undefined, at, null],
] as const)
  test(`waits until ${value}: ${expected} ms when the server says ${date} and the clock ${unixMs}`, () => {
    const headers = new Map([["retry-after", value as string]]);
    if (date !== undefined) headers.set("date", date);
    assert.equal(retryAfterMs({ status: 503, headers, unixMs }), expected);
  });

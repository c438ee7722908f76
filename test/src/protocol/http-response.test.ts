import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseReader } from "../../../src/protocol/http-response.ts";
import { type HttpAnswer, httpAnswers } from "../../support/http-answers.ts";

/** What a reader makes of an answer that comes in these pieces. */
function read({ method, closes }: HttpAnswer, pieces: readonly Uint8Array[]): string {
  let status = 0;
  let bytes = 0;
  const reader = new ResponseReader(method, {
    head(head) {
      status = head.status;
      return true;
    },
    body(piece) {
      bytes += piece.length;
      return true;
    },
  });
  for (const piece of pieces) reader.take(piece);
  const state = closes ? reader.closed() : reader.take(new Uint8Array(0));
  return state === "done" ? `${status} of ${bytes} bytes` : state;
}

function expectedOf({ expected }: HttpAnswer): string {
  const [status = "", ...rest] = expected.split(" ");
  const long = /^(\d+) bytes$/.exec(rest.join(" "));
  if (status.length === 3) return `${status} of ${long?.[1] ?? rest.join(" ").length} bytes`;
  if (status === "connection") return "cut";
  return status === "timeout" ? "reading" : status;
}

/** Lengths are the exchange's to judge. */
const readable = httpAnswers.filter(({ expected }) => expected !== "body-too-large");

for (const answer of readable)
  test(`reads ${answer.name} as ${answer.expected}, however its bytes are cut`, () => {
    const whole = Buffer.from(answer.segments.join(""), "latin1");
    const expected = expectedOf(answer);
    assert.equal(read(answer, [whole]), expected);
    assert.equal(
      read(
        answer,
        [...whole].map((octet) => Uint8Array.of(octet)),
      ),
      expected,
    );
    const cuts = Math.min(whole.length, 300);
    for (let cut = 1; cut < cuts; cut += 1)
      assert.equal(read(answer, [whole.subarray(0, cut), whole.subarray(cut)]), expected);
  });

test("hands over the headers that the firmware reads, repeated ones as a list", () => {
  const seen: [number, [string, string][]][] = [];
  const reader = new ResponseReader("GET", {
    head({ status, headers }) {
      seen.push([status, [...headers]]);
      return true;
    },
    body: () => true,
  });
  const head =
    "HTTP/1.1 103 Hints\r\nRetry-After: 1\r\n\r\nHTTP/1.1 206 Partial\r\nServer: x\r\n" +
    "Content-Range:bytes 0-1/2 \r\nRETRY-AFTER: \t5\r\ncontent-type: a/b\r\nContent-Type: c/d\r\n" +
    "Content-Length: 2\r\n\r\nok";
  assert.equal(reader.take(Buffer.from(head)), "done");
  const headers: [string, string][] = [
    ["content-range", "bytes 0-1/2"],
    ["retry-after", "5"],
    ["content-type", "a/b, c/d"],
    ["content-length", "2"],
  ];
  assert.deepEqual(seen, [[206, headers]]);
});

test("stops at once when nothing more is wanted, and stays so", () => {
  let bodies = 0;
  const reader = new ResponseReader("GET", {
    head: () => true,
    body() {
      bodies += 1;
      return false;
    },
  });
  const answer = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  assert.equal(reader.take(answer), "stopped");
  assert.equal(reader.take(Buffer.from("cd")), "stopped");
  assert.equal(reader.closed(), "stopped");
  assert.equal(bodies, 1);
});

test("hands over the status of a refusal in whatever coding its page is", () => {
  let status = 0;
  const reader = new ResponseReader("GET", {
    head(head) {
      status = head.status;
      return false;
    },
    body: () => true,
  });
  reader.take(Buffer.from("HTTP/1.1 503 Busy\r\ncontent-encoding: gzip\r\n\r\n"));
  assert.equal(status, 503);
});

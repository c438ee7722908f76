import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { ResponseReader } from "../../../src/protocol/http-response.ts";

// Legal answers of any making, in pieces of any size: the firmware's reader says of them what
// Node's own parser does.

const octets = (max: number, characters: string) =>
  fc.array(fc.constantFrom(...characters), { maxLength: max }).map((chosen) => chosen.join(""));
const space = fc.constantFrom("", " ", "  ", "\t", " \t ");
const name = octets(12, "abcXYZ019!#$%&'*+-.^_`|~").map((text) => `x-${text}`);
const value = octets(40, 'abc XYZ019;=,"()<>/?@[]{}\\:\t\xe9\xff').map((text) => text.trim());
const field = fc.tuple(name, space, value, space).map(([key, before, text, behind]) => {
  return `${key}:${before}${text}${behind}\r\n`;
});
const fields = fc.array(field, { maxLength: 4 }).map((lines) => lines.join(""));

/** The text with each letter in either case. */
const cased = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((uppers) => [...text].map((c, at) => (uppers[at] ? c.toUpperCase() : c)).join(""));

const interim = fc
  .tuple(fc.constantFrom(100, 102, 103, 110, 199), fc.constantFrom("", " ", " Early Hints"), fields)
  .map(([status, reason, lines]) => `HTTP/1.1 ${status}${reason}\r\n${lines}\r\n`);

/** A chunk's size with what may stand before and behind it. */
const sized = (bytes: number) =>
  fc
    .tuple(
      fc.constantFrom("", "0", "000"),
      cased(bytes.toString(16)),
      fc.constantFrom("", ";x", ";x=y", ';x="q;z"', ";a=1;b"),
    )
    .map((parts) => `${parts.join("")}\r\n`);

const content = fc
  .uint8Array({ maxLength: 2500 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

const chunk = content
  .filter((text) => text !== "")
  .chain((text) => sized(text.length).map((size) => `${size}${text}\r\n`));
const chunks = fc
  .tuple(fc.array(chunk, { maxLength: 4 }), sized(0), fields)
  .map(([parts, last, trailers]) => `${parts.join("")}${last}${trailers}\r\n`);

/** What frames a body, and the body. */
const framed = fc.oneof(
  fc
    .tuple(content, cased("content-length"), space, space)
    .map(([text, key, before, behind]) => [`${key}:${before}${text.length}${behind}\r\n`, text]),
  // Node refuses a tab behind it, which is legal (RFC 9110, 5.5).
  fc
    .tuple(chunks, cased("transfer-encoding"), space, cased("chunked"))
    .map(([text, key, before, coding]) => [`${key}:${before}${coding}\r\n`, text]),
  content.map((text) => ["connection: close\r\n", text]),
);

const location = fc
  .tuple(cased("location"), space, value)
  .map(([key, before, text]) => `${key}:${before}${text}\r\n`);

const answer = fc
  .tuple(
    fc.array(interim, { maxLength: 4 }),
    fc.constantFrom(200, 200, 206, 204, 304, 301, 404, 500, 599),
    fc.constantFrom(" ", " OK", " A long reason \xe9"),
    fields,
    framed,
    fc.option(location, { nil: "" }),
    fields,
  )
  .map(([interims, status, reason, before, [frame = "", body = ""], place, behind]) => {
    const head = `HTTP/1.1 ${status}${reason}\r\n${before}${frame}${place}${behind}\r\n`;
    const isBodyless = status === 204 || status === 304;
    return Buffer.from(`${interims.join("")}${head}${isBodyless ? "" : body}`, "latin1");
  });

interface Said {
  readonly end: string;
  readonly status: number | undefined;
  readonly location: string | undefined;
  readonly body: string;
}

/** In pieces of these sizes, over and over, from a connection that closes behind them. */
function readByFirmware(bytes: Uint8Array, sizes: readonly number[]): Said {
  let status: number | undefined;
  let place: string | undefined;
  const parts: Buffer[] = [];
  const reader = new ResponseReader("GET", {
    head(head) {
      status = head.status;
      place = head.headers.get("location");
      return true;
    },
    body: (part) => parts.push(Buffer.from(part)) > 0,
  });
  let turn = 0;
  for (let at = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    if (reader.take(bytes.subarray(at, at + size)) !== "reading") break;
    at += size;
  }
  const end = reader.closed();
  return { end, status, location: place, body: Buffer.concat(parts).toString("latin1") };
}

async function readByNode(port: number): Promise<Said> {
  const asked = request({ host: "127.0.0.1", port, agent: false });
  asked.end();
  const [incoming] = await once(asked, "response");
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part);
  const { statusCode: status, headers, complete } = incoming;
  const body = Buffer.concat(parts).toString("latin1");
  return { end: complete ? "done" : "cut", status, location: headers.location, body };
}

test("reads legal answers as Node's parser does, in pieces of any size", async (t) => {
  let bytes: Uint8Array = new Uint8Array(0);
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(bytes));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const sizes = fc.array(fc.constantFrom(1, 1, 2, 3, 7, 50, 500), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(answer, sizes, async (made, pieces) => {
      bytes = made;
      assert.deepEqual(readByFirmware(made, pieces), await readByNode(port));
    }),
    { numRuns: 300, interruptAfterTimeLimit: 60_000 },
  );
});

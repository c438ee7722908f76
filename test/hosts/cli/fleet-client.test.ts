import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { sluice } from "../../support/command-line.ts";

async function listening(context: TestContext, server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  context.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answering = (status: number, type: string, body: string): RequestListener => {
  return (_request, response) => {
    response.writeHead(status, { "content-type": type });
    response.end(body);
  };
};

const page = "<!DOCTYPE html>\n<html><body>Sign in to the \u001b[31mproxy</body></html>";

/** What stands between a command and its server, or instead of it. */
const others: ReadonlyArray<readonly [string, RequestListener, RegExp]> = [
  [
    "a proxy's page",
    answering(200, "text/html", page),
    /not as a fleet server: it says "<!DOCTYPE/,
  ],
  ["a proxy's error", answering(502, "text/html", page), /answered 502, .* any proxy between/],
  ["another API", answering(200, "application/json", '{"status":"ok"}'), /not as a fleet server/],
  [
    "a list of something else",
    answering(
      200,
      "application/json",
      '{"items":[null],"next":null,"id":1,"state":"x","stages":[{}]}',
    ),
    /not as a fleet server/,
  ],
  [
    "members that are no lists",
    answering(200, "application/json", '{"items":7,"next":{},"id":1,"state":"x","stages":null}'),
    /not as a fleet server/,
  ],
  ["JSON that is no object", answering(200, "application/json", "[1]"), /not as a fleet server/],
  ["no body", answering(204, "text/plain", ""), /it says nothing/],
  [
    "an answer that is cut off",
    (_request, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("{", () => response.destroy());
    },
    /the other side ended the connection|no answer from/,
  ],
  [
    "an endless answer",
    (_request, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(1024 * 1024, 0x20), more);
      };
      more();
    },
    /more than 67108864 bytes/,
  ],
];

for (const [what, listener, says] of others)
  test(`tells ${what} in one line and ends with 69`, async (context) => {
    const url = await listening(context, createServer(listener));
    for (const line of [
      ["device", "list"],
      ["rollout", "show", "1"],
      ["release", "list"],
    ]) {
      const { exitCode, stderr } = await sluice(...line, "--fleet", url);
      assert.equal(exitCode, 69, stderr);
      assert.match(stderr, says);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
      assert.ok(!stderr.includes("\u001b"));
    }
  });

test("tells who cannot be reached, and why", async (context) => {
  const deaf = createTcpServer((socket) => socket.destroy());
  const url = await listening(context, deaf);
  const gone = createTcpServer();
  const silent = await listening(context, gone);
  await new Promise((resolve) => gone.close(resolve));
  const cases: ReadonlyArray<readonly [string, RegExp]> = [
    [silent, /nothing listens there.*ECONNREFUSED/],
    ["http://nonexistent.invalid", /no such host|cannot be looked up/],
    [url, /ended the connection/],
    [url.replace("http:", "https:"), /no answer|does not speak https/],
  ];
  for (const [fleet, says] of cases) {
    const { exitCode, stderr } = await sluice("device", "list", "--fleet", fleet);
    assert.equal(exitCode, 69, stderr);
    assert.match(stderr, says);
  }
});

test("refuses addresses and tokens that no request could carry", async () => {
  for (const fleet of [
    "http://me:secret@fleet",
    "http://fleet/?x=1",
    "http://fleet/#x",
    "ftp://x",
  ]) {
    const { exitCode, stderr } = await sluice("device", "list", "--fleet", fleet);
    assert.equal(exitCode, 2, stderr);
  }
  for (const token of ["two words", "zeile\n", "schlüssel", ""]) {
    const { exitCode, stderr } = await sluice("device", "list", "--token", token);
    assert.equal(exitCode, 2, stderr);
    assert.ok(token === "" || !stderr.includes(token));
  }
});

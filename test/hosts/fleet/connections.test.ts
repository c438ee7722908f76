import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { FleetTls } from "../../../hosts/fleet/access/tls-options.ts";
import type { ConnectionLimits } from "../../../hosts/fleet/connections.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { hangMs } from "../../support/patience.ts";
import { authority, certificate, served } from "../../support/tls.ts";
import { makeImage, TestFleet } from "./test-fleet.ts";

const quick = { headersMs: 150, requestMs: 300, tlsHandshakeMs: 150, checkEveryMs: 50 } as const;

async function listening(
  context: TestContext,
  connections: Partial<ConnectionLimits>,
  tls?: FleetTls,
): Promise<{ fleet: TestFleet; open: () => Socket }> {
  const fleet = await TestFleet.open(context, {
    connections,
    ...(tls === undefined ? {} : { tls }),
  });
  const url = new URL(await fleet.server.app.listen({ host: "127.0.0.1", port: 0 }));
  const open = (): Socket => {
    const socket = connect(Number(url.port), "127.0.0.1");
    socket.on("error", () => {}); // a reset is one way to be closed
    context.after(() => socket.destroy());
    return socket;
  };
  return { fleet, open };
}

/** However it comes about: bytes that are under way then are answered by a reset. */
function closed(socket: Socket): Promise<void> {
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Sends one byte again and again, until the other side has enough of it. */
function dribble(socket: Socket, context: TestContext): void {
  const timer = setInterval(() => socket.write("x"), 20);
  context.after(() => clearInterval(timer));
}

const body =
  "POST /api/v1/devices HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
const clients: readonly (readonly [string, string, boolean])[] = [
  ["says nothing", "", false],
  ["stops within its headers", "GET / HTTP/1.1\r\nhost: loc", false],
  ["dribbles its headers", "GET / HTTP/1.1\r\nx-long: ", true],
  ["stops within its body", `${body}content-length: 100\r\n\r\n{`, false],
  ["dribbles its body", `${body}content-length: 60000\r\n\r\n`, true],
  ["dribbles a chunk", `${body}transfer-encoding: chunked\r\n\r\nffff\r\n`, true],
];
for (const [name, first, dribbles] of clients)
  test(`closes the connection of a client that ${name}`, { timeout: hangMs }, async (t) => {
    const { open } = await listening(t, quick);
    const socket = open();
    socket.resume();
    socket.write(first);
    if (dribbles) dribble(socket, t);
    await closed(socket);
  });

test("closes a connection without a TLS handshake", { timeout: hangMs }, async (t) => {
  const { cert, key } = served(certificate(), authority);
  const { open } = await listening(t, quick, { certificate: cert, key });
  const silent = open();
  silent.resume();
  await once(silent, "close");
});

test("closes a connection that takes nothing of its answer", { timeout: hangMs }, async (t) => {
  const { open, fleet } = await downloading(t, { idleMs: 300 });
  const opened = once(fleet.server.app.server, "connection");
  open().write(fleet.request);
  // Who does not read does not see the end either.
  const [socket] = (await opened) as [Socket];
  await once(socket, "close");
});

test("takes no more connections than it may have", { timeout: hangMs }, async (t) => {
  const { open } = await listening(t, { connectionsMax: 2 });
  const first = [open(), open()];
  await Promise.all(first.map((socket) => once(socket, "connect")));
  const more = open();
  more.resume();
  await once(more, "close");
  first[0]?.destroy();
});

test("a stop ends although requests, downloads and silent connections are open", {
  timeout: hangMs,
}, async (t) => {
  const { open, fleet } = await downloading(t, { drainMs: 200 });
  const sockets = [open(), open(), open()];
  const [download, upload] = sockets;
  download?.write(fleet.request);
  upload?.write(`${body}content-length: 100\r\n\r\n{`);
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  await new Promise((resolve) => setImmediate(resolve));
  await fleet.server.close();
});

test("a stop has its bound although nothing can be written", { timeout: hangMs }, async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile, connections: { stopMs: 400 } });
  const other = new DatabaseSync(databaseFile);
  other.exec("begin immediate");
  const never = fleet.inject({
    method: "POST",
    url: "/api/v1/devices",
    payload: { id: "lamp", hardware: "esp32c3-b" },
  });
  await fleet.server.close();
  assert.ok((await never).statusCode >= 500);
  other.close();
});

/** A fleet whose one device may download more than the buffers on the way take. */
async function downloading(context: TestContext, connections: Partial<ConnectionLimits>) {
  const { fleet, open } = await listening(context, connections);
  const { bytes } = await makeImage({ version: "1.1.0", payloadBytes: 12 << 20 });
  assert.equal((await fleet.publishBytes(bytes)).statusCode, 201);
  const [device] = await fleet.addDevices(1);
  assert.ok(device);
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.1.0", start: true });
  const { deploymentBase = "" } = await device.poll();
  const offer = (await device.request("GET", deploymentBase)).body;
  const href = /"(http:\/\/[^"]+\.bin)"/.exec(offer)?.[1] ?? "";
  assert.notEqual(href, "", offer);
  const path = new URL(href).pathname;
  const request = `GET ${path} HTTP/1.1\r\nhost: fleet.test\r\nauthorization: TargetToken ${device.token}\r\n\r\n`;
  return { open, fleet: Object.assign(fleet, { request }) };
}

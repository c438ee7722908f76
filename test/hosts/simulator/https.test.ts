import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { deviceLayout } from "../../../hosts/flash/board-layout.ts";
import { nodeCrypto } from "../../../hosts/release/node-crypto.ts";
import { DdiServer, ddiDeviceId, text } from "../../../hosts/simulator/ddi-server.ts";
import type { EngineKind } from "../../../hosts/simulator/engines/engine.ts";
import { xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { LoopbackNetwork } from "../../../hosts/simulator/loopback-network.ts";
import { runningImage, World, type WorldDevice } from "../../../hosts/simulator/world.ts";
import type { TlsCredentials } from "../../../src/tls/credentials.ts";
import type { TlsRefusal } from "../../../src/tls/server-flight.ts";
import { benchSigner, hardware, image } from "../../support/device-bench.ts";
import {
  authority,
  certificate,
  expired,
  otherAuthority,
  served,
  servedToDevices,
  withClient,
  withoutClient,
} from "../../support/tls.ts";

/** A scripted fleet behind node's TLS, and one device that is enrolled with it. */
class SecureBench {
  readonly fleet = new DdiServer();
  readonly device: WorldDevice;
  readonly #world: World;

  static async start(
    t: TestContext,
    tls: { readonly server: ServerOptions; readonly credentials: TlsCredentials },
    { engine = "node" as EngineKind, host = "127.0.0.1", scheme = "https" } = {},
  ): Promise<SecureBench> {
    const server = createServer(tls.server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const network = new LoopbackNetwork();
    const bench = new SecureBench(
      network,
      { tls: tls.credentials, image: await image("1.0.0"), engine },
      `${scheme}://${host}:${port}`,
    );
    server.on("request", (incoming, outgoing) => void bench.#answer(incoming, outgoing));
    t.after(async () => {
      bench.#world.close();
      await network.close();
      server.closeAllConnections();
      server.close();
    });
    await bench.device.device.powerOn();
    return bench;
  }

  private constructor(
    network: LoopbackNetwork,
    made: { tls: TlsCredentials; image: Uint8Array; engine: EngineKind },
    url: string,
  ) {
    this.fleet.url = url;
    this.#world = new World({
      seed: 1,
      startUnixMs: Date.now(),
      layout: deviceLayout("esp32-4m"),
      imageKeys: [benchSigner.key],
      network,
      crypto: nodeCrypto,
      serverUrl: () => url,
      tenant: "DEFAULT",
      turnBudgetMs: null, // the reference firmware ends its turns
    });
    const token = "bench-token";
    this.device = this.#world.add({ id: ddiDeviceId, hardware, token, battery: null, ...made });
  }

  get running(): string {
    return runningImage(this.device.device.flash, this.#world.layout)?.version ?? "nothing";
  }

  /** Lets virtual time pass until something is so, at most half an hour. */
  async until(done: () => boolean): Promise<void> {
    const { scheduler } = this.#world;
    await scheduler.runUntil(done, scheduler.nowMs + 1_800_000);
    assert.ok(done(), this.device.console.join("\n"));
  }

  async untilLogged(line: string): Promise<void> {
    await this.until(() => this.device.console.includes(line));
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const { method = "", url: path = "", headers } = incoming;
    const call = { host: "", port: 0, method, path, headers: headers as Record<string, string> };
    const answer = await this.fleet.exchange({ ...call, secure: null }, Buffer.concat(parts));
    if (answer.kind !== "response") return void outgoing.destroy();
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  }
}

const mutual = () => ({ server: servedToDevices(certificate()), credentials: withClient() });
const shown = (server: ServerOptions) => ({ server, credentials: withoutClient });

for (const engine of ["node", "xs"] as const) {
  const skip = engine === "xs" ? (xsEngineMissing() ?? false) : false;
  test(`engine ${engine} takes an update over https with a client certificate`, {
    skip,
  }, async (t) => {
    const bench = await SecureBench.start(t, mutual(), { engine });
    bench.fleet.offer = { actionId: "7", version: "1.1.0", file: await image("1.1.0") };
    await bench.until(() => bench.fleet.reports.some((report) => report.startsWith("closed")));
    assert.equal(bench.running, "1.1.0");
  });
}

test("reaches a server by its name", async (t) => {
  const own = certificate({ hosts: ["localhost"] });
  const bench = await SecureBench.start(t, shown(served(own, authority)), { host: "localhost" });
  await bench.until(() => bench.fleet.requests.length > 0);
});

const refusals: readonly (readonly [
  string,
  TlsRefusal,
  Parameters<typeof SecureBench.start>[1],
])[] = [
  [
    "a server of another authority of the same name",
    "certificate-untrusted",
    shown(served(certificate({ issuer: otherAuthority }), otherAuthority)),
  ],
  [
    "a server whose certificate has expired",
    "certificate-expired",
    shown(served(certificate(expired), authority)),
  ],
  [
    "a server whose certificate names another",
    "certificate-name",
    shown(served(certificate({ hosts: ["other.test"] }), authority)),
  ],
  [
    "a server with the certificate of a device",
    "certificate-purpose",
    shown(served(certificate({ purpose: "client" }), authority)),
  ],
  [
    "a server that wants a client certificate, from a device without one",
    "refused-by-server",
    { server: servedToDevices(certificate()), credentials: withoutClient },
  ],
];
for (const [server, reason, tls] of refusals)
  test(`refuses ${server}`, async (t) => {
    const bench = await SecureBench.start(t, tls);
    await bench.untilLogged(`warn: no trusted connection to 127.0.0.1: ${reason}`);
    await bench.untilLogged("warn: poll: tls");
    assert.deepEqual(bench.fleet.requests, []);
  });

test("gets nowhere with the certificate of another authority", async (t) => {
  const server = servedToDevices(certificate());
  const bench = await SecureBench.start(t, { server, credentials: withClient(otherAuthority) });
  await bench.untilLogged("warn: poll: no-connection");
  assert.deepEqual(bench.fleet.requests, []);
});

test("asks no other machine over plain HTTP", async (t) => {
  const started = { host: "fleet.example", scheme: "http" };
  const bench = await SecureBench.start(t, mutual(), started);
  await bench.untilLogged("warn: poll: http-not-allowed");
});

test("fetches no image over plain HTTP", async (t) => {
  const bench = await SecureBench.start(t, mutual());
  bench.fleet.offer = { actionId: "7", version: "1.1.0", file: await image("1.1.0") };
  bench.fleet.interfere = ({ path }, answer) =>
    path.includes("/deploymentBase/7?") && answer.kind === "response"
      ? text(
          200,
          Buffer.from(answer.body)
            .toString()
            .replaceAll(/https:[^"]+\/artifact/g, "http://fleet.example/artifact"),
        )
      : null;
  await bench.until(() => bench.fleet.reports.some((report) => report.startsWith("closed")));
  assert.match(bench.fleet.reports.at(-1) ?? "", /^closed failure .*http-not-allowed/);
  assert.deepEqual(bench.fleet.artifactRanges, []);
});

for (const location of ["http://fleet.example/", "https://127.0.0.1/elsewhere"])
  test(`follows no redirect to ${location}`, async (t) => {
    const bench = await SecureBench.start(t, mutual());
    bench.fleet.offer = { actionId: "7", version: "1.1.0", file: await image("1.1.0") };
    bench.fleet.interfere = ({ path }) =>
      path.startsWith("/artifact/") ? text(302, "", { location }) : null;
    await bench.until(() => bench.fleet.artifactRanges.length > 1);
    assert.ok(bench.fleet.requests.every(({ path }) => !path.includes("elsewhere")));
    assert.equal(bench.running, "1.0.0");
  });

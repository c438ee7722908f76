import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, createServer, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ConnectionOptions, connect, type SecureVersion, type TLSSocket } from "node:tls";
import type { FleetTls } from "../../../hosts/fleet/access/tls-options.ts";
import {
  certificatePem,
  type Identity,
  issueCertificate,
  privateKeyPem,
} from "../../../hosts/release/certificates.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { authority, certificate, otherAuthority, served } from "../../support/tls.ts";
import { TestFleet } from "./test-fleet.ts";

// Whose request it is, over sessions that are taken up again and connections that are kept.

const ca = certificatePem(authority.certificate);
const server = served(certificate(), authority);
const mutual: FleetTls = { certificate: server.cert, key: server.key, clientAuthorities: ca };
const alone: FleetTls = { ...mutual, certificateIsEnough: true };

function shown(identity: Identity): { readonly cert: string; readonly key: string } {
  return { cert: certificatePem(identity.certificate), key: privateKeyPem(identity) };
}

const ofDevice = (commonName: string, issuer = authority) =>
  certificate({ commonName, purpose: "client", hosts: [], issuer });
const kitchen = shown(ofDevice("kitchen"));
const attic = shown(ofDevice("attic"));
const stranger = shown(ofDevice("kitchen", otherAuthority));

interface Scene {
  readonly fleet: TestFleet;
  readonly port: number;
  readonly tokens: Readonly<Record<string, string>>;
}

async function opened(context: TestContext, tls: FleetTls): Promise<Scene> {
  const fleet = await TestFleet.open(context, { tls });
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const tokens: Record<string, string> = {};
  for (const id of ["kitchen", "attic"]) tokens[id] = (await fleet.addDevice(id)).token;
  return { fleet, port: Number(new URL(url).port), tokens };
}

interface Connection {
  readonly socket: TLSSocket;
  /** The session that the server gave, once something was read. */
  session: Buffer | null;
}

async function connected(
  context: TestContext,
  { port }: Scene,
  options: ConnectionOptions,
): Promise<Connection> {
  const socket = connect({ host: "127.0.0.1", port, ca, servername: "fleet.test", ...options });
  const connection: Connection = { socket, session: null };
  socket.on("session", (session) => {
    connection.session = session;
  });
  socket.on("error", () => {});
  context.after(() => socket.destroy());
  await once(socket, "secureConnect");
  return connection;
}

/** One poll over a connection that is kept: status and the word of a refusal. */
async function polled(
  { socket }: Connection,
  id: string,
  token: string | null | undefined,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const headers = {
    host: "127.0.0.1",
    ...(token != null && { authorization: `TargetToken ${token}` }),
    ...more,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /DEFAULT/controller/v1/${id} HTTP/1.1\r\n${lines.join("")}\r\n`);
  let text = "";
  // Bounded by the answer, which tells its length.
  for (;;) {
    const [bytes] = (await once(socket, "data")) as [Buffer];
    text += bytes.toString("latin1");
    const length = /^content-length: (\d+)\r$/im.exec(text)?.[1];
    const body = text.split("\r\n\r\n").slice(1).join("\r\n\r\n");
    if (length !== undefined && body.length >= Number(length)) break;
  }
  const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
  return [status, /sluice\.error\.(\w+)/.exec(text)?.[1]]
    .filter((word) => word !== undefined)
    .join(" ");
}

/** Over a connection with this certificate, one after the other. */
const wanted = (tokens: Readonly<Record<string, string>>) =>
  [
    ["kitchen", tokens["kitchen"], "200"],
    ["attic", tokens["attic"], "403 certificateOfAnother"],
    ["kitchen", tokens["attic"], "401"],
    ["attic", tokens["kitchen"], "403 certificateOfAnother"],
    ["kitchen", tokens["kitchen"], "200"],
  ] as const;

const versions: readonly SecureVersion[] = ["TLSv1.2", "TLSv1.3"];
for (const version of versions) {
  const only = { minVersion: version, maxVersion: version };

  test(`${version}: a connection that is kept stays of the device whose certificate opened it`, async (t) => {
    for (const tls of [mutual, alone]) {
      const scene = await opened(t, tls);
      const connection = await connected(t, scene, { ...kitchen, ...only });
      for (const [id, token, expected] of wanted(scene.tokens))
        assert.equal((await polled(connection, id, token)).split(" unauthorized")[0], expected);
    }
  });

  for (const [who, offered] of [
    ["no certificate", {}],
    ["attic's certificate", attic],
    ["a certificate of another authority", stranger],
  ] as const)
    test(`${version}: a session of kitchen's that is taken up with ${who} is kitchen's, or nobody's`, async (t) => {
      const scene = await opened(t, alone);
      const first = await connected(t, scene, { ...kitchen, ...only });
      assert.equal(await polled(first, "kitchen", null), "200");
      assert.ok(first.session !== null);
      const second = await connected(t, scene, { ...offered, ...only, session: first.session });
      assert.ok(second.socket.isSessionReused());
      assert.equal(await polled(second, "kitchen", null), "200");
      assert.match(await polled(second, "attic", null), /^403/);
      assert.match(await polled(second, "attic", scene.tokens["attic"]), /^403/);
    });

  for (const [who, offered, word] of [
    ["no certificate", {}, "certificateMissing"],
    ["a certificate of another authority", stranger, "certificateMissing"],
  ] as const)
    test(`${version}: a session without proof stays without, taken up with or without a certificate: ${who}`, async (t) => {
      const scene = await opened(t, alone);
      const first = await connected(t, scene, { ...offered, ...only });
      assert.equal(await polled(first, "kitchen", scene.tokens["kitchen"]), `403 ${word}`);
      assert.ok(first.session !== null);
      for (const later of [{}, offered, kitchen]) {
        const second = await connected(t, scene, { ...later, ...only, session: first.session });
        assert.ok(second.socket.isSessionReused());
        assert.equal(await polled(second, "kitchen", scene.tokens["kitchen"]), `403 ${word}`);
        assert.equal(await polled(second, "kitchen", null), `403 ${word}`);
      }
    });

  test(`${version}: a certificate that ends while its connection is kept, or its session, is one no more`, async (t) => {
    const scene = await opened(t, alone);
    const now = Date.now();
    const brief = shown(
      issueCertificate({
        commonName: "kitchen",
        purpose: "client",
        hosts: [],
        issuer: authority,
        notBeforeUnixMs: now - 86_400_000,
        notAfterUnixMs: scene.fleet.nowUnixMs + 3_600_000,
      }),
    );
    const first = await connected(t, scene, { ...brief, ...only });
    assert.equal(await polled(first, "kitchen", null), "200");
    await scene.fleet.wait(3_590);
    assert.equal(await polled(first, "kitchen", null), "200");
    await scene.fleet.wait(20);
    assert.equal(await polled(first, "kitchen", null), "403 certificateExpired");
    assert.ok(first.session !== null);
    const second = await connected(t, scene, { ...only, session: first.session });
    assert.ok(second.socket.isSessionReused());
    assert.equal(await polled(second, "kitchen", null), "403 certificateExpired");
  });

  test(`${version}: a device that is removed, or has a new token, is shut out of its kept connection`, async (t) => {
    const scene = await opened(t, alone);
    const connection = await connected(t, scene, { ...kitchen, ...only });
    assert.equal(await polled(connection, "kitchen", null), "200");
    await scene.fleet.api("DELETE", "/devices/kitchen");
    assert.match(await polled(connection, "kitchen", null), /^401/);
    assert.match(await polled(connection, "kitchen", scene.tokens["kitchen"]), /^401/);
    const { token } = await scene.fleet.addDevice("kitchen");
    assert.match(await polled(connection, "kitchen", scene.tokens["kitchen"]), /^401/);
    assert.equal(await polled(connection, "kitchen", token), "200");
  });

  test(`${version}: no session outlives the server, so that replaced authorities count at once`, async (t) => {
    const scene = await opened(t, alone);
    const first = await connected(t, scene, { ...kitchen, ...only });
    await polled(first, "kitchen", null);
    assert.ok(first.session !== null);
    const other = { ...alone, clientAuthorities: certificatePem(otherAuthority.certificate) };
    const later = await opened(t, other);
    const second = await connected(t, later, { ...kitchen, ...only, session: first.session });
    assert.equal(second.socket.isSessionReused(), false);
    assert.equal(await polled(second, "kitchen", null), "403 certificateMissing");
  });
}

test("openssl: a session that s_client keeps is of whom it was, whatever is shown later", async (t) => {
  const scene = await opened(t, alone);
  const folder = temporaryFolder(t);
  const file = (name: string): string => join(folder, name);
  writeFileSync(file("ca.pem"), ca);
  for (const [name, { cert, key }] of [
    ["kitchen", kitchen],
    ["attic", attic],
  ] as const)
    writeFileSync(file(`${name}.pem`), `${cert}${key}`);
  const asks = async (id: string, ...flags: string[]): Promise<string> => {
    const client = spawn("openssl", [
      ...["s_client", "-connect", `127.0.0.1:${scene.port}`, "-CAfile", file("ca.pem"), "-ign_eof"],
      ...flags,
    ]);
    let said = "";
    client.stdout.on("data", (bytes: Buffer) => {
      said += bytes.toString("latin1");
    });
    client.stderr.resume();
    client.stdin.write(
      `GET /DEFAULT/controller/v1/${id} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
    );
    await once(client, "close");
    const isReused = /Reused, /.test(said) ? "reused" : "new";
    return `${isReused} ${/HTTP\/1\.1 (\d+)/.exec(said)?.[1] ?? said.slice(-200)}`;
  };
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const kept = file(`session${version}`);
    const own = ["-cert", file("kitchen.pem"), "-key", file("kitchen.pem")];
    assert.equal(await asks("kitchen", version, ...own, "-sess_out", kept), "new 200");
    assert.ok(readFileSync(kept, "latin1").includes("SESSION"));
    assert.equal(await asks("kitchen", version, "-sess_in", kept), "reused 200");
    assert.equal(await asks("attic", version, "-sess_in", kept), "reused 403");
    const others = ["-cert", file("attic.pem"), "-key", file("attic.pem")];
    assert.equal(await asks("attic", version, ...others, "-sess_in", kept), "reused 403");
    assert.equal(await asks("attic", version, ...others), "new 200");
  }
});

test("a proxy with a certificate of its own speaks for nobody, whatever it says in headers", async (t) => {
  const scene = await opened(t, mutual);
  const own = shown(ofDevice("proxy-1"));
  const agent = new Agent();
  const proxy = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const said = {
      "x-forwarded-client-cert": 'Subject="CN=kitchen"',
      "x-ssl-client-s-dn": "CN=kitchen",
      "x-client-cert": encodeURIComponent(kitchen.cert),
      "client-cert": `:${Buffer.from(kitchen.cert).toString("base64")}:`,
      "ssl-client-verify": "SUCCESS",
      forwarded: "for=kitchen;proto=https",
    };
    const options = { host: "127.0.0.1", port: scene.port, ca, method, path: url, ...own };
    const onward = httpsRequest({ ...options, headers: { ...headers, ...said } }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.end();
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => {
    agent.destroy();
    proxy.closeAllConnections();
    proxy.close();
  });
  const { port } = proxy.address() as AddressInfo;
  const headers = { authorization: `TargetToken ${scene.tokens["kitchen"]}` };
  const path = "/DEFAULT/controller/v1/kitchen";
  const asked = httpRequest({ host: "127.0.0.1", port, path, headers, agent });
  asked.end();
  const [answer] = (await once(asked, "response")) as [
    NodeJS.ReadableStream & { statusCode: number },
  ];
  let text = "";
  for await (const bytes of answer) text += bytes;
  assert.equal(answer.statusCode, 403);
  assert.match(text, /certificateOfAnother.*proxy-1/);
});

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import type { FleetTls } from "../../../hosts/fleet/access/tls-options.ts";
import { FleetOptionError, readOptions } from "../../../hosts/fleet/options.ts";
import { certificatePem, privateKeyPem } from "../../../hosts/release/certificates.ts";
import type { HttpCall } from "../../../hosts/simulator/board/host-calls.ts";
import { readAnswer } from "../../../hosts/simulator/http-text.ts";
import { LoopbackNetwork } from "../../../hosts/simulator/loopback-network.ts";
import type { NetworkAnswer } from "../../../hosts/simulator/network.ts";
import { toHex } from "../../../src/image/hex.ts";
import type { TlsCredentials } from "../../../src/tls/credentials.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import {
  authority,
  certificate,
  otherAuthority,
  served,
  withClient,
  withoutClient,
} from "../../support/tls.ts";
import { TestFleet } from "./test-fleet.ts";

const own = certificate();
const { cert, key } = served(own, authority);
const oneSided: FleetTls = { certificate: cert, key };
const mutual: FleetTls = {
  ...oneSided,
  clientAuthorities: certificatePem(authority.certificate),
};

/** Asks with the token of `lamp-1` unless `authorization` says otherwise; null sends none. */
type Ask = (
  path: string,
  credentials: TlsCredentials,
  authorization?: string | null,
) => Promise<NetworkAnswer>;

/** A server on TLS with two devices, and how to ask it over the simulator's network. */
async function listening(context: TestContext, tls: FleetTls): Promise<Ask> {
  const fleet = await TestFleet.open(context, { tls });
  const url = new URL(await fleet.server.app.listen({ host: "127.0.0.1", port: 0 }));
  assert.equal(url.protocol, "https:");
  const { token } = await fleet.addDevice("lamp-1");
  await fleet.addDevice("lamp-2");
  const network = new LoopbackNetwork();
  context.after(() => network.close());
  return async (path, { authorities, client }, authorization = `TargetToken ${token}`) => {
    const call: HttpCall = {
      host: "127.0.0.1",
      port: Number(url.port),
      method: "GET",
      path,
      headers: authorization === null ? {} : { authorization },
      secure: {
        serverName: "127.0.0.1",
        authorities: authorities.map((der) => toHex(der)),
        certificates: (client?.certificates ?? []).map((der) => toHex(der)),
        privateKey: client === null ? null : toHex(client.privateKey),
        unixMs: Date.now(),
      },
    };
    return readAnswer(call.method, await network.exchange(call, new Uint8Array(0)));
  };
}

const poll = "/DEFAULT/controller/v1/lamp-1";
const textOf = (answer: NetworkAnswer) =>
  answer.kind === "response" ? new TextDecoder().decode(answer.body) : answer.kind;
const statusOf = (answer: NetworkAnswer) => (answer.kind === "response" ? answer.status : answer);

test("serves devices over https, with links that say so", async (t) => {
  const ask = await listening(t, oneSided);
  const answer = await ask(poll, withoutClient);
  assert.equal(statusOf(answer), 200);
  assert.match(textOf(answer), /"https:\/\/127\.0\.0\.1/);
});

/** Kept for all: making keys takes time. */
const lamp1 = withClient(authority, "lamp-1");
const lamp2 = withClient(authority, "lamp-2");
const gateway = withClient(authority, "gateway-1");

test("serves a device with its own certificate of the client authority", async (t) => {
  const ask = await listening(t, mutual);
  assert.equal(statusOf(await ask(poll, lamp1)), 200);
});

test("refuses a device without a certificate, and one of another authority", async (t) => {
  const ask = await listening(t, mutual);
  assert.equal(statusOf(await ask(poll, withoutClient)), 403);
  assert.equal(statusOf(await ask(poll, withClient(otherAuthority, "lamp-1"))), 403);
});

test("refuses one device's certificate with another's token, whatever else it is called", async (t) => {
  for (const tls of [mutual, certificatesAlone]) {
    const ask = await listening(t, tls);
    for (const name of ["lamp-2", "LAMP-1", "lamp-1 ", "lamp-1\u0000", "lamp-1.example"]) {
      const answer = await ask(poll, withClient(authority, name));
      assert.equal(statusOf(answer), 403, name);
      assert.match(textOf(answer), /certificateOfAnother.*speaks for \\"lamp-1\\"/);
    }
    assert.equal(statusOf(await ask(poll, lamp2, null)), 403);
    assert.equal(statusOf(await ask(poll, lamp2, "GatewayToken gateway-token")), 403);
  }
});

const certificatesAlone: FleetTls = {
  ...mutual,
  certificateIsEnough: true,
  gatewayNames: ["gateway-1"],
};

test("takes a certificate alone where the server says so, of devices that it knows", async (t) => {
  const ask = await listening(t, certificatesAlone);
  assert.equal(statusOf(await ask(poll, lamp1, null)), 200);
  assert.equal(statusOf(await ask(poll, lamp1)), 200);
  assert.equal(statusOf(await ask(poll, lamp1, "TargetToken of-somebody-else")), 401);
  assert.equal(statusOf(await ask(poll, withoutClient, null)), 403);
  const unknown = "/DEFAULT/controller/v1/lamp-3";
  assert.equal(statusOf(await ask(unknown, withClient(authority, "lamp-3"), null)), 401);
  const careful = await listening(t, mutual);
  assert.equal(statusOf(await careful(poll, lamp1, null)), 401);
});

test("a gateway speaks for its devices with its own certificate and token", async (t) => {
  const ask = await listening(t, { ...mutual, gatewayNames: ["gateway-1"] });
  assert.equal(statusOf(await ask(poll, gateway, "GatewayToken gateway-token")), 200);
  assert.equal(statusOf(await ask(poll, gateway)), 401);
  assert.equal(statusOf(await ask(poll, gateway, null)), 401);
  const stranger = await listening(t, mutual);
  assert.equal(statusOf(await stranger(poll, gateway, "GatewayToken gateway-token")), 403);
});

test("asks no certificate of an operator", async (t) => {
  const ask = await listening(t, mutual);
  assert.equal(statusOf(await ask("/api/v1/devices", withoutClient)), 200);
});

test("a command says how to trust a server of one's own authority", async (t) => {
  const fleet = await TestFleet.open(t, { tls: oneSided });
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const run = await sluice("device", "list", "--fleet", url);
  assert.equal(run.exitCode, exitCodes.server);
  assert.match(run.stderr, /not trusted .*NODE_EXTRA_CA_CERTS/);
});

const wrong: readonly (readonly [string, FleetTls])[] = [
  ["a key of another certificate", { certificate: cert, key: privateKeyPem(certificate()) }],
  ["a certificate that is none", { certificate: "no PEM", key }],
  ["a client authority that is none", { ...oneSided, clientAuthorities: "no PEM" }],
  ["certificates of devices without an authority", { ...oneSided, certificateIsEnough: true }],
  ["a gateway's certificate without an authority", { ...oneSided, gatewayNames: ["gateway-1"] }],
];
for (const [name, tls] of wrong)
  test(`does not start with ${name}`, () => {
    const options = { databaseFile: ":memory:", artifactsFolder: "", clock: { unixMs: () => 0 } };
    assert.throws(() => readOptions({ ...options, tls }), FleetOptionError);
  });

test("the command wants a certificate and its key together, and files that fit", async (t) => {
  const folder = temporaryFolder(t);
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const serve = (...flags: string[]) =>
    sluice("fleet", "serve", "--data", join(folder, "data"), "--port", "0", ...flags);
  const certFile = file("cert.pem", cert);
  const alone = await serve("--tls-cert", certFile);
  assert.equal(alone.exitCode, exitCodes.usage);
  assert.match(alone.stderr, /--tls-cert and --tls-key/);
  const baseless = await serve("--tls-cert", certFile, "--device-certificates");
  assert.equal(baseless.exitCode, exitCodes.usage);
  assert.match(baseless.stderr, /give --client-ca/);
  const missing = await serve("--tls-cert", certFile, "--tls-key", join(folder, "none.pem"));
  assert.match(missing.stderr, /--tls-key .*none\.pem: there is no such file/);
  const strange = file("key.pem", privateKeyPem(certificate()));
  const mismatched = await serve("--tls-cert", certFile, "--tls-key", strange);
  assert.equal(mismatched.exitCode, exitCodes.usage);
  assert.match(mismatched.stderr, /fits the certificate/);
});

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/exit.ts";
import { FleetOptionError, readOptions } from "../../../hosts/fleet/options.ts";
import type { FleetTls } from "../../../hosts/fleet/tls-options.ts";
import { certificatePem, privateKeyPem } from "../../../hosts/release/certificates.ts";
import type { HttpCall } from "../../../hosts/simulator/board/host-calls.ts";
import { LoopbackNetwork, type NetworkAnswer } from "../../../hosts/simulator/network.ts";
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

type Ask = (path: string, credentials: TlsCredentials) => Promise<NetworkAnswer>;

/** A server on TLS with one device, and how to ask it over the simulator's network. */
async function listening(context: TestContext, tls: FleetTls): Promise<Ask> {
  const fleet = await TestFleet.open(context, { tls });
  const url = new URL(await fleet.server.app.listen({ host: "127.0.0.1", port: 0 }));
  assert.equal(url.protocol, "https:");
  const { token } = (
    await fleet.server.app.inject({
      method: "POST",
      url: "/api/v1/devices",
      payload: { id: "lamp-1", hardware: "esp32c3-b" },
    })
  ).json<{ token: string }>();
  const network = new LoopbackNetwork();
  context.after(() => network.close());
  return (path, { authorities, client }) => {
    const call: HttpCall = {
      host: "127.0.0.1",
      port: Number(url.port),
      method: "GET",
      path,
      headers: { authorization: `TargetToken ${token}` },
      secure: {
        serverName: "127.0.0.1",
        authorities: authorities.map((der) => toHex(der)),
        certificates: (client?.certificates ?? []).map((der) => toHex(der)),
        privateKey: client === null ? null : toHex(client.privateKey),
        unixMs: Date.now(),
      },
    };
    return network.exchange(call, new Uint8Array(0));
  };
}

const poll = "/DEFAULT/controller/v1/lamp-1";
const statusOf = (answer: NetworkAnswer) => (answer.kind === "response" ? answer.status : answer);

test("serves devices over https, with links that say so", async (t) => {
  const ask = await listening(t, oneSided);
  const answer = await ask(poll, withoutClient);
  assert.equal(statusOf(answer), 200);
  const body = answer.kind === "response" ? new TextDecoder().decode(answer.body) : "";
  assert.match(body, /"https:\/\/127\.0\.0\.1/);
});

test("serves a device with a certificate of the client authority", async (t) => {
  const ask = await listening(t, mutual);
  assert.equal(statusOf(await ask(poll, withClient())), 200);
});

test("refuses a device without a certificate, and one of another authority", async (t) => {
  const ask = await listening(t, mutual);
  assert.equal(statusOf(await ask(poll, withoutClient)), 403);
  assert.equal(statusOf(await ask(poll, withClient(otherAuthority))), 403);
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
  const missing = await serve("--tls-cert", certFile, "--tls-key", join(folder, "none.pem"));
  assert.match(missing.stderr, /--tls-key .*ENOENT/);
  const strange = file("key.pem", privateKeyPem(certificate()));
  const mismatched = await serve("--tls-cert", certFile, "--tls-key", strange);
  assert.equal(mismatched.exitCode, exitCodes.usage);
  assert.match(mismatched.stderr, /fits the certificate/);
});

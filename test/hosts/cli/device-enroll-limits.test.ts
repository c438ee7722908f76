import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { certificatePem, privateKeyPem } from "../../../hosts/release/certificates.ts";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { mountBoardStorage } from "../../../hosts/simulator/storage/board-storage.ts";
import { credentialLimits, readCredentials } from "../../../src/tls/credentials.ts";
import { identityLimits, readIdentity } from "../../../src/update/settings.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { authority, certificate } from "../../support/tls.ts";

const client = certificate({ commonName: "kitchen", purpose: "client", hosts: [] });
const pems = {
  ca: certificatePem(authority.certificate),
  client: certificatePem(client.certificate),
};

interface Asked {
  readonly id?: string;
  readonly server?: string;
  readonly token?: string;
  readonly tenant?: string;
  readonly imageKeys?: number;
  readonly authorities?: number;
  readonly clientChain?: number;
}

/** Enrols as asked; answers the run, and what the firmware reads of what it left. */
async function enroll(context: TestContext, asked: Asked) {
  const folder = temporaryFolder(context);
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { imageKeys = 1, authorities = 1, clientChain = 0 } = asked;
  const keys = Array.from({ length: imageKeys }, (_, index) =>
    file(`image-${index}.pem`, createKeyPair().publicPem),
  );
  const chain = file("chain.pem", pems.client + pems.ca.repeat(Math.max(clientChain - 1, 0)));
  const out = join(folder, "storage.bin");
  const run = await sluice(
    ...["device", "enroll", asked.id ?? "kitchen", "--hardware", "esp32c3-a", "--out", out],
    ...["--server", asked.server ?? "https://fleet.example:8443"],
    ...["--device-token", asked.token ?? "secret-token", "--tenant", asked.tenant ?? "DEFAULT"],
    ...keys.flatMap((key) => ["--image-key", key]),
    ...["--ca", file("ca.pem", pems.ca.repeat(authorities))],
    ...(clientChain === 0
      ? []
      : ["--client-cert", chain, "--client-key", file("key.pem", privateKeyPem(client))]),
  );
  const left = readdirSync(folder).filter((name) => !name.endsWith(".pem"));
  if (!existsSync(out)) return { ...run, left, identity: null, credentials: null };
  assert.equal(statSync(out).mode & 0o777, 0o600, "it holds a token, and keys");
  const bytes = readFileSync(out);
  const storage = mountBoardStorage(NorFlash.fromBytes(bytes, 4).area(0, bytes.length));
  const keyValue = {
    read: (key: string) => storage.read(`sluice/${key}`),
    write: () => {},
    delete: () => {},
  };
  return {
    ...run,
    left,
    identity: readIdentity(keyValue),
    credentials: readCredentials(keyValue),
  };
}

const { tokenLengthMax, tenantLengthMax, serverUrlLengthMax } = identityLimits;
const { authoritiesMax, clientCertificatesMax } = credentialLimits;
/** The address of a name whose labels DNS allows. */
const host = (length: number): string =>
  `https://${`${"a".repeat(59)}.`.repeat(4)}`.padEnd(length, "b");

test("enrols the ids that a server registers, MAC addresses among them", async (t) => {
  for (const id of ["aa:bb:cc:dd:ee:ff", "AA-BB-CC-DD-EE-FF", "7", "a".repeat(64)]) {
    const { exitCode, stderr, identity } = await enroll(t, { id });
    assert.deepEqual([exitCode, identity?.deviceId], [0, id], stderr);
  }
});

test("enrols no id that a server would refuse", async (t) => {
  for (const id of ["_a", ".", "a b", "a/b", "a%62", "", "a".repeat(65)]) {
    const { exitCode, stderr, left } = await enroll(t, { id });
    assert.equal(exitCode, 2, id);
    assert.match(stderr, /A device's id is a letter or a digit, then letters, digits and \. _ : -/);
    assert.deepEqual(left, []);
  }
});

const refused: ReadonlyArray<readonly [string, Asked, RegExp]> = [
  ["an authority too many", { authorities: authoritiesMax + 1 }, /5 authorities.* 1 to 4/],
  ["an image key too many", { imageKeys: 5 }, /5 image keys.* 1 to 4/],
  ["a long token", { token: "a".repeat(tokenLengthMax + 1) }, /token has 129 characters.*128/],
  ["an empty token", { token: "" }, /token has 0 characters/],
  ["a token of two words", { token: "two words" }, /token has a character/],
  ["a token with the end of a line", { token: "a\r\nb: c" }, /token has a character/],
  ["a long tenant", { tenant: "a".repeat(tenantLengthMax + 1) }, /tenant has 65 characters.*64/],
  ["an empty tenant", { tenant: "" }, /tenant has 0 characters/],
  ["a tenant that is a path", { tenant: "a/b" }, /tenant is "a\/b"/],
  ["a long server", { server: host(serverUrlLengthMax + 1) }, /server has 257 characters.*256/],
  ["IPv6", { server: "https://[fe80::1]:8443" }, /name or an IPv4 address/],
  ["port 99999", { server: "https://fleet.example:99999" }, /port from 1 to 65535/],
  ["port 0", { server: "https://fleet.example:0" }, /port from 1 to 65535/],
  ["a user", { server: "https://me@fleet.example" }, /no user/],
  ["a path", { server: "https://fleet.example/path" }, /no path/],
  ["a query", { server: "https://fleet.example?a=1" }, /no path/],
  ["a fragment", { server: "https://fleet.example#a" }, /no path/],
  ["a space", { server: "https://fleet example" }, /HOST:PORT/],
  ["another scheme", { server: "coap://fleet.example" }, /http\(s\)/],
  ["a client chain of four", { clientChain: clientCertificatesMax + 1 }, /4 client certificates/],
  [
    "an identity that is too long as a whole",
    { imageKeys: 4, token: "t".repeat(128), tenant: "d".repeat(64), server: host(256) },
    /identity has \d+ bytes with its 4 image keys, a device reads 1024/,
  ],
];
for (const [name, asked, says] of refused)
  test(`enrols nothing with ${name}, and says what a device takes`, async (context) => {
    const { exitCode, stderr, left } = await enroll(context, asked);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, says);
    assert.deepEqual(left, []);
    assert.ok(asked.token === undefined || asked.token === "" || !stderr.includes(asked.token));
  });

const accepted: ReadonlyArray<readonly [string, Asked]> = [
  ["four authorities", { authorities: authoritiesMax }],
  ["four image keys", { imageKeys: 4 }],
  ["the longest token", { token: "a".repeat(tokenLengthMax) }],
  ["the longest tenant", { tenant: "a".repeat(tenantLengthMax) }],
  ["an IPv4 address", { server: "https://192.168.1.2:65535" }],
  ["a slash at the end", { server: "https://fleet.example/" }],
  ["a client chain of three", { clientChain: clientCertificatesMax }],
];
for (const [name, asked] of accepted)
  test(`what is enrolled with ${name} is what the firmware reads`, async (context) => {
    const { exitCode, stderr, identity, credentials } = await enroll(context, asked);
    assert.equal(exitCode, 0, stderr);
    assert.equal(identity?.token, asked.token ?? "secret-token");
    assert.equal(identity?.tenant, asked.tenant ?? "DEFAULT");
    assert.equal(identity?.imageKeys.length, asked.imageKeys ?? 1);
    assert.equal(credentials?.authorities.length, asked.authorities ?? 1);
    assert.equal(credentials?.client?.certificates.length ?? 0, asked.clientChain ?? 0);
  });

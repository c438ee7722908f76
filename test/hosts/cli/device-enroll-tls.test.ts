import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import {
  certificatePem,
  privateKeyNumber,
  privateKeyPem,
} from "../../../hosts/release/certificates.ts";
import { mountBoardStorage } from "../../../hosts/simulator/storage/board-storage.ts";
import { readCredentials } from "../../../src/tls/credentials.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { authority, certificate, otherAuthority } from "../../support/tls.ts";

const device = certificate({ commonName: "kitchen", purpose: "client", hosts: [] });
const ca = certificatePem(authority.certificate);
const server = "https://fleet.example";

/** Enrols with files of these texts; answers the run and what the storage then holds. */
async function enroll(t: TestContext, files: Readonly<Record<string, string>>, url = server) {
  const folder = temporaryFolder(t);
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const imageKey = join(folder, "image.pem");
  writeFileSync(imageKey, publicKey.export({ type: "spki", format: "pem" }));
  const flags = Object.entries(files).flatMap(([flag, text]) => {
    const file = join(folder, `${flag}.pem`);
    writeFileSync(file, text);
    return [`--${flag.replace(/\d$/, "")}`, file];
  });
  const out = join(folder, "storage.bin");
  const who = ["kitchen", "--server", url, "--device-token", "secret", "--hardware", "esp32c3-a"];
  const keys = ["--image-key", imageKey];
  const run = await sluice("device", "enroll", ...who, ...keys, ...flags, "--out", out);
  const stored = () => {
    const bytes = readFileSync(out);
    const storage = mountBoardStorage(NorFlash.fromBytes(bytes, 4).area(0, bytes.length));
    return readCredentials({
      read: (key) => storage.read(`sluice/${key}`),
      write: () => {},
      delete: () => {},
    });
  };
  return { ...run, stored };
}

test("enrolls the authority of an https server", async (t) => {
  const run = await enroll(t, { ca });
  assert.equal(run.exitCode, exitCodes.ok, run.stderr);
  assert.deepEqual(run.stored(), { authorities: [authority.certificate], client: null });
});

test("enrolls two authorities, in two files or in one", async (t) => {
  const other = certificatePem(otherAuthority.certificate);
  const authorities = [authority.certificate, otherAuthority.certificate];
  for (const files of [{ ca1: ca, ca2: other }, { ca: ca + other }] as Record<string, string>[]) {
    const run = await enroll(t, files);
    assert.deepEqual(run.stored()?.authorities, authorities);
  }
});

test("enrolls a client certificate with its key", async (t) => {
  const own = certificatePem(device.certificate);
  const run = await enroll(t, {
    ca,
    "client-cert": own,
    "client-key": privateKeyPem(device),
  });
  assert.deepEqual(run.stored()?.client, {
    certificates: [device.certificate],
    privateKey: privateKeyNumber(device),
  });
});

const own = { "client-cert": certificatePem(device.certificate) };
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const refusals: readonly (readonly [string, Readonly<Record<string, string>>, number, RegExp])[] = [
  ["an https server without an authority", {}, exitCodes.usage, /give --ca/],
  ["a client certificate without a key", { ca, ...own }, exitCodes.usage, /together/],
  ["a client certificate without an authority", own, exitCodes.usage, /give --ca too/],
  ["an authority that is no PEM", { ca: "nothing" }, exitCodes.input, /no certificate in PEM/],
  [
    "the key of another certificate",
    { ca, ...own, "client-key": privateKeyPem(certificate()) },
    exitCodes.input,
    /not the key of/,
  ],
  [
    "an RSA key",
    { ca, ...own, "client-key": rsa.export({ type: "pkcs8", format: "pem" }).toString() },
    exitCodes.input,
    /no P-256 key/,
  ],
];
for (const [name, files, exitCode, message] of refusals)
  test(`refuses ${name}`, async (t) => {
    const run = await enroll(t, files);
    assert.equal(run.exitCode, exitCode);
    assert.match(run.stderr, message);
  });

test("says that firmware asks another machine over plain HTTP only if it was built to", async (t) => {
  assert.match((await enroll(t, {}, "http://fleet.example:8080")).stderr, /plainHttp/);
  assert.doesNotMatch((await enroll(t, {}, "http://127.0.0.1:8080")).stderr, /plainHttp/);
});

// Every option that takes a key in PEM: the wrong half, or something else in PEM, is told with the
// next step.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Command } from "commander";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { createProgram } from "../../../hosts/cli/program.ts";
import { certificatePem } from "../../../hosts/release/certificates.ts";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { authority } from "../../support/tls.ts";

interface Files {
  readonly at: (name: string) => string;
  /** Of any content: the key is looked at before, or what comes before it is well formed. */
  readonly binary: string;
  readonly image: string;
  readonly keyring: string;
}

type Line = (files: Files, key: string) => readonly string[];

const sign = [
  "--version",
  "1.0.0",
  "--align",
  "8",
  "--slot-size",
  "65536",
  "--header-size",
  "32",
  "--pad-header",
];
const enroll = ["--server", "http://127.0.0.1:1", "--device-token", "a-token-of-its-own"];

/** A command line for each option that wants a public key. */
const publicOptions: Readonly<Record<string, Line>> = {
  "audit show --key": ({ binary }, key) => ["audit", "show", "--log", binary, "--key", key],
  "audit verify --key": ({ binary }, key) => ["audit", "verify", "--log", binary, "--key", key],
  "board flash --image-key": ({ image, at }, key) => [
    ...["board", "flash", image, "--factory", "--simulated", "--image-key", key],
    ...["--file", at("flash.bin"), "--layout", at("layout.json")],
  ],
  "config info --key": ({ binary }, key) => ["config", "info", binary, "--key", key],
  "device enroll --image-key": ({ at }, key) => [
    ...["device", "enroll", "kitchen", ...enroll, "--hardware", "esp32c3-a", "--image-key", key],
    ...["--out", at("storage.bin")],
  ],
  "device simulate --image-key": ({ at }, key) => [
    ...["device", "simulate", "kitchen", "--device-token", "a-token-of-its-own"],
    ...["--flash", at("kitchen.flash"), "--image-key", key],
  ],
  "fleet serve --configuration-key": ({ at }, key) => [
    ...["fleet", "serve", "--port", "0", "--data", at("fleet"), "--configuration-key", key],
  ],
  "fleet serve --image-key": ({ at }, key) => [
    ...["fleet", "serve", "--port", "0", "--data", at("fleet"), "--image-key", key],
  ],
  "fleet serve --online-key-public": ({ at }, key) => [
    ...["fleet", "serve", "--port", "0", "--data", at("fleet")],
    ...["--online-key", "exec:false", "--online-key-public", key],
  ],
  "image sign --signer-public": ({ binary, at, keyring }, key) => [
    ...["image", "sign", ...sign, "--signer", "exec:false", "--signer-public", key],
    ...["--keyring", keyring, binary, at("signed.bin")],
  ],
  "image verify --key": ({ binary }, key) => ["image", "verify", binary, "--key", key],
  "keys import --public": ({ keyring }, key) => [
    ...["keys", "import", "--name", "one", "--role", "image", "--public", key],
    ...["--keyring", keyring],
  ],
  "simulate --key": ({ binary, at }, key) => [
    ...["simulate", "--flash", binary, "--layout", at("layout.json"), "--key", key],
  ],
};

/** The same for a private one. */
const privateOptions: Readonly<Record<string, Line>> = {
  "device enroll --client-key": ({ at }, key) => [
    ...["device", "enroll", "kitchen", ...enroll, "--hardware", "esp32c3-a"],
    ...["--image-key", at("public.pem"), "--ca", at("certificate.pem")],
    ...["--client-cert", at("certificate.pem"), "--client-key", key, "--out", at("storage.bin")],
  ],
  "fleet serve --tls-key": ({ at }, key) => [
    ...["fleet", "serve", "--port", "0", "--data", at("fleet")],
    ...["--tls-cert", at("certificate.pem"), "--tls-key", key],
  ],
  "image sign --key": ({ binary, at }, key) => [
    ...["image", "sign", ...sign, "--key", key, binary, at("signed.bin")],
  ],
  "keys import --file": ({ keyring }, key) => [
    ...["keys", "import", "--name", "one", "--role", "image", "--file", key],
    ...["--keyring", keyring],
  ],
};

/** Certificates, of which none is a key; and those commands that open keys as `image sign` does. */
const others = /^(?:fleet serve --(?:tls-cert|client-ca)|\S+ \S+ --(?:ca|client-cert))$/;
const signing =
  /^(?:board build|config sign|image sign|moddable release|moddable run|release sign|trust refresh|trust sign) --(?:key|signer-public)$/;
const sameTlsFiles = "moddable run --client-key";

async function filesIn(context: TestContext): Promise<Files> {
  const folder = temporaryFolder(context);
  const at = (name: string): string => join(folder, name);
  const { privatePem, publicPem } = createKeyPair();
  writeFileSync(at("private.pem"), privatePem);
  writeFileSync(at("public.pem"), publicPem);
  writeFileSync(at("certificate.pem"), certificatePem(authority.certificate));
  writeFileSync(at("garbage.pem"), "none");
  writeFileSync(at("both.pem"), publicPem + privatePem);
  const label = "ENCRYPTED PRIVATE KEY";
  writeFileSync(at("encrypted.pem"), privatePem.replaceAll("PRIVATE KEY", label));
  writeFileSync(at("binary.bin"), Buffer.alloc(4096, 7));
  writeFileSync(at("layout.json"), "{}");
  const [binary, image] = [at("binary.bin"), at("image.bin")];
  const own = ["--hardware", "esp32c3-a", "--security-counter", "1", "--key", at("private.pem")];
  const signed = await sluice("image", "sign", ...sign, ...own, binary, image);
  assert.equal(signed.exitCode, 0, signed.stderr);
  return { at, binary, image, keyring: at("keys") };
}

test("every option that takes a key in PEM is looked at here", () => {
  const found: string[] = [];
  const walk = (command: Command, path: string): void => {
    for (const { flags, long } of command.options)
      if (/<pem(?:\.\.\.)?>/.test(flags)) found.push(`${path} ${long}`);
    for (const child of command.commands) walk(child, `${path} ${child.name()}`.trim());
  };
  walk(createProgram(), "");
  const known = (option: string): boolean =>
    option in publicOptions || option in privateOptions || option === sameTlsFiles;
  assert.deepEqual(
    found.filter((option) => !known(option) && !others.test(option) && !signing.test(option)),
    [],
  );
  for (const option of [...Object.keys(publicOptions), ...Object.keys(privateOptions)])
    assert.ok(found.includes(option), `there is no ${option} any more`);
});

for (const [option, line] of Object.entries(publicOptions))
  test(`${option} refuses a private key, a certificate and what is no key`, async (t) => {
    const files = await filesIn(t);
    for (const [name, says] of [
      ["private.pem", /holds a private key, which signs: .*"sluice keys public .*private\.pem/],
      ["encrypted.pem", /holds a private key/],
      ["both.pem", /holds a private key/],
      ["certificate.pem", /holds a certificate, not a public key: "openssl x509/],
      ["garbage.pem", /holds no key in PEM/],
    ] as const) {
      const { exitCode, stderr } = await sluice(...line(files, files.at(name)));
      assert.equal(exitCode, exitCodes.usage, `${name}: ${stderr}`);
      assert.match(stderr, says);
      assert.ok(stderr.includes(option.split(" ").at(-1) ?? option), stderr);
    }
  });

for (const [option, line] of Object.entries(privateOptions))
  test(`${option} refuses a public key, a certificate and what is no key`, async (t) => {
    const files = await filesIn(t);
    for (const [name, says] of [
      ["public.pem", /holds a public key.*give/],
      ["certificate.pem", /holds a certificate.*give/],
      ["garbage.pem", /no key in PEM|no PEM of such a key/],
    ] as const) {
      const { exitCode, stderr } = await sluice(...line(files, files.at(name)));
      assert.notEqual(exitCode, exitCodes.ok);
      assert.notEqual(exitCode, exitCodes.internal, stderr);
      assert.match(stderr, says);
    }
  });

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandSigner } from "../../../../hosts/release/keys/external-signer.ts";
import { Programs } from "../../../../hosts/release/keys/program.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { trustKeys } from "../../../support/trust-repository.ts";

const [key] = trustKeys.online;
const digest = new Uint8Array(32).fill(7);

test("everything else goes on while a command signs", async (t) => {
  const folder = temporaryFolder(t);
  const [answerFile, asked] = [join(folder, "answer"), join(folder, "asked")];
  // The command waits for what only this process can give it while it waits for the command.
  const command = `touch ${asked}; while [ ! -s ${answerFile} ]; do sleep 0.02; done; cat ${answerFile}`;
  const signing = commandSigner(command, key.publicKey).sign(digest);
  while (!existsSync(asked)) await new Promise((resolve) => setTimeout(resolve, 10));
  const answer = Buffer.from(await key.sign(digest)).toString("hex");
  writeFileSync(answerFile, answer);
  assert.equal(Buffer.from(await signing).toString("hex"), answer);
});

test("ends a command when its signer is ended, and what it started with it", async () => {
  const signer = commandSigner("sleep 1000", key.publicKey);
  const signing = signer.sign(digest);
  setImmediate(() => signer.end?.());
  await assert.rejects(signing, /was ended by SIGKILL/);
});

test("a command that never answers is given up, and so is one that answers too much", async () => {
  const late = await new Programs(30).run("/bin/sh", ["-c", "sleep 1000"], digest, {});
  assert.deepEqual(late, { kind: "too-late", waitedMs: 30 });
  const long = await new Programs().run("/bin/sh", ["-c", "cat /dev/zero"], digest, {});
  assert.equal(long.kind, "too-long");
});

test("takes the answer of a command that does not read the digest", async () => {
  const ran = await new Programs().run("/bin/sh", ["-c", "echo yes"], new Uint8Array(60_000), {});
  assert.equal(ran.kind === "ended" && ran.output.toString(), "yes\n");
});

test("says of a program that is not there that it is not there", async () => {
  const ran = await new Programs().run("/nowhere/pkcs11-tool", [], digest, {});
  assert.deepEqual(ran, { kind: "not-started", code: "ENOENT" });
});

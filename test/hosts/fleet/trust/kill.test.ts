import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { pointOfPem, tufKeyId } from "../../../../hosts/release/keys/signer.ts";
import { createKeyPair } from "../../../../hosts/release/pem-keys.ts";
import { addKey, removeKey } from "../../../../hosts/release/trust/changes.ts";
import { addRelease } from "../../../../hosts/release/trust/releases.ts";
import { sluice, temporaryFolder } from "../../../support/command-line.ts";
import {
  signAll,
  signedImage,
  signedRepository,
  trustKeys,
} from "../../../support/trust-repository.ts";

const command = join(import.meta.dirname, "..", "..", "..", "..", "hosts", "cli", "main.ts");

async function serve(
  context: TestContext,
  folder: string,
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(
    process.execPath,
    [
      ...[command, "fleet", "serve", "--data", join(folder, "data"), "--port", "0"],
      ...["--online-key", join(folder, "online.pem")],
    ],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  context.after(() => child.kill("SIGKILL"));
  const [url] = await once(createInterface({ input: child.stdout! }), "line");
  return { child, url };
}

test("a killed server serves the same metadata again, and its versions only grow", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-kill-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const pair = createKeyPair();
  writeFileSync(join(folder, "online.pem"), pair.privatePem);
  const publicKey = pointOfPem(pair.publicPem);
  assert.ok(publicKey);
  const keyId = tufKeyId(publicKey);
  const now = Date.now();
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  assert.ok(addKey(repository, "online", { keyId, publicKey }, now).ok);
  assert.ok(removeKey(repository, "online", trustKeys.online[0].keyId, now).ok);
  await signAll(repository);
  const publish = (url: string) =>
    sluice("trust", "publish", "--repository", repository.folder, "--fleet", url);
  const timestampAt = async (url: string) =>
    (await fetch(`${url}/DEFAULT/tuf/timestamp.json`)).text();

  const first = await serve(context, folder);
  const published = await publish(first.url);
  assert.equal(published.exitCode, 0, published.stderr);
  const before = await timestampAt(first.url);
  const exited = once(first.child, "exit");
  first.child.kill("SIGKILL");
  await exited;

  const second = await serve(context, folder);
  const versionIn = (text: string): number => JSON.parse(text).signed.version;
  assert.ok(versionIn(await timestampAt(second.url)) >= versionIn(before));
  const images = [await signedImage("1.1.0", "esp32c3-b")];
  assert.ok(addRelease(repository, { images, evidence: [], energy: null, now }).ok);
  await signAll(repository);
  assert.equal((await publish(second.url)).exitCode, 0);
  const { version, meta } = JSON.parse(await timestampAt(second.url)).signed;
  assert.ok(version > versionIn(before));
  assert.ok(
    meta["snapshot.json"].version > JSON.parse(before).signed.meta["snapshot.json"].version,
  );
  const stopped = once(second.child, "exit");
  second.child.kill("SIGTERM");
  assert.deepEqual(await stopped, [0, null]);
  const log = join(folder, "data", "trust", "audit.jsonl");
  const key = join(folder, "online-pub.pem");
  writeFileSync(key, pair.publicPem);
  const verified = await sluice("audit", "verify", "--log", log, "--key", key);
  assert.equal(verified.exitCode, 0, verified.stderr);
  assert.equal(readFileSync(log, "utf8").trimEnd().split("\n").length, 4);
});

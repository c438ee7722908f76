import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Updater } from "tuf-js";
import { addKey, removeKey } from "../../../../hosts/release/trust/changes.ts";
import { addRelease } from "../../../../hosts/release/trust/releases.ts";
import type { TrustRepository } from "../../../../hosts/release/trust/repository.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import {
  metadataSigner,
  signAll,
  signedImage,
  signedRepository,
  signOnlineNow,
  trustKeys,
} from "../../../support/trust-repository.ts";

/** Serves a repository's folder on the loopback; answers its address. */
async function serve(context: TestContext, folder: string): Promise<string> {
  const server = createServer((request, response) => {
    const path = join(folder, new URL(request.url ?? "/", "http://folder.test").pathname);
    if (existsSync(path)) response.end(readFileSync(path));
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A tuf-js client that begins with the first root; each call is one update of its own. */
async function clientOf(context: TestContext, repository: TrustRepository): Promise<() => Updater> {
  const metadataDir = temporaryFolder(context);
  const targetDir = join(metadataDir, "targets");
  mkdirSync(targetDir);
  copyFileSync(join(repository.folder, "metadata", "1.root.json"), join(metadataDir, "root.json"));
  const base = await serve(context, repository.folder);
  const [metadataBaseUrl, targetBaseUrl] = [`${base}/metadata`, `${base}/targets`];
  const config = { fetchRetries: 0, fetchRetry: false };
  return () => new Updater({ metadataDir, targetDir, metadataBaseUrl, targetBaseUrl, config });
}

test("tuf-js finds and downloads an image and its release notes in our repository", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), Date.now(), [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  const updater = (await clientOf(context, repository))();
  await updater.refresh();
  const image = await updater.getTargetInfo("esp32c3-b/1.0.0.img");
  assert.ok(image);
  const path = await updater.downloadTarget(image);
  assert.deepEqual(new Uint8Array(readFileSync(path)), await signedImage("1.0.0", "esp32c3-b"));
  const notes = await updater.getTargetInfo("evidence/1.0.0/notes.md");
  assert.ok(notes);
  assert.equal(readFileSync(await updater.downloadTarget(notes), "utf8"), "# 1.0.0\n");
  assert.equal(await updater.getTargetInfo("esp32c6-a/1.0.0.img"), undefined);
});

test("tuf-js follows a rotation of every role and a later release", async (context) => {
  const now = Date.now();
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  const client = await clientOf(context, repository);
  await client().refresh();
  const fresh = {
    root: metadataSigner(201),
    targets: metadataSigner(202),
    online: metadataSigner(203),
  };
  for (const role of ["root", "targets", "online"] as const) {
    assert.ok(addKey(repository, role, fresh[role], now).ok);
    assert.ok(removeKey(repository, role, trustKeys[role][0].keyId, now).ok);
  }
  await signAll(repository, [...trustKeys.root, fresh.root, fresh.targets]);
  const images = [await signedImage("1.1.0", "esp32c3-b")];
  assert.ok(addRelease(repository, { images, evidence: [], energy: null, now }).ok);
  await signAll(repository, [fresh.targets]);
  await signOnlineNow(repository, now, { signers: [fresh.online] });
  const updater = client();
  await updater.refresh();
  assert.ok(await updater.getTargetInfo("esp32c3-b/1.1.0.img"));
  assert.equal(repository.root?.signed.version, 2);
});

test("tuf-js refuses our repository once its timestamp has expired", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), Date.now() - 3 * 86_400_000);
  const client = await clientOf(context, repository);
  await assert.rejects(client().refresh(), /expired/i);
});

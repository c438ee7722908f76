import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { mountBoardStorage } from "../../../hosts/simulator/storage/board-storage.ts";
import { DocumentStore } from "../../../src/config/document-store.ts";
import type { KeyValue } from "../../../src/ports/board.ts";
import { trustDocumentBytesMax, trustDocuments } from "../../../src/trust/metadata-store.ts";
import { readIdentity } from "../../../src/update/settings.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { type Loose, signedBytes, TestRepository, testKey } from "../../support/tuf-repository.ts";

/** A root after `change`, signed by its keys. */
function rootAfter(change: (root: Loose) => void): Uint8Array {
  const { root } = new TestRepository();
  change(root);
  return signedBytes(root, [testKey(0), testKey(1)]);
}

const root = rootAfter(() => {});

async function enroll(t: TestContext, rootFile: Uint8Array | null) {
  const folder = temporaryFolder(t);
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const imageKey = join(folder, "image.pem");
  writeFileSync(imageKey, publicKey.export({ type: "spki", format: "pem" }));
  const file = join(folder, "1.root.json");
  if (rootFile !== null) writeFileSync(file, rootFile);
  const out = join(folder, "storage.bin");
  const run = await sluice(
    ...[
      "device",
      "enroll",
      "kitchen",
      "--server",
      "http://127.0.0.1:8080",
      "--image-key",
      imageKey,
    ],
    ...["--device-token", "secret", "--hardware", "esp32c3-a", "--out", out],
    ...(rootFile === null ? [] : ["--trust-root", file]),
  );
  const keyValue = (): KeyValue => {
    const bytes = readFileSync(out);
    const storage = mountBoardStorage(NorFlash.fromBytes(bytes, 4).area(0, bytes.length));
    return { read: (key) => storage.read(`sluice/${key}`), write: () => {}, delete: () => {} };
  };
  return { ...run, keyValue };
}

test("enrolls the first root, and makes the device go by it", async (t) => {
  const run = await enroll(t, root);
  assert.equal(run.exitCode, exitCodes.ok, run.stderr);
  assert.equal(readIdentity(run.keyValue())?.trust, "tuf");
  const options = { bytesMax: trustDocumentBytesMax.root };
  const stored = new DocumentStore(run.keyValue(), trustDocuments.root, options).read();
  assert.deepEqual(stored, root);
});

test("a device that is enrolled without a root goes by images alone", async (t) => {
  const run = await enroll(t, null);
  assert.equal(run.exitCode, exitCodes.ok, run.stderr);
  assert.equal(readIdentity(run.keyValue())?.trust, null);
});

for (const [what, file, said] of [
  ["that is no JSON", new TextEncoder().encode("root"), /malformed-json/],
  ["whose keys did not sign it", signedBytes({}, []), /malformed-metadata|wrong-type/],
  ["without a director", rootAfter((own) => delete own["x-sluice-director"]), /no director/],
  [
    "that is too large for a device",
    rootAfter((own) => {
      own["x-long"] = "x".repeat(8192);
    }),
    /a device takes 8192/,
  ],
  ["that somebody changed", rootChanged(), /too-few-signatures/],
] as const)
  test(`refuses a root ${what}`, async (t) => {
    const run = await enroll(t, file);
    assert.equal(run.exitCode, exitCodes.input);
    assert.match(run.stderr, said);
  });

function rootChanged(): Uint8Array {
  const text = new TextDecoder().decode(root).replace('"version":1', '"version":2');
  return new TextEncoder().encode(text);
}

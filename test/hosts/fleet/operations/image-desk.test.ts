import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { checkImage } from "../../../../hosts/fleet/operations/image-check.ts";
import { ImageDesk } from "../../../../hosts/fleet/operations/image-desk.ts";
import { readOptions } from "../../../../hosts/fleet/options.ts";
import { describeArtifact } from "../../../../hosts/fleet/storage/artifacts.ts";
import { imageSigner, makeImage, publicKeyPem } from "../test-fleet.ts";

const rules = readOptions({
  databaseFile: ":memory:",
  artifactsFolder: "",
  clock: { unixMs: () => 0 },
  imageKeys: [publicKeyPem(imageSigner)],
});

test("others have their turn while a large image is verified, which comes to the same", async (t) => {
  const desk = new ImageDesk();
  t.after(() => desk.close());
  const { bytes } = await makeImage({ version: "1.0.0", payloadBytes: 1 << 20 });
  let isDone = false;
  const checking = desk.check(bytes, rules).finally(() => {
    isDone = true;
  });
  await nextTurn();
  assert.equal(isDone, false);
  const { check, artifact } = await checking;
  assert.deepEqual(check, checkImage(bytes, rules));
  assert.deepEqual(artifact, describeArtifact(bytes));
  const damaged = Buffer.from(bytes).fill(1, 5000, 6000);
  const refused = (await desk.check(damaged, rules)).check;
  assert.equal(!refused.ok && refused.reason, "hash-mismatch");
  assert.deepEqual(await desk.describe(damaged), describeArtifact(damaged));
});

test("takes only so many uploads at once, and goes on after its thread ended", async (t) => {
  const desk = new ImageDesk();
  t.after(() => desk.close());
  const bytes = new Uint8Array(100_000);
  const asked = Array.from({ length: 12 }, () => desk.describe(bytes));
  const ends = await Promise.allSettled(asked);
  const refused = ends.filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 3);
  await desk.close();
  assert.deepEqual(await desk.describe(bytes), describeArtifact(bytes));
});

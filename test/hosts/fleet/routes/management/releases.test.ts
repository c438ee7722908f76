import assert from "node:assert/strict";
import { test } from "node:test";
import { testSigner } from "../../../../support/image-signer.ts";
import {
  type ImageWishes,
  imageSigner,
  makeImage,
  publicKeyPem,
  TestFleet,
} from "../../test-fleet.ts";

test("makes a release of the images of one version, one per hardware", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.publish({ version: "1.2.3+4", hardware: "esp32c3-a" });
  const imageHash = await fleet.publish({ version: "1.2.3+4", hardware: "esp32c3-b" });
  await fleet.publish({ version: "1.2.4" });
  const { items } = await fleet.api("GET", "/releases");
  const versions = items.map(({ version }: { version: string }) => version);
  assert.deepEqual(versions, ["1.2.3+4", "1.2.4"]);
  const { images } = await fleet.api("GET", "/releases/1.2.3+4");
  assert.deepEqual(
    images.map(({ hardware }: { hardware: string }) => hardware),
    ["esp32c3-a", "esp32c3-b"],
  );
  assert.deepEqual(
    [images[1].imageHash, images[1].fileName, images[1].buildId, images[1].securityCounter],
    [imageHash, "esp32c3-b-1.2.3-4.bin", "010203", 1],
  );
});

test("publishing the same bytes again changes nothing", async (t) => {
  const fleet = await TestFleet.open(t);
  const { bytes } = await makeImage({ version: "1.0.0" });
  const first = await fleet.publishBytes(bytes);
  const again = await fleet.publishBytes(bytes);
  assert.deepEqual([first.statusCode, again.statusCode], [201, 200]);
  assert.deepEqual(again.json(), { ...first.json(), created: false });
});

interface Refusal {
  readonly name: string;
  readonly wishes?: Partial<ImageWishes>;
  damage?(bytes: Buffer): Uint8Array;
  readonly status: number;
  readonly error: string;
}

const refusals: readonly Refusal[] = [
  { name: "no signature", wishes: { signers: [] }, status: 422, error: "unsigned" },
  {
    name: "the signature of a stranger",
    wishes: { signers: [testSigner(8)] },
    status: 422,
    error: "untrusted-key",
  },
  { name: "no hardware id", wishes: { hardware: null }, status: 422, error: "no-hardware-id" },
  {
    name: "a byte that was changed",
    damage: (bytes) => bytes.fill(1, 500, 501),
    status: 422,
    error: "hash-mismatch",
  },
  {
    name: "half its payload",
    damage: (bytes) => bytes.subarray(0, 2000),
    status: 422,
    error: "truncated",
  },
  {
    name: "no last byte",
    damage: (bytes) => bytes.subarray(0, -1),
    status: 422,
    error: "truncated",
  },
  { name: "nothing in it", damage: () => new Uint8Array(0), status: 422, error: "truncated" },
  {
    name: "something after its end",
    damage: (bytes) => Buffer.concat([bytes, Buffer.alloc(8, 0xff)]),
    status: 422,
    error: "trailing-bytes",
  },
  {
    name: "no image in it",
    damage: () => Buffer.alloc(4096, "text"),
    status: 422,
    error: "not-an-image",
  },
  {
    name: "too many bytes for the slot",
    wishes: { payloadBytes: 9000 },
    status: 413,
    error: "too-large",
  },
];

for (const { name, wishes, damage, status, error } of refusals)
  test(`refuses an image with ${name}: ${error}`, async (t) => {
    const fleet = await TestFleet.open(t, { imageBytesMax: { "esp32c3-b": 8192 } });
    const { bytes } = await makeImage({ version: "1.0.0", ...wishes });
    const answer = await fleet.publishBytes(damage?.(bytes) ?? bytes);
    assert.deepEqual([answer.statusCode, answer.json().error], [status, error], answer.body);
    if (error === "too-large")
      assert.match(answer.json().message, /^the image has 9\d{3} bytes, .* at most 8192$/);
    assert.deepEqual((await fleet.api("GET", "/releases")).items, []);
  });

test("refuses a signature that does not fit, found by flipping its last bit", async (t) => {
  const fleet = await TestFleet.open(t);
  const { bytes } = await makeImage({ version: "1.0.0" });
  bytes[bytes.length - 1]! ^= 1;
  assert.equal((await fleet.publishBytes(bytes)).json().error, "invalid-signature");
});

test("refuses other bytes for hardware that the release has an image for", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.publish({ version: "1.0.0" });
  const { bytes } = await makeImage({ version: "1.0.0", fill: 1 });
  const answer = await fleet.publishBytes(bytes);
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "hardware-taken"]);
});

test("takes images by any of its keys, and none without a key", async (t) => {
  const second = testSigner(9);
  const both = await TestFleet.open(t, {
    imageKeys: [publicKeyPem(imageSigner), publicKeyPem(second)],
  });
  await both.publish({ version: "1.0.0" });
  await both.publish({ version: "1.0.1", signers: [second] });
  const none = await TestFleet.open(t, { imageKeys: [] });
  const answer = await none.publishBytes((await makeImage({ version: "1.0.0" })).bytes);
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "no-image-keys"]);
});

test("refuses a body beyond the largest image before reading it to the end", async (t) => {
  const fleet = await TestFleet.open(t);
  const answer = await fleet.publishBytes(Buffer.alloc(16 * 1024 * 1024 + 1));
  assert.deepEqual([answer.statusCode, answer.json().error], [413, "body-too-large"]);
});

test("refuses an image that comes as something else than octets", async (t) => {
  const fleet = await TestFleet.open(t);
  const url = "/api/v1/releases/images";
  const json = await fleet.inject({ method: "POST", url, payload: {} });
  assert.deepEqual([json.statusCode, json.json().error], [415, "not-octets"]);
  const text = await fleet.inject({
    method: "POST",
    url,
    payload: "x",
    headers: { "content-type": "text/plain" },
  });
  assert.equal(text.statusCode, 415);
});

const word = ({ warning }: { warning: string }): string => warning;

test("publishing a higher security counter than the newest release has warns that nobody can go back", async (t) => {
  const fleet = await TestFleet.open(t);
  const warnings = async (wishes: ImageWishes): Promise<string[]> =>
    (await fleet.publishBytes((await makeImage(wishes)).bytes)).json().warnings.map(word);
  assert.deepEqual(await warnings({ version: "1.0.0", securityCounter: 3 }), []);
  assert.deepEqual(await warnings({ version: "1.1.0", securityCounter: 3 }), []);
  assert.deepEqual(
    await warnings({ version: "1.1.0", securityCounter: 9, hardware: "esp32c6-a" }),
    [],
  );
  assert.deepEqual(await warnings({ version: "1.2.0", securityCounter: 4 }), [
    "ends-late-rollback",
  ]);
  assert.deepEqual(await warnings({ version: "1.3.0", securityCounter: 4 }), []);
  // 1.10.0 is newer than 1.3.0, whatever the order of their letters and of their publication.
  assert.deepEqual(await warnings({ version: "1.10.0", securityCounter: 5 }), [
    "ends-late-rollback",
  ]);
  assert.deepEqual(await warnings({ version: "1.4.0", securityCounter: 5 }), []);
  assert.deepEqual(await warnings({ version: "1.5.0", securityCounter: 4 }), [
    "below-newest-counter",
  ]);
});

test("publishing again warns again", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.publish({ version: "1.0.0", securityCounter: 1 });
  const { bytes } = await makeImage({ version: "1.1.0", securityCounter: 2 });
  await fleet.publishBytes(bytes);
  const { created, warnings } = (await fleet.publishBytes(bytes)).json();
  assert.deepEqual([created, warnings.map(word)], [false, ["ends-late-rollback"]]);
  assert.match(warnings[0].message, /1\.1\.0 has security counter 2, and 1\.0\.0, .* has 1: /);
});

test("tells what an image says of its release, and refuses one that cannot be read", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.publish({ version: "1.0.0", release: { breaking: true } });
  const { images } = await fleet.api("GET", "/releases/1.0.0");
  assert.deepEqual(images[0].facts, {
    hardware: null,
    breaking: true,
    downgradeAllowed: false,
    bootloaderVersionMin: null,
    configurationSchemas: null,
    steppingStone: null,
    windowOverride: false,
  });
  const customTlvs = [{ type: 0xa3, value: new TextEncoder().encode('{"breaking":2}') }];
  const answer = await fleet.publishBytes(
    (await makeImage({ version: "1.1.0", customTlvs })).bytes,
  );
  assert.deepEqual([answer.statusCode, answer.json().error], [422, "malformed-image"]);
});

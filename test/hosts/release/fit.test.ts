import assert from "node:assert/strict";
import { test } from "node:test";
import { checkImageFits, checkPayloadFits, checkSlot } from "../../../hosts/release/fit.ts";
import { signImage } from "../../../hosts/release/sign.ts";
import { plainImage } from "../../../src/image/writer.ts";
import { testSigner } from "../../support/image-signer.ts";

const slot = {
  slotBytes: 0x10000,
  sectorBytes: 4096,
  writeBlockBytes: 4,
  maxAlignBytes: 8,
} as const;
const options = {
  ...plainImage,
  version: { major: 1, minor: 0, revision: 0, build: 0 },
  hardware: "esp32c3-b",
  securityCounter: 1,
};

test("an image fits up to the last byte that the swap can move", () => {
  assert.deepEqual(checkSlot(slot), { ok: true, imageBytesMax: 57_344 });
  assert.equal(checkImageFits(57_344, slot).ok, true);
  const refused = checkImageFits(57_345, slot);
  assert.ok(!refused.ok);
  assert.equal(refused.reason, "too-large-for-slot");
  assert.match(
    refused.message,
    /has 57345 bytes, .* 65536 bytes takes at most 57344 .*: 1 bytes too/,
  );
});

for (const [name, change, reason, says] of [
  ["off the sectors", { slotBytes: 65_000 }, "slot-unaligned", /65000 bytes at 0/],
  ["too small", { slotBytes: 8192 }, "slot-too-small", /2 sectors/],
  ["of odd sectors", { sectorBytes: 4095 }, "sector-size", /4095 bytes/],
] as const)
  test(`no image is signed for a slot ${name}`, async () => {
    const checked = checkSlot({ ...slot, ...change });
    assert.ok(!checked.ok);
    assert.equal(checked.reason, reason);
    assert.match(checked.message, says);
    const signed = await signImage({
      payload: new Uint8Array(100),
      options,
      signers: [testSigner(5)],
      slot: { ...slot, ...change },
      form: "file",
    });
    assert.ok(!signed.ok);
    assert.equal(signed.reason, reason);
  });

test("a payload that passes unsigned also fits with its signature", async () => {
  for (let payloadBytes = 57_344 - 300; payloadBytes < 57_344; payloadBytes += 4) {
    const payload = new Uint8Array(payloadBytes);
    const fits = await checkPayloadFits(payload, options, slot);
    if (!fits.ok) continue;
    const signed = await signImage({
      payload,
      options,
      signers: [testSigner(5)],
      slot,
      form: "file",
    });
    assert.ok(signed.ok, `${payloadBytes}`);
  }
});

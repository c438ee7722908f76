import assert from "node:assert/strict";
import { test } from "node:test";
import { holdsConfirmed } from "../../../../hosts/cli/simulation/flash-check.ts";
import { ImageFactory } from "../../../../hosts/cli/simulation/images.ts";
import { deviceLayout } from "../../../../hosts/flash/board-layout.ts";
import { NorFlash } from "../../../../hosts/flash/nor-flash.ts";
import { moveTrailerShape } from "../../../../src/image/layout.ts";
import { confirmWrites, magicWrite, readTrailer } from "../../../../src/image/trailer.ts";

const layout = deviceLayout("esp32-4m");
const { offsetBytes: offset, sizeBytes: size } = layout.primary;
const slot = { slotBytes: size, sectorBytes: 4096, writeBlockBytes: 4, maxAlignBytes: 8 } as const;
const place = { shape: moveTrailerShape(slot), slotBytes: size };
const factory = new ImageFactory(layout, 1);
const firmware = "hosts/simulator/firmware/confirms-at-once.ts";
const build = (version: string, from = factory): Promise<Uint8Array> =>
  from.build({ version, hardware: "esp32c3-a", entry: firmware });
const image = await build("1.1.0");
const wanted = { image, publicPem: factory.publicPem };

/**
 * A chip as the bootloader leaves it after a swap, and, with `confirmed`, as the firmware leaves
 * it.
 */
function swapped(stored: Uint8Array, confirmed: boolean): NorFlash {
  const flash = new NorFlash({ sizeBytes: layout.flashBytes, writeBlockBytes: 4 });
  flash.poke(offset, stored);
  const magic = magicWrite(place);
  flash.poke(offset + magic.offsetBytes, magic.bytes);
  if (!confirmed) return flash;
  const plan = confirmWrites(readTrailer(flash.area(offset, size), place.shape), place);
  assert.ok("writes" in plan);
  for (const write of plan.writes) flash.poke(offset + write.offsetBytes, write.bytes);
  return flash;
}

test("a flash holds a release once its image is there, whole, signed and confirmed", () => {
  assert.equal(holdsConfirmed(swapped(image, true), layout, wanted), true);
  assert.equal(holdsConfirmed(swapped(image, false), layout, wanted), false, "on trial");
});

test("an image from the factory, another release and a changed byte are none", async () => {
  const factoryFlash = new NorFlash({ sizeBytes: layout.flashBytes, writeBlockBytes: 4 });
  factoryFlash.poke(offset, image);
  assert.equal(holdsConfirmed(factoryFlash, layout, wanted), false, "nothing was swapped in");
  const other = await build("1.0.0");
  assert.equal(holdsConfirmed(swapped(other, true), layout, wanted), false);
  const damaged = image.slice();
  damaged[200]! ^= 1;
  assert.equal(holdsConfirmed(swapped(damaged, true), layout, wanted), false);
});

test("an image that another key signed is none, although it is the one that was published", async () => {
  const stranger = new ImageFactory(layout, 2);
  const foreign = await build("1.1.0", stranger);
  const check = { image: foreign, publicPem: factory.publicPem };
  assert.equal(holdsConfirmed(swapped(foreign, true), layout, check), false);
  const own = { image: foreign, publicPem: stranger.publicPem };
  assert.equal(holdsConfirmed(swapped(foreign, true), layout, own), true);
});

test("the same seed makes the same key and the same image", async () => {
  const again = new ImageFactory(layout, 1);
  assert.equal(again.publicPem, factory.publicPem);
  assert.deepEqual(await build("1.1.0", again), image);
});

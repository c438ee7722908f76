import assert from "node:assert/strict";
import { test } from "node:test";
import { sectorBytes } from "../../../../hosts/flash/geometry.ts";
import type { NorFlash } from "../../../../hosts/flash/nor-flash.ts";
import type { FlashOperation } from "../../../../hosts/flash/operation.ts";
import { setConfirmed, setPending } from "../../../../hosts/mcuboot-model/application.ts";
import { boot } from "../../../../hosts/mcuboot-model/boot.ts";
import { trialHook } from "../../../../hosts/mcuboot-model/trial-hook.ts";
import {
  DevicePromises,
  type KnownImage,
} from "../../../../hosts/power-cuts/checkers/device-promises.ts";
import { makeChip, makeConfig, makeImage, smallLayout } from "../../../support/boot-bench.ts";

const config = makeConfig({ primaryStateHook: trialHook });
const { primary, secondary } = smallLayout;
const old = await known("old", "1.0.0");
const fresh = await known("new", "1.1.0");

async function known(name: string, version: string): Promise<KnownImage> {
  return { name, imageHash: name, file: await makeImage({ version, sectors: 2 }) };
}

/** A device that was just asked to try `new`, and its watcher. */
function requested(provedHealthy: boolean): { flash: NorFlash; promises: DevicePromises } {
  const flash = makeChip(config, { primary: old.file, secondary: fresh.file });
  setPending(flash, config, "test");
  const facts = { layout: smallLayout, images: [old, fresh], running: old, trialBootsMax: 3 };
  return { flash, promises: new DevicePromises(facts, () => provedHealthy) };
}

function bootOnce(flash: NorFlash, promises: DevicePromises): void {
  promises.resetting(flash);
  promises.booted(flash, boot(flash, config));
}

function confirm(flash: NorFlash, promises: DevicePromises): void {
  flash.faultHook = (operation: FlashOperation) => {
    promises.firmwareOperation(operation);
    return "proceed";
  };
  setConfirmed(flash, config);
  flash.faultHook = null;
}

function kinds({ broken }: DevicePromises): string[] {
  return broken.map(({ kind, text }) => `${kind}: ${text}`);
}

test("finds nothing in an update that is confirmed after the server answered", () => {
  const { flash, promises } = requested(true);
  bootOnce(flash, promises);
  assert.equal(promises.isOnTrial, true);
  confirm(flash, promises);
  bootOnce(flash, promises);
  promises.atRest(flash, [fresh]);
  assert.deepEqual(kinds(promises), []);
});

test("finds nothing in a trial that ends with the old image after three boots", () => {
  const { flash, promises } = requested(false);
  for (let boots = 0; boots < 5; boots += 1) bootOnce(flash, promises);
  promises.atRest(flash, [old]);
  assert.equal(promises.trialBoots(fresh), 3);
  assert.deepEqual(kinds(promises), []);
});

test("tells of an image that is confirmed unproved", () => {
  const { flash, promises } = requested(false);
  bootOnce(flash, promises);
  confirm(flash, promises);
  assert.deepEqual(kinds(promises), [
    "lost-rollback: new confirms itself before the server answered it",
  ]);
});

test("tells of a way back that is damaged during the trial", () => {
  const { flash, promises } = requested(false);
  bootOnce(flash, promises);
  flash.eraseSector(secondary.offsetBytes);
  promises.resetting(flash);
  assert.deepEqual(kinds(promises), ["lost-rollback: old is not whole behind new"]);
});

test("tells of an image on trial that nothing will revert", () => {
  const { flash, promises } = requested(false);
  bootOnce(flash, promises);
  flash.eraseSector(primary.offsetBytes + primary.sizeBytes - sectorBytes);
  bootOnce(flash, promises);
  promises.atRest(flash, [old]);
  assert.deepEqual(kinds(promises).slice(-1), ["lost-rollback: new stays and was never confirmed"]);
});

test("tells of a boot of an image that nobody signed for this device", () => {
  const { flash, promises } = requested(false);
  const outcome = boot(flash, config);
  flash.poke(primary.offsetBytes + 100, Uint8Array.of(0));
  promises.booted(flash, outcome);
  assert.deepEqual(kinds(promises), ["bricked: boots 1.1.0+0, which is none of the signed images"]);
});

test("tells of a device that boots nothing", () => {
  const { flash, promises } = requested(false);
  flash.eraseSector(primary.offsetBytes);
  flash.eraseSector(secondary.offsetBytes);
  bootOnce(flash, promises);
  assert.deepEqual(kinds(promises), ["bricked: the bootloader ended with no-bootable-image"]);
});

test("tells of a sound device that rests on the wrong image", () => {
  const { flash, promises } = requested(false);
  promises.atRest(flash, [fresh]);
  assert.deepEqual(kinds(promises), ["unfinished: rests on old, not on new"]);
});

test("takes a confirmation that the power cut undid for none", () => {
  const { flash, promises } = requested(true);
  bootOnce(flash, promises);
  flash.faultHook = (operation) => {
    promises.firmwareOperation(operation);
    return "cut-clean";
  };
  assert.throws(() => setConfirmed(flash, config));
  flash.faultHook = null;
  bootOnce(flash, promises);
  assert.equal(promises.isOnTrial, true);
  assert.equal(promises.trialBoots(fresh), 2);
  assert.deepEqual(kinds(promises), []);
});

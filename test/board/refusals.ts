import assert from "node:assert/strict";
import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { BoardDevice, deviceId } from "../../hosts/esp32/emulator/board-device.ts";
import {
  layout,
  newKeys,
  primaryVersion,
  type SignedBoardImage,
  signed,
} from "../../hosts/esp32/emulator/board-image.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import type { Kit } from "./kit.ts";
import { assertModelAgrees } from "./model.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";

const refusalSeconds = 240;
const bootMs = 120_000;
const runningCounter = 5;
const askedAgainMin = 4;
const slotBytes = layout.primary.sizeBytes;

/** What the slot takes at most is 1,822,720 bytes; this one still ends before the trailer. */
const oversizedBytes = 1_826_000;

interface BadImage {
  readonly name: string;
  readonly image: SignedBoardImage;
  /** Changes what the server holds behind its back. */
  tamper?(artifact: string): void;
  /** The slot as somebody wrote it who asked nobody. */
  readonly planted: Uint8Array;
}

/**
 * Images that must never start: the firmware refuses them before a restart, the bootloader when
 * they lie in the slot.
 */
export async function refusalScenarios(stage: Stage): Promise<Scenario[]> {
  const strangers = newKeys();
  const images = badImages(stage.kit, strangers);
  images.catch(() => {}); // each scenario is told
  return imageNames.flatMap((name, index) => {
    const bad = async (): Promise<BadImage> => (await images)[index] as BadImage;
    const fleetKeys = name === "of a wrong key" ? strangers : stage.kit.keys;
    return [
      {
        name: `the firmware and an image ${name}`,
        isIdle: name === "that was cut off", // it waits between its attempts
        run: async () => refusedByFirmware(stage, await bad(), fleetKeys),
      },
      {
        name: `the bootloader and an image ${name}`,
        run: async () => refusedByBootloader(stage, await bad()),
      },
    ];
  });
}

const imageNames = [
  "of a wrong key",
  "of a lower security counter",
  "that was cut off",
  "that is too large",
] as const;

async function badImages(kit: Kit, strangers: Kit["keys"]): Promise<BadImage[]> {
  const { payload } = kit.reference;
  const equal = { securityCounter: runningCounter };
  const lower = { securityCounter: runningCounter - 1 };
  const whole = await signed("1.1.0", payload, kit.keys, equal);
  const half = Math.floor(whole.bytes.length / 2);
  const large = new Uint8Array(oversizedBytes - 400).fill(0xa5);
  large.set(payload);
  const images = [
    await signed("1.1.0", payload, strangers, equal),
    await signed("1.1.0", payload, kit.keys, lower),
    whole,
    await signed("1.1.0", large, kit.keys, { ...equal, slotBytes: 2 * slotBytes }),
  ];
  return images.map((image, index) => {
    const name = imageNames[index] ?? "";
    const isCutOff = name === "that was cut off";
    return {
      name,
      image,
      planted: inSlot(isCutOff ? image.bytes.subarray(0, half) : image.bytes),
      ...(isCutOff && { tamper: (artifact: string) => truncateSync(artifact, half) }),
    };
  });
}

async function refusedByFirmware(
  stage: Stage,
  bad: BadImage,
  fleetKeys: Kit["keys"],
): Promise<void> {
  const { checks, kit } = stage;
  const image = await runningImage(kit);
  const directory = join(stage.directory, `firmware-${folderOf(bad)}`);
  const one = await BoardDevice.start({ parts: kit, directory, image, fleetKeys });
  await closing(checks, one, async (check) => {
    await one.offer("1.1.0", bad.image);
    bad.tamper?.(artifactIn(join(directory, "fleet", "artifacts"), bad.image.bytes.length));
    await one.powerOn();
    await check(`the firmware refuses an image ${bad.name}, and does not restart`, async () => {
      await until(`the refusal of an image ${bad.name}`, refusalSeconds, async () => {
        const { state } = await one.fleet.device(deviceId);
        if (state === "failed" || one.console.some((line) => / -> failed /.test(line))) return true;
        // What is not whole on the server is asked for again and again, and never begun.
        return bad.tamper !== undefined && one.fleet.ranges.length >= askedAgainMin;
      });
      assert.deepEqual(one.starts, ["1.0.0 confirmed power-on"]);
      assert.equal(primaryVersion(one.readFlash()), "1.0.0");
      assert.equal(one.readFlash()[layout.secondary.offsetBytes], 0xff, "the slot was written");
    });
  });
}

async function refusedByBootloader(stage: Stage, bad: BadImage): Promise<void> {
  const { checks, kit } = stage;
  const image = await runningImage(kit);
  const directory = join(stage.directory, `bootloader-${folderOf(bad)}`);
  const one = await BoardDevice.start({ parts: kit, directory, image });
  await closing(checks, one, async (check) => {
    one.changeFlash((flash) => flash.set(bad.planted, layout.secondary.offsetBytes));
    await check(`the bootloader refuses an image ${bad.name} in the slot`, async () => {
      const chip = await one.powerOn();
      await chip.waitFor(/^info: running 1\.0\.0 \(confirmed\)/, { timeoutMs: bootMs });
      assert.equal(primaryVersion(one.readFlash()), "1.0.0");
      assert.equal(one.applicationStarts, 1);
    });
    await check(`the model refuses an image ${bad.name} in the slot as the chip does`, () =>
      assertModelAgrees(one.boots, kit.keys.key),
    );
  });
}

function runningImage(kit: Kit): Promise<SignedBoardImage> {
  return signed("1.0.0", kit.reference.payload, kit.keys, { securityCounter: runningCounter });
}

function folderOf({ name }: BadImage): string {
  return name.replaceAll(" ", "-");
}

/** MCUboot's magic at the end of a slot asks for a trial (`boot_img_magic`, bootutil_public.h). */
const magic = Uint8Array.from(Buffer.from("77c295f360d2ef7f3552500f2cb67980", "hex"));

function inSlot(image: Uint8Array): Uint8Array {
  const slot = new Uint8Array(slotBytes).fill(0xff);
  slot.set(image);
  slot.set(magic, slotBytes - magic.length);
  return slot;
}

/** The server's file of so many bytes. */
function artifactIn(folder: string, bytes: number): string {
  const files = readdirSync(folder, { recursive: true }).map((file) => join(folder, String(file)));
  const found = files.find((file) => statSync(file).isFile() && statSync(file).size === bytes);
  if (found === undefined) throw new Error(`the server holds no file of ${bytes} bytes`);
  return found;
}

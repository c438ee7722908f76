import assert from "node:assert/strict";
import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { signImage } from "../../hosts/release/sign.ts";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import { plainImage } from "../../src/image/writer.ts";
import type { Checks } from "../moddable/checks.ts";
import { BoardDevice, deviceId, layout } from "./board-device.ts";
import { hardware, type Kit, newKeys, type SignedBoardImage, signed, slotBytes } from "./kit.ts";
import { primaryVersion } from "./rollbacks.ts";

const refusalSeconds = 180;
const bootMs = 90_000;
const runningCounter = 5;
const askedAgainMin = 4;

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

/** Images that must never start: the firmware refuses them before a restart, the bootloader when they lie in the slot. */
export async function checkRefusals(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const running = await signed("1.0.0", kit.reference.payload, kit.keys, runningCounter);
  const strangers = newKeys();
  for (const bad of await badImages(kit, strangers)) {
    const fleetKeys = bad.name === "of a wrong key" ? strangers : kit.keys;
    const folder = join(directory, bad.name.replaceAll(" ", "-"));
    await checks.check(`the firmware refuses an image ${bad.name}, and does not restart`, () =>
      refusedByFirmware(kit, folder, running, bad, fleetKeys),
    );
    await checks.check(`the bootloader refuses an image ${bad.name} in the slot`, () =>
      refusedByBootloader(kit, folder, running, bad),
    );
  }
}

async function badImages(kit: Kit, strangers: Kit["keys"]): Promise<BadImage[]> {
  const { payload } = kit.reference;
  const wrongKey = await signed("1.1.0", payload, strangers, runningCounter);
  const lower = await signed("1.1.0", payload, kit.keys, runningCounter - 1);
  const whole = await signed("1.1.0", payload, kit.keys, runningCounter);
  const oversized = await oversizedImage(kit);
  const half = Math.floor(whole.bytes.length / 2);
  return [
    { name: "of a wrong key", image: wrongKey, planted: inSlot(wrongKey.bytes) },
    { name: "of a lower security counter", image: lower, planted: inSlot(lower.bytes) },
    {
      name: "that was cut off",
      image: whole,
      tamper: (artifact) => truncateSync(artifact, half),
      planted: inSlot(whole.bytes.subarray(0, half)),
    },
    { name: "that is too large", image: oversized, planted: inSlot(oversized.bytes) },
  ];
}

async function refusedByFirmware(
  kit: Kit,
  directory: string,
  image: SignedBoardImage,
  bad: BadImage,
  fleetKeys: Kit["keys"],
): Promise<void> {
  const one = await BoardDevice.start({ kit, directory, image, fleetKeys });
  try {
    await one.offer("1.1.0", bad.image);
    bad.tamper?.(artifactIn(join(directory, "fleet", "artifacts"), bad.image.bytes.length));
    await one.powerOn();
    await until(`the refusal of an image ${bad.name}`, refusalSeconds, async () => {
      const { state } = await one.fleet.device(deviceId);
      if (state === "failed" || one.console.some((line) => / -> failed /.test(line))) return true;
      // What is not whole on the server is asked for again and again, and never begun.
      return bad.tamper !== undefined && one.fleet.ranges.length >= askedAgainMin;
    });
    assert.deepEqual(one.starts, ["1.0.0 confirmed power-on"]);
    assert.equal(primaryVersion(one.readFlash()), "1.0.0");
    assert.equal(one.readFlash()[layout.secondary.offset], 0xff, "the slot was written");
  } finally {
    if (process.env["SLUICE_KEEP"] !== undefined) console.log(one.console.slice(-12).join("\n"));
    await one.close();
  }
}

async function refusedByBootloader(
  kit: Kit,
  directory: string,
  image: SignedBoardImage,
  bad: BadImage,
): Promise<void> {
  const one = await BoardDevice.start({ kit, directory, image });
  try {
    const { offset } = layout.secondary;
    one.changeFlash((flash) => flash.set(bad.planted, offset));
    const chip = await one.powerOn();
    await chip.waitFor(/^info: running 1\.0\.0 \(confirmed\)/, { timeoutMs: bootMs });
    assert.equal(primaryVersion(one.readFlash()), "1.0.0");
    assert.equal(one.applicationStarts, 1);
  } finally {
    await one.close();
  }
}

async function oversizedImage(kit: Kit): Promise<SignedBoardImage> {
  const payload = new Uint8Array(oversizedBytes - 400).fill(0xa5);
  payload.set(kit.reference.payload);
  const result = await signImage({
    payload,
    options: {
      ...plainImage,
      version: { major: 1, minor: 1, revision: 0, build: 0 },
      hardware,
      securityCounter: runningCounter,
    },
    signers: [kit.keys.signer],
    slot: { slotBytes: 2 * slotBytes, sectorBytes: 4096, writeBlockBytes: 4, maxAlignBytes: 8 },
    form: "file",
  });
  if (!result.ok) throw new Error(result.message);
  return { bytes: result.signed.image, imageHash: result.signed.imageHash };
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

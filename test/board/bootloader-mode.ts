import assert from "node:assert/strict";
import { join } from "node:path";
import { BoardDevice, deviceId } from "../../hosts/esp32/emulator/board-device.ts";
import { layout, primaryVersion, signed } from "../../hosts/esp32/emulator/board-image.ts";
import { withChecksum } from "../../hosts/esp32/emulator/bootloader-key.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import {
  bootloaderRecordBytes,
  bootloaderRecordMagic,
  encodeBootloaderRecord,
  parseBootloaderRecord,
} from "../../src/image/bootloader-record.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";

const refusalSeconds = 180;
const bootMs = 90_000;

interface OtherBootloader {
  readonly what: string;
  /** What the firmware says of it on the console. */
  readonly says: RegExp;
  change(record: Uint8Array): void;
}

const others: readonly OtherBootloader[] = [
  {
    what: "overwrites the only image",
    says: /no updates: the bootloader works by overwrite-only, this firmware by swap-using-move/,
    change(record) {
      const parsed = parseBootloaderRecord(record);
      if (parsed === null) throw new Error("the bootloader's record cannot be read");
      record.set(encodeBootloaderRecord({ ...parsed, mode: "overwrite-only" }));
    },
  },
  {
    what: "does not say what it is",
    says: /no updates: the bootloader does not say how it swaps \(no-record\)/,
    change: (record) => void record.fill(0),
  },
];

/** The firmware installs only under a bootloader that says that it works as the firmware does. */
export async function bootloaderModeScenarios(stage: Stage): Promise<Scenario[]> {
  return [
    { name: "a bootloader that agrees", run: () => checkAgreeing(stage) },
    ...others.map((other) => ({
      name: `a bootloader that ${other.what}`,
      run: () => checkRefused(stage, other),
    })),
  ];
}

async function checkAgreeing({ checks, kit, directory }: Stage): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const folder = join(directory, "agrees");
  const one = await BoardDevice.start({ parts: kit, directory: folder, image });
  await closing(checks, one, async (check) => {
    await one.powerOn();
    await check("tells the server what its bootloader says of itself", () =>
      until("the attributes", refusalSeconds, async () => {
        const { attributes } = await one.fleet.device(deviceId);
        const { bootloader = "" } = attributes;
        return /^swap-using-move;ecdsa-p256;align=8\/4;.*;boots=3;watchdog=60;/.test(bootloader);
      }),
    );
  });
}

async function checkRefused(stage: Stage, { what, says, change }: OtherBootloader): Promise<void> {
  const { checks, kit } = stage;
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, { securityCounter: 2 });
  const parts = { ...kit, bootloader: withRecord(kit.bootloader, change) };
  const directory = join(stage.directory, what.replaceAll(" ", "-"));
  const one = await BoardDevice.start({ parts, directory, image });
  await closing(checks, one, async (check) => {
    const rollout = await one.offer("1.1.0", next);
    const chip = await one.powerOn();
    await check(`refuses every update under a bootloader that ${what}, and tells why`, async () => {
      await chip.waitFor(says, { timeoutMs: bootMs });
      await until("the refusal", refusalSeconds, async () => {
        return (await one.fleet.count(rollout, "failed")) === 1;
      });
      assert.equal((await one.fleet.device(deviceId)).reason, "bootloader-mode");
      assert.deepEqual(one.starts, ["1.0.0 confirmed power-on"]);
      assert.equal(primaryVersion(one.readFlash()), "1.0.0");
      assert.equal(one.readFlash()[layout.secondary.offsetBytes], 0xff, "the slot was written");
      assert.deepEqual(one.fleet.ranges, []);
    });
  });
}

/** The same bootloader, which says something else of itself. */
function withRecord(bootloader: Uint8Array, change: (record: Uint8Array) => void): Uint8Array {
  const changed = Buffer.from(bootloader);
  const at = changed.indexOf(bootloaderRecordMagic, 0, "latin1");
  if (at < 0) throw new Error("the bootloader holds no record");
  change(changed.subarray(at, at + bootloaderRecordBytes));
  return withChecksum(changed);
}

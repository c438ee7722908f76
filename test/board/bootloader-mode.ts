import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import {
  bootloaderRecordBytes,
  bootloaderRecordMagic,
  encodeBootloaderRecord,
  parseBootloaderRecord,
} from "../../src/image/bootloader-record.ts";
import type { Checks } from "../moddable/checks.ts";
import { BoardDevice, deviceId, layout } from "./board-device.ts";
import { withChecksum } from "./bootloader-key.ts";
import { type Kit, signed } from "./kit.ts";
import { primaryVersion } from "./rollbacks.ts";

const refusalSeconds = 180;
const bootMs = 90_000;

/** The firmware installs only under a bootloader that says that it works as the firmware does. */
export async function checkBootloaderMode(
  checks: Checks,
  kit: Kit,
  directory: string,
): Promise<void> {
  await checks.check("tells the server what its bootloader says of itself", async () => {
    const image = await signed("1.0.0", kit.reference.payload, kit.keys);
    const one = await BoardDevice.start({ kit, directory: join(directory, "agrees"), image });
    try {
      await one.powerOn();
      await until("the attributes", refusalSeconds, async () => {
        const { attributes } = await one.fleet.device(deviceId);
        const { bootloader = "" } = attributes;
        return /^swap-using-move;ecdsa-p256;align=8\/4;.*;boots=3;watchdog=60;/.test(bootloader);
      });
    } finally {
      await one.close();
    }
  });
  const cases: readonly (readonly [string, RegExp, (record: Uint8Array) => void])[] = [
    [
      "overwrites the only image",
      /no updates: the bootloader works by overwrite-only, this firmware by swap-using-move/,
      (record) => {
        const parsed = parseBootloaderRecord(record);
        if (parsed === null) throw new Error("the bootloader's record cannot be read");
        record.set(encodeBootloaderRecord({ ...parsed, mode: "overwrite-only" }));
      },
    ],
    [
      "does not say what it is",
      /no updates: the bootloader does not say how it swaps \(no-record\)/,
      (record) => record.fill(0),
    ],
  ];
  for (const [what, says, change] of cases)
    await checks.check(`refuses every update under a bootloader that ${what}, and tells why`, () =>
      refused(kit, join(directory, what.replaceAll(" ", "-")), says, change),
    );
}

async function refused(
  kit: Kit,
  directory: string,
  says: RegExp,
  change: (record: Uint8Array) => void,
): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, 2);
  const bootloader = withRecord(kit.bootloader, change);
  const one = await BoardDevice.start({ kit: { ...kit, bootloader }, directory, image });
  try {
    const rollout = await one.offer("1.1.0", next);
    const chip = await one.powerOn();
    await chip.waitFor(says, { timeoutMs: bootMs });
    await until("the refusal", refusalSeconds, async () => {
      return (await one.fleet.count(rollout, "failed")) === 1;
    });
    assert.equal((await one.fleet.device(deviceId)).reason, "bootloader-mode");
    assert.deepEqual(one.starts, ["1.0.0 confirmed power-on"]);
    assert.equal(primaryVersion(one.readFlash()), "1.0.0");
    assert.equal(one.readFlash()[layout.secondary.offset], 0xff, "the slot was written");
    assert.deepEqual(one.fleet.ranges, []);
  } finally {
    if (process.env["SLUICE_KEEP"] !== undefined) console.log(one.console.slice(-12).join("\n"));
    await one.close();
  }
}

/** The same bootloader, which says something else of itself. */
function withRecord(bootloader: Uint8Array, change: (record: Uint8Array) => void): Uint8Array {
  const changed = Buffer.from(bootloader);
  const at = changed.indexOf(bootloaderRecordMagic, 0, "latin1");
  if (at < 0) throw new Error("the bootloader holds no record");
  change(changed.subarray(at, at + bootloaderRecordBytes));
  return withChecksum(changed);
}

import assert from "node:assert/strict";
import { join } from "node:path";
import { bootDevice } from "../../hosts/simulator/boot/sluice-config.ts";
import { NorFlash } from "../../hosts/simulator/flash/nor-flash.ts";
import type { Extent } from "../../hosts/simulator/layout.ts";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import type { Checks } from "../moddable/checks.ts";
import { BoardDevice, layout } from "./board-device.ts";
import { type Kit, signed } from "./kit.ts";
import { primaryVersion } from "./rollbacks.ts";

const updateSeconds = 300;

/** What the chip's own MCUboot makes of a flash file, our model of it makes too, byte for byte. */
export async function checkModel(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const old = await signed("1.0.0", kit.reference.payload, kit.keys, 1);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, 2);
  const bad = await signed("1.2.0", kit.throwing.payload, kit.keys, 3);
  const one = await BoardDevice.start({ kit, directory: join(directory, "model"), image: old });
  one.takesSnapshots = true;
  try {
    const update = await one.offer("1.1.0", next);
    await one.powerOn();
    await until("the update", updateSeconds, async () => {
      return (await one.fleet.count(update, "updated")) === 1;
    });
    const rollback = await one.offer("1.2.0", bad);
    await until("the rollback", updateSeconds, async () => {
      return (await one.fleet.count(rollback, "rolled-back")) === 1;
    });
  } finally {
    await one.close();
  }
  const names = [
    "a plain start",
    "the swap of an update",
    "the swap of a bad update",
    "its second boot",
    "its third boot",
    "the swap back",
  ];
  await checks.check("the chip booted as often as the story needs", () => {
    const versions = one.snapshots.map(({ after }) => primaryVersion(after));
    assert.deepEqual(versions, ["1.0.0", "1.1.0", "1.2.0", "1.2.0", "1.2.0", "1.1.0"]);
  });
  for (const [index, { before, after }] of one.snapshots.entries())
    await checks.check(`the model does what the chip did: ${names[index] ?? index}`, () => {
      const model = modelled(before, kit);
      for (const [name, extent] of Object.entries(compared)) assertSame(name, extent, model, after);
    });
}

const { primary, secondary, bootctl } = layout;
const compared: Readonly<Record<string, Extent>> = { primary, secondary, bootctl };

function modelled(before: Uint8Array, kit: Kit): NorFlash {
  const flash = NorFlash.fromBytes(before, 4);
  const outcome = bootDevice(flash, layout, [kit.keys.key]);
  assert.equal(outcome.outcome, "booted");
  return flash;
}

function assertSame(name: string, extent: Extent, model: NorFlash, chip: Uint8Array): void {
  const made = new Uint8Array(extent.size);
  model.area(extent.offset, extent.size).read(0, made);
  const differs = made.findIndex((byte, at) => byte !== chip[extent.offset + at]);
  assert.equal(differs, -1, `${name} differs from byte ${differs} on`);
}

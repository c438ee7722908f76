import assert from "node:assert/strict";
import { join } from "node:path";
import type { Checks } from "../moddable/checks.ts";
import { BoardDevice, layout } from "./board-device.ts";
import { type Kit, newKeys, signed } from "./kit.ts";
import { SmpLine } from "./smp-line.ts";

const bootMs = 60_000;

/** With no image in either slot the bootloader takes one over the console's wire, and only a signed one starts. */
export async function checkRecovery(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const one = await BoardDevice.start({ kit, directory: join(directory, "recovery"), image });
  one.changeFlash((flash) => {
    const { primary, secondary } = layout;
    for (const slot of [primary, secondary]) flash.fill(0x5a, slot.offset, slot.offset + slot.size);
  });
  try {
    const chip = await one.powerOn();
    const line = new SmpLine(chip);
    await checks.check("answers on the wire when both slots are destroyed", async () => {
      const answer = await line.untilAnswered("hello");
      assert.equal(answer, "hello");
    });
    await checks.check("starts nothing while no slot holds an image", () => {
      assert.equal(one.applicationStarts, 0);
    });
    await checks.check("takes an unsigned stranger's image, and does not start it", async () => {
      const stranger = await signed("1.9.0", kit.reference.payload.slice(0, 65_536), newKeys());
      await line.upload(stranger.bytes);
      await line.reset();
      assert.equal(await line.untilAnswered("again"), "again");
      assert.equal(one.applicationStarts, 0);
    });
    await checks.check("takes a signed image over the wire, which boots", async () => {
      await line.upload(image.bytes);
      await line.reset();
      await chip.waitFor(/^info: running 1\.0\.0 \(confirmed\)/, { timeoutMs: bootMs });
    });
  } finally {
    if (process.env["SLUICE_KEEP"] !== undefined) console.log(one.console.join("\n"));
    await one.close();
  }
}

import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BoardDevice } from "../../../hosts/esp32/emulator/board-device.ts";
import { layout, newKeys, signed } from "../../../hosts/esp32/emulator/board-image.ts";
import type { EmulatedChip } from "../../../hosts/esp32/emulator/emulated-chip.ts";
import type { Scenario } from "../schedule.ts";
import { closing, type Stage } from "../stage.ts";
import { type ClientKind, connectClient, findClient, type RecoveryClient } from "./client.ts";

const bootMs = 120_000;
/**
 * What comes before the bootloader listens is lost, and stops an emulated UART for good whose
 * receiver cannot be reset: so long after its first words nobody speaks.
 */
const quietMs = 8000;
const echoesMax = 10;
const strangerBytes = 65_536;

/**
 * With no image in either slot the bootloader takes one over the console's wire, and only a signed
 * one starts.
 */
export async function recoveryScenarios(stage: Stage): Promise<Scenario[]> {
  const kind = await findClient();
  if (kind.kind === "own") console.log(`serial recovery by our own client: ${kind.why}`);
  const run = () => checkRecovery(stage, kind);
  return [{ name: `the serial recovery by ${kind.kind}`, isIdle: true, run }];
}

async function checkRecovery(stage: Stage, kind: ClientKind): Promise<void> {
  const { checks, kit } = stage;
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const directory = join(stage.directory, kind.kind);
  const one = await BoardDevice.start({ parts: kit, directory, image });
  one.changeFlash((flash) => {
    const { primary, secondary } = layout;
    for (const slot of [primary, secondary])
      flash.fill(0x5a, slot.offsetBytes, slot.offsetBytes + slot.sizeBytes);
  });
  const by = kind.kind === "own" ? "our own client" : kind.kind;
  await closing(checks, one, async (check) => {
    const chip = await one.powerOn();
    const client = await connectClient(kind, chip);
    try {
      await check(`answers ${by} on the wire when both slots are destroyed`, async () => {
        await sleep(quietMs); // its first words may have been lost
        assert.match(await untilEchoed(client, "hello"), /hello$/);
        assert.equal(one.applicationStarts, 0);
      });
      await check(`takes a stranger's image from ${by}, and does not start it`, async () => {
        const payload = kit.reference.payload.slice(0, strangerBytes);
        await client.upload((await signed("1.9.0", payload, newKeys())).bytes);
        const fromLine = chip.lines.length;
        await client.reset();
        await untilListening(chip, fromLine);
        assert.match(await untilEchoed(client, "again"), /again$/);
        assert.equal(one.applicationStarts, 0);
      });
      await check(`takes a signed image from ${by}, which boots and knows who it is`, async () => {
        await client.upload(image.bytes);
        await client.reset();
        await chip.waitFor(/^info: running 1\.0\.0 \(confirmed\)/, { timeoutMs: bootMs });
      });
    } finally {
      client.close();
    }
  });
}

async function untilListening(chip: EmulatedChip, fromLine: number): Promise<void> {
  await chip.waitFor(/flash_init: SPI Flash Size/, { timeoutMs: bootMs, fromLine });
  await sleep(quietMs);
}

async function untilEchoed(client: RecoveryClient, text: string): Promise<string> {
  let last: unknown = null;
  for (let attempt = 0; attempt < echoesMax; attempt += 1)
    try {
      return await client.echo(text);
    } catch (error) {
      last = error; // it may still be busy with its slots
    }
  throw new Error(`${client.name} got no answer in ${echoesMax} attempts: ${String(last)}`);
}

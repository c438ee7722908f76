// A simulated device on real time: its flash is a file, and the end of a process a power cut.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ImageFactory, referenceFirmware } from "../../../../hosts/cli/simulation/images.ts";
import { LiveDevice } from "../../../../hosts/cli/simulation/live-device.ts";
import { deviceLayout } from "../../../../hosts/flash/board-layout.ts";
import { writeFlashFile } from "../../../../hosts/flash/flash-file.ts";
import { manufacture } from "../../../../hosts/simulator/manufacture.ts";
import { temporaryFolder } from "../../../support/command-line.ts";

const layout = deviceLayout("esp32-4m");

async function fresh(t: TestContext) {
  const factory = new ImageFactory(layout, 7);
  const wanted = { version: "1.0.0", hardware: "esp32c3-a", entry: referenceFirmware };
  const flash = manufacture(layout, await factory.build(wanted), {
    serverUrl: "http://127.0.0.1:9",
    tenant: "DEFAULT",
    deviceId: "kettle",
    token: "kettle-has-this-token-of-its-own",
    hardware: "esp32c3-a",
    imageKeys: [factory.key.publicKey],
  });
  const file = join(temporaryFolder(t), "kettle.flash");
  writeFlashFile(file, flash);
  return { file, keys: [factory.key] };
}

function open(t: TestContext, file: string, imageKeys: LiveDeviceKeys) {
  const lines: string[] = [];
  const running = Promise.withResolvers<void>();
  const device = new LiveDevice({
    id: "kettle",
    hardware: "esp32c3-a",
    flashFile: file,
    imageKeys,
    engine: "node",
    batteryPercent: null,
    told: (line) => {
      lines.push(line);
      if (line.includes("running 1.0.0")) running.resolve();
    },
  });
  t.after(() => device.close());
  return { device, lines, running: running.promise };
}

type LiveDeviceKeys = ConstructorParameters<typeof LiveDevice>[0]["imageKeys"];

test("what its firmware keeps is in the file while it runs, and another process goes on from there", async (t) => {
  const { file, keys } = await fresh(t);
  const before = readFileSync(file);
  const first = open(t, file, keys);
  await first.device.powerOn();
  const over = first.device.run();
  await first.running;
  assert.notDeepEqual(readFileSync(file), before, "the boot was counted in the flash");
  // Nobody closes the first one: to its flash the end of a process is the end of its power.
  first.device.powerOff();
  const second = open(t, file, keys);
  await second.device.powerOn();
  const secondOver = second.device.run();
  await second.running;
  assert.match(second.lines[0] ?? "", /^boot \(power-on\): starts 1\.0\.0/);
  await second.device.close();
  await first.device.close();
  await Promise.all([over, secondOver]);
});

test("power that is taken away and given back is a boot", async (t) => {
  const { file, keys } = await fresh(t);
  const { device, lines, running } = open(t, file, keys);
  await device.powerOn();
  const over = device.run();
  await running;
  device.powerOff();
  await device.powerOn();
  assert.equal(lines.filter((line) => line.startsWith("boot (power-on)")).length, 2);
  await device.close();
  await over;
});

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BoardDevice } from "../../../../hosts/esp32/emulator/board-device.ts";
import { layout, newKeys, signed } from "../../../../hosts/esp32/emulator/board-image.ts";

/**
 * Stands for an emulator whose console is heard late: it counts a boot in the flash before it tells
 * of the reset. It resets for each byte that is typed.
 */
const emulator = (countedFrom: number): string => `#!${process.execPath}
const { createServer } = require("node:net");
const { openSync, writeSync } = require("node:fs");
const option = (name) => process.argv[process.argv.indexOf(name) + 1];
createServer(() => {}).listen(option("--serial2"));
createServer((console) => {
  const flash = openSync(option("--flash"), "r+");
  let offset = ${countedFrom};
  console.write("*** Booting Zephyr OS\\r\\n");
  console.on("data", () => {
    writeSync(flash, Buffer.alloc(4), 0, 4, offset);
    offset += 4;
    console.write("rst:0xc (RTC_SW_CPU_RST),boot:0x8\\r\\n*** Booting Zephyr OS\\r\\n");
  });
}).listen(option("--console"));
`;

const timeoutMs = 60_000;
let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-board-device-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

test("knows the counted boots from before a reset that is heard after one more was counted", async () => {
  const keys = newKeys();
  const { offsetBytes: page } = layout.bootctl;
  const program = join(directory, "emulator.cjs");
  writeFileSync(program, emulator(page));
  chmodSync(program, 0o755);
  const image = await signed("1.0.0", new Uint8Array(1000), keys);
  const device = await BoardDevice.start({
    parts: { emulator: program, bootloader: new Uint8Array(16), keys },
    directory: join(directory, "device"),
    image,
  });
  try {
    const chip = await device.powerOn();
    for (let boots = 1; boots <= 3; boots += 1) {
      const fromLine = chip.lines.length;
      if (boots > 1) chip.type(new Uint8Array(1));
      await chip.waitFor(/^\*\*\* Booting/, { timeoutMs, fromLine: boots === 1 ? 0 : fromLine });
    }
    const counted = (flash: Uint8Array): number =>
      [0, 4].filter((at) => flash[page + at] === 0).length;
    const seen = device.boots.map((boot) => [counted(boot.before), counted(boot.after)]);
    assert.deepEqual(seen, [
      [0, 0],
      [0, 1],
      [1, 2],
    ]);
  } finally {
    await device.close();
  }
});

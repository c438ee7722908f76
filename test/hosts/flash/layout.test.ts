import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceLayout, layoutNames } from "../../../hosts/flash/board-layout.ts";
import { encodeLayout, parseDeviceLayout, parseFlashLayout } from "../../../hosts/flash/layout.ts";

const entry = {
  flash_size: 24 * 4096,
  sector_size: 4096,
  primary: { offset: 4096, size: 8 * 4096, sectors: 8 },
  secondary: { offset: 9 * 4096, size: 8 * 4096 },
  bootctl: { offset: 17 * 4096, size: 4096 },
  storage: { offset: 18 * 4096, size: 6 * 4096 },
};

test("a layout is read whole, with the sectors of its slots", () => {
  const parsed = parseDeviceLayout(entry);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.layout.secondary, {
    offsetBytes: 9 * 4096,
    sizeBytes: 8 * 4096,
    sectors: 8,
  });
  assert.equal(parsed.layout.scratch, null);
  assert.deepEqual(parsed.layout.bootctl, { offsetBytes: 17 * 4096, sizeBytes: 4096 });
});

test("a layout of another bootloader may have unequal slots and none of our areas", () => {
  const parsed = parseFlashLayout({
    flash_size: 24 * 4096,
    sector_size: 4096,
    primary: { offset: 0, size: 8 * 4096 },
    secondary: { offset: 8 * 4096, size: 9 * 4096 },
    note: "ignored",
  });
  assert.ok(parsed.ok);
  assert.equal(parsed.layout.bootctl, null);
});

test("every layout of our boards can be run, and a layout file of it reads the same", () => {
  assert.deepEqual(layoutNames, ["esp32-4m", "esp32-8m", "esp32-16m"]);
  for (const name of layoutNames) {
    const layout = deviceLayout(name);
    const file = JSON.parse(JSON.stringify(encodeLayout(layout)));
    assert.deepEqual(parseDeviceLayout(file), { ok: true, layout });
  }
});

test("a layout that cannot work is refused with the numbers", () => {
  const refusals: ReadonlyArray<readonly [string, RegExp, object]> = [
    [
      "unequal-slots",
      /32768 bytes, secondary 28672/,
      { secondary: { offset: 9 * 4096, size: 7 * 4096 } },
    ],
    [
      "overlapping",
      /primary ends at 36864, secondary starts at 32768/,
      { secondary: { offset: 8 * 4096, size: 8 * 4096 } },
    ],
    [
      "overlapping",
      /storage ends at 98304, bootctl starts/,
      { bootctl: { offset: 94208, size: 4096 } },
    ],
    ["unaligned", /primary has 32768 bytes at 100/, { primary: { offset: 100, size: 8 * 4096 } }],
    ["unaligned", /flash_size 100000/, { flash_size: 100000 }],
    [
      "outside-flash",
      /storage ends at 102400, the chip at 98304/,
      { storage: { offset: 73728, size: 28672 } },
    ],
    [
      "sector-count",
      /primary claims 9 sectors in 32768/,
      { primary: { offset: 4096, size: 32768, sectors: 9 } },
    ],
    [
      "sector-count",
      /bootctl has 8192 bytes/,
      { bootctl: { offset: 69632, size: 8192 }, storage: { offset: 77824, size: 4096 } },
    ],
    ["sector-size", /sector_size is 512/, { sector_size: 512 }],
    [
      "slot-too-small",
      /2 sectors/,
      { primary: { offset: 4096, size: 8192 }, secondary: { offset: 12288, size: 8192 } },
    ],
    ["missing-area", /bootctl is absent/, { bootctl: null }],
    ["missing-area", /storage is absent/, { storage: undefined }],
    ["missing-area", /secondary is absent/, { secondary: undefined }],
    ["not-a-layout", /offset undefined/, { primary: { size: 4096 } }],
    ["not-a-layout", /flash_size is string/, { flash_size: "4M" }],
  ];
  for (const [reason, message, change] of refusals) {
    const parsed = parseDeviceLayout({ ...entry, ...change });
    assert.ok(!parsed.ok, reason);
    assert.equal(parsed.reason, reason);
    assert.match(parsed.message, message);
  }
  assert.deepEqual(parseDeviceLayout([]).ok, false);
});

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { boards } from "../../../hosts/esp32/boards.ts";
import { socs } from "../../../hosts/flash/partitions.ts";

test("every folder of a board is listed, and the other way round", () => {
  const folders = readdirSync(dirname(boards[0]!.folder));
  assert.deepEqual(folders.toSorted(), boards.map(({ name }) => name).toSorted());
});

test("every chip has a board", () => {
  assert.deepEqual([...new Set(boards.map(({ soc }) => soc))].toSorted(), [...socs].toSorted());
});

for (const { name, folder, zephyrBoard, soc, flashMiB, network } of boards)
  test(`${name}: its manifest names Zephyr's board, its flash and its network`, () => {
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
    assert.equal(manifest.build.ZEPHYR_BOARD, zephyrBoard);
    if (network === "serial") assert.ok(manifest.include.includes("../../wire.json"));
    else assert.equal(manifest.modules["sluice/network"], "../../modules/wifi");
    const [partitions, ...rest] = manifest.zephyrOverlay.map((path: string) =>
      resolve(folder, path),
    );
    assert.ok(partitions.endsWith(`/bootloader/partitions/${soc}-${flashMiB}m.overlay`));
    for (const path of [partitions, ...rest, join(folder, "host/provider.js")])
      assert.ok(existsSync(path), path);
    assert.equal(manifest.zephyrConfig.CONFIG_HEAP_MEM_POOL_SIZE, String(poolBytes[network]));
  });

/**
 * XS takes 106,496 of it. Zephyr's driver asks for 40,960 more for Wi-Fi
 * (HEAP_MEM_POOL_ADD_SIZE_ESP_WIFI).
 */
const poolBytes = { wifi: 120_832 + 40_960, serial: 120_832 } as const;

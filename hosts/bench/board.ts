import { readFileSync } from "node:fs";
import { imageHeaderBytes } from "../../src/image/header.ts";
import { buildFirmware } from "../esp32/board-build.ts";
import { findBoardTools } from "../esp32/board-tools.ts";
import { boardNamed } from "../esp32/boards.ts";
import { atMost, type Benchmark, type Measurement } from "./benchmark.ts";

const boardName = "esp32c3_devkitm_serial";
const bootloaderBytesMax = 65_536;
const imageBytesMax = 720 * 1024;
const sramBytesMax = 230_000;
const needed = ["ZEPHYR_BASE", "MODDABLE", "CROSS_COMPILE"] as const;

/**
 * What the reference firmware takes on an ESP32-C3, as the linker counts it: `dram0_0_seg` is all of the chip's SRAM but
 * the cache, the code that runs from it, XS's static block, heap pool and stacks included.
 */
export const boardSizes: Benchmark = {
  name: "board",
  about: "the reference firmware, compiled for an ESP32-C3 without Wi-Fi's libraries",

  missing() {
    const unset = needed.filter((name) => (process.env[name] ?? "") === "");
    return unset.length === 0 ? null : `${unset.join(", ")} not set: see docs/flashing.md`;
  },

  async run() {
    const found = await findBoardTools();
    if (!found.ok) throw new Error(found.missing.join("\n"));
    const board = boardNamed(boardName);
    if (board === null) throw new TypeError(`${boardName} has no folder`);
    const built = await buildFirmware(found.tools, { board });
    if (!built.ok) throw new Error(`${built.step} failed:\n${built.output}`);
    const { payload, usedBytes } = built.firmware;
    const measured: Measurement[] = [
      {
        what: "firmware image, bytes",
        value: payload.length + imageHeaderBytes,
        target: atMost(imageBytesMax),
      },
      { what: "SRAM, bytes", value: usedBytes["dram0_0_seg"] ?? 0, target: atMost(sramBytesMax) },
      { what: "of it code, bytes", value: usedBytes["iram0_0_seg"] ?? 0 },
    ];
    const bootloader = process.env["SLUICE_BOOTLOADER"] ?? "";
    if (bootloader !== "")
      measured.push({
        what: "bootloader, bytes",
        value: readFileSync(bootloader).length,
        target: atMost(bootloaderBytesMax),
      });
    return measured;
  },
};

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { imageHeaderBytes } from "../../src/image/header.ts";
import { boardBuildFolder, buildFirmware } from "../esp32/board-build.ts";
import { findBoardTools } from "../esp32/board-tools.ts";
import { boardNamed } from "../esp32/boards.ts";
import { newKeys } from "../esp32/emulator/board-image.ts";
import { withImageKey } from "../esp32/emulator/bootloader-key.ts";
import { comparedImageBytes, peaksForImage } from "../esp32/emulator/image-memory.ts";
import { sizeLimits, sramRegion } from "../esp32/size-limits.ts";
import { atMost, type Benchmark, type Measurement } from "./benchmark.ts";

const boardName = "esp32c3_devkitm_serial";
const { bootloaderBytesMax, imageBytesTarget, sramBytesMax } = sizeLimits;
const xsBytesMax = 96 * 1024;
const needed = ["ZEPHYR_BASE", "MODDABLE", "CROSS_COMPILE"] as const;

/**
 * What the reference firmware takes on an ESP32-C3, as the linker counts it: `dram0_0_seg` is all
 * of the chip's SRAM but the cache, the code that runs from it, XS's static block, heap pool and
 * stacks included. With an emulator and a bootloader in the environment (README.md), also what the
 * chip tells of its memory at the worst moment of an update.
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
        target: atMost(imageBytesTarget),
      },
      { what: "SRAM, bytes", value: usedBytes[sramRegion] ?? 0, target: atMost(sramBytesMax) },
      { what: "of it code, bytes", value: usedBytes["iram0_0_seg"] ?? 0 },
    ];
    const bootloader = process.env["SLUICE_BOOTLOADER"] ?? "";
    if (bootloader !== "")
      measured.push({
        what: "bootloader, bytes",
        value: readFileSync(bootloader).length,
        target: atMost(bootloaderBytesMax),
      });
    const emulator = process.env["ESP32_EMULATOR"] ?? "";
    if (bootloader !== "" && emulator !== "")
      measured.push(...(await onTheChip({ emulator, bootloader }, payload)));
    return measured;
  },
};

async function onTheChip(
  files: { readonly emulator: string; readonly bootloader: string },
  payload: Uint8Array,
): Promise<Measurement[]> {
  const keys = newKeys();
  const bootloader = withImageKey(readFileSync(files.bootloader), keys.key.publicKey);
  const parts = { emulator: files.emulator, bootloader, keys };
  const directory = join(boardBuildFolder, "runs", `bench-${process.pid}`);
  try {
    const { small: smallBytes, large: largeBytes } = comparedImageBytes;
    const small = await peaksForImage(parts, { directory, payload, bytes: smallBytes });
    const large = await peaksForImage(parts, { directory, payload, bytes: largeBytes });
    const taken = (of: typeof small): number => of.heap + of.stack;
    return [
      {
        what: "XS slots and chunks in use at the worst moment, bytes",
        value: Math.max(small.slots + small.chunks, large.slots + large.chunks),
        target: atMost(xsBytesMax),
      },
      { what: "Zephyr's heap at the worst moment, XS's room in it, bytes", value: large.heap },
      { what: "stack of XS at the worst moment, bytes", value: large.stack },
      {
        what: "more SRAM for an image of 1.7 MB than for one of 0.5 MB, bytes",
        value: taken(large) - taken(small),
        target: atMost(0),
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

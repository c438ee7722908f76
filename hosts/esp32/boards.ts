import { join, resolve } from "node:path";
import type { FlashMiB, Soc } from "../flash/partitions.ts";

/** A board that `hosts/esp32/boards` has a folder for. */
export interface Board {
  readonly name: string;
  /** What mcconfig takes as `-p zephyr:FOLDER`. */
  readonly folder: string;
  /** Zephyr's name of it. */
  readonly zephyrBoard: string;
  readonly soc: Soc;
  readonly flashMiB: FlashMiB;
  /** How it reaches the fleet: a setting of the board, the firmware is the same. */
  readonly network: "wifi" | "serial";
  /** Whether this configuration was ever built, and where it ran. */
  readonly tried: "emulated" | "built" | "no";
}

const boardsFolder = resolve(import.meta.dirname, "boards");

const rows: readonly Omit<Board, "folder">[] = [
  {
    name: "esp32c3_devkitm_serial",
    zephyrBoard: "esp32c3_devkitm",
    soc: "esp32c3",
    flashMiB: 4,
    network: "serial",
    tried: "emulated",
  },
  {
    name: "esp32c3_devkitm",
    zephyrBoard: "esp32c3_devkitm",
    soc: "esp32c3",
    flashMiB: 4,
    network: "wifi",
    tried: "no",
  },
  {
    name: "esp32c6_devkitc_serial",
    zephyrBoard: "esp32c6_devkitc/esp32c6/hpcore",
    soc: "esp32c6",
    flashMiB: 8,
    network: "serial",
    tried: "built",
  },
  {
    name: "esp32c6_devkitc",
    zephyrBoard: "esp32c6_devkitc/esp32c6/hpcore",
    soc: "esp32c6",
    flashMiB: 8,
    network: "wifi",
    tried: "no",
  },
  {
    name: "esp32s3_devkitc",
    zephyrBoard: "esp32s3_devkitc/esp32s3/procpu",
    soc: "esp32s3",
    flashMiB: 8,
    network: "wifi",
    tried: "no",
  },
  {
    name: "esp32_devkitc",
    zephyrBoard: "esp32_devkitc/esp32/procpu",
    soc: "esp32",
    flashMiB: 4,
    network: "wifi",
    tried: "no",
  },
];

export const boards: readonly Board[] = rows.map((row) => ({
  ...row,
  folder: join(boardsFolder, row.name),
}));

export function boardNamed(name: string): Board | null {
  return boards.find((board) => board.name === name) ?? null;
}

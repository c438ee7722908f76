import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { type BuiltBoard, buildFirmware, type FirmwareRequest } from "../board-build.ts";
import type { BoardTools } from "../board-tools.ts";

/**
 * Zephyr's simulator of a board with the flash of an ESP32-C3: the same program, compiled for this
 * machine.
 */
const nativeSim: BuiltBoard = {
  name: "native_sim",
  folder: import.meta.dirname,
  zephyrBoard: "native_sim",
  conf: "native.conf",
  isProgram: true,
};

export type NativePayloadResult =
  | { readonly ok: true; readonly payload: Uint8Array }
  | { readonly ok: false; readonly message: string };

/**
 * The firmware for `native_sim` as a payload: stripped and compressed, as `ModdableBoard` runs it.
 */
export async function nativePayload(
  tools: BoardTools,
  request: Omit<FirmwareRequest, "board">,
): Promise<NativePayloadResult> {
  const built = await buildFirmware(tools, { ...request, board: nativeSim });
  if (!built.ok) return { ok: false, message: `${built.step} failed:\n${built.output}` };
  const stripped = join(dirname(built.firmware.elf), "stripped.exe");
  const program = join(dirname(built.firmware.elf), "zephyr.exe");
  const { status, stderr } = spawnSync("strip", ["-o", stripped, program], { encoding: "utf8" });
  if (status !== 0) return { ok: false, message: `strip failed on ${program}: ${stderr}` };
  return { ok: true, payload: gzipSync(readFileSync(stripped), { level: 9 }) };
}

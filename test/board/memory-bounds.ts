import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../hosts/moddable/sdk.ts";

/**
 * Slots and chunks together. Of `creation.static` (hosts/esp32/manifest.json: 106,496 bytes) XS has
 * 93,184 for them; 3 KiB less, because a chunk that finds no room ends the firmware.
 */
export const xsBytesMax = 88 * 1024;

/**
 * Of them with TLS, a client certificate and signed metadata that lists one release; also while the
 * server answers 429, so that reports and events wait up to the bounds of their queues.
 */
export const everythingBytesMax = 72 * 1024;

/**
 * Of the native stack of XS, what no update may pass: what is left beyond it is for the day that
 * nobody measured.
 */
export function stackBytesMax(): number {
  const source = readFileSync(join(projectRoot, "hosts/esp32/native/thread.c"), "utf8");
  const bytes = Number(/^#define STACK_BYTES (\d+)$/m.exec(source)?.[1]);
  if (!(bytes > marginBytes)) throw new Error("thread.c has no STACK_BYTES");
  return bytes - marginBytes;
}

const marginBytes = 1024;

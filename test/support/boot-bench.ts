import assert from "node:assert/strict";
import { sectorBytes } from "../../hosts/flash/geometry.ts";
import { type DeviceLayout, parseDeviceLayout } from "../../hosts/flash/layout.ts";
import { NorFlash } from "../../hosts/flash/nor-flash.ts";
import type { FlashOperation } from "../../hosts/flash/operation.ts";
import { type BootOutcome, boot } from "../../hosts/mcuboot-model/boot.ts";
import type { BootConfig } from "../../hosts/mcuboot-model/config.ts";
import { parseVersion } from "../../src/image/version.ts";
import { plainImage, writeImage } from "../../src/image/writer.ts";
import { nobleCrypto } from "../../src/ports/noble-crypto.ts";
import { testSigner } from "./image-signer.ts";

/** A chip of 24 sectors with slots of 8, the smallest on which every way of swapping has room. */
export const smallLayout: DeviceLayout = layoutOf({
  flash_size: 24 * sectorBytes,
  sector_size: sectorBytes,
  primary: { offset: sectorBytes, size: 8 * sectorBytes },
  secondary: { offset: 9 * sectorBytes, size: 8 * sectorBytes },
  scratch: { offset: 17 * sectorBytes, size: 2 * sectorBytes },
  bootctl: { offset: 19 * sectorBytes, size: sectorBytes },
  storage: { offset: 20 * sectorBytes, size: 4 * sectorBytes },
});

export const signers = { first: testSigner(1), second: testSigner(2) };

export interface TestImage {
  readonly version: string;
  /** Sectors that the whole image takes, header to end of TLVs. */
  readonly sectors: number;
  readonly securityCounter?: number;
  readonly signer?: keyof typeof signers;
}

/** A signed image; its payload repeats the version so that every sector of it tells the image. */
export async function makeImage(image: TestImage): Promise<Uint8Array> {
  const version = parseVersion(image.version);
  assert.ok(version !== null);
  const payload = new Uint8Array((image.sectors - 1) * sectorBytes + 1000);
  for (let index = 0; index < payload.length; index++)
    payload[index] = (index * 7 + version.major * 31 + version.minor) % 251;
  const written = await writeImage(
    payload,
    { ...plainImage, version, securityCounter: image.securityCounter ?? null },
    nobleCrypto,
    [signers[image.signer ?? "first"]],
  );
  assert.ok(written.ok);
  assert.equal(Math.ceil(written.image.length / sectorBytes), image.sectors);
  return written.image;
}

export function makeConfig(overrides: Partial<BootConfig> = {}): BootConfig {
  return {
    mode: "swap-using-move",
    layout: smallLayout,
    maxAlign: 8,
    imageSectorsMax: 8,
    keys: [signers.first.key],
    validatePrimary: true,
    downgradePrevention: "none",
    hardwareCounter: null,
    primaryStateHook: null,
    ...overrides,
  };
}

/**
 * A chip with `primary` in the primary slot and `secondary` where the way of swapping expects a new
 * image.
 */
export function makeChip(
  config: BootConfig,
  images: { readonly primary: Uint8Array; readonly secondary?: Uint8Array },
): NorFlash {
  const { layout } = config;
  const writeBlockBytes = config.maxAlign === 8 ? 4 : config.maxAlign;
  const flash = new NorFlash({ sizeBytes: layout.flashBytes, writeBlockBytes });
  flash.poke(layout.primary.offsetBytes, images.primary);
  const start = config.mode === "swap-using-offset" ? sectorBytes : 0;
  if (images.secondary !== undefined)
    flash.poke(layout.secondary.offsetBytes + start, images.secondary);
  return flash;
}

/** One boot in a line: the version that starts and the swap before it. */
export function bootLine(flash: NorFlash, config: BootConfig): string {
  return describeOutcome(boot(flash, config));
}

export function describeOutcome(outcome: BootOutcome): string {
  if (outcome.outcome === "booted")
    return `${outcome.version.replace(/\+0$/, "")} ${outcome.resumed ? "resumed" : outcome.swapType}`;
  return outcome.outcome;
}

/**
 * A log of operations in the words of the layout: `erase primary 7`, `write primary -40 02ffffff`
 * with the distance from the end of a slot, and `fill secondary 0` for the four writes that copy a
 * sector.
 */
export function describeOperations(log: readonly FlashOperation[], layout: DeviceLayout): string[] {
  const lines: string[] = [];
  for (const operation of log) {
    const { area, offset, size } = areaAt(operation.address, layout);
    const sector = Math.floor(offset / sectorBytes);
    if (operation.kind === "erase") lines.push(`erase ${area} ${sector}`);
    else if (operation.lengthBytes === 1024) {
      const line = `fill ${area} ${sector}`;
      if (lines.at(-1) !== line) lines.push(line);
    } else {
      const hex = Buffer.from(operation.bytes).toString("hex");
      lines.push(`write ${area} ${offset - size} ${hex}`);
    }
  }
  return lines;
}

function areaAt(
  address: number,
  layout: DeviceLayout,
): { area: string; offset: number; size: number } {
  for (const area of ["primary", "secondary", "scratch", "bootctl", "storage"] as const) {
    const extent = layout[area];
    if (
      extent === null ||
      address < extent.offsetBytes ||
      address >= extent.offsetBytes + extent.sizeBytes
    )
      continue;
    return { area, offset: address - extent.offsetBytes, size: extent.sizeBytes };
  }
  throw new Error(`nothing lies at ${address}`);
}

function layoutOf(value: unknown): DeviceLayout {
  const parsed = parseDeviceLayout(value);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.layout;
}

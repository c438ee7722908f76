import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { decodePublicKey, type TrustedImageKey } from "../../src/image/keys.ts";
import { vectorsDirectory } from "./vectors.ts";

/** What this project reads of the recorded runs of MCUboot; see the README beside them. */
export interface McubootVectors {
  readonly layouts: Readonly<Record<string, VectorLayout>>;
  readonly configs: Readonly<Record<string, VectorConfig>>;
  readonly images: Readonly<Record<string, VectorImage>>;
  readonly scenarios: readonly VectorScenario[];
}

export interface VectorSlot {
  readonly offset: number;
  readonly size: number;
  readonly sectors: number;
}

export interface VectorLayout {
  readonly flash_size: number;
  readonly sector_size: number;
  readonly primary: VectorSlot;
  readonly secondary: VectorSlot;
}

export interface VectorTrailerOffsets {
  readonly size: number;
  readonly magic: number;
  readonly image_ok: number;
  readonly copy_done: number;
  readonly swap_info: number;
  readonly swap_size: number;
  readonly status: number;
  readonly status_entries: number;
}

export interface VectorConfig {
  readonly layout: string;
  readonly flags: {
    readonly upgrade_mode: "swap-using-move" | "swap-using-scratch" | "swap-using-offset";
    readonly public_key: string;
    readonly validate_primary_slot: boolean;
    readonly max_align: number;
    readonly write_size: number;
    readonly max_img_sectors: number;
    readonly downgrade_prevention: "none" | "version" | "security-counter";
    readonly hw_rollback_protection: boolean;
  };
  readonly trailer_size: number;
  readonly max_image_size: number;
  readonly secondary_image_offset: number;
  readonly trailer_field_offsets: Readonly<Record<"primary" | "secondary", VectorTrailerOffsets>>;
}

export interface VectorImage {
  readonly version?: string;
  readonly payload_size?: number;
  readonly total_size: number;
  readonly key?: string | null;
  readonly size: number;
}

export interface VectorTrailer {
  readonly magic: "good" | "bad" | "unset";
  readonly swap_type: string;
  readonly copy_done: "set" | "bad" | "unset";
  readonly image_ok: "set" | "bad" | "unset";
  readonly image_num: number;
  readonly swap_size: number | null;
}

export interface VectorTrailers {
  readonly primary: VectorTrailer;
  readonly secondary: VectorTrailer;
}

export interface VectorBootExpect {
  readonly outcome: "booted" | "no-bootable-image" | "power-cut" | "assert";
  readonly version: string | null;
  readonly swap_type: string | null;
  readonly swap_ran: boolean;
  readonly resumed: boolean;
  readonly trailer_swap_type_before: string;
  readonly trailer_swap_type_after: string;
  readonly trailers_before: VectorTrailers;
  readonly trailers_after: VectorTrailers;
}

export type VectorStep =
  | { readonly op: "program" | "erase" | "poke"; readonly flash_after: string }
  | {
      readonly op: "app";
      readonly call: string;
      readonly rc: number;
      readonly writes: ReadonlyArray<readonly [string | number, string]>;
      readonly cut?: number;
      readonly trailers_after: VectorTrailers;
      readonly flash_after: string;
    }
  | {
      readonly op: "boot";
      readonly cut?: number;
      readonly expect: VectorBootExpect;
      readonly flash_after: string;
    };

export interface VectorScenario {
  readonly id: string;
  readonly config: string;
  readonly title: string;
  readonly tags: readonly string[];
  readonly initial_flash: string;
  readonly steps: readonly VectorStep[];
}

const sectorBytes = 4096;

/** Call only in a test that `skipWithoutVectors` guards. */
export function loadMcubootVectors(): McubootVectors {
  return JSON.parse(read("vectors.json").toString("utf8"));
}

/** The bytes of one recorded image file. */
export function readVectorImage(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(read(join("images", `${name}.bin.gz`))));
}

/** A recorded public key, named as configs name it, for example "keys/test-ec-p256-pub.pem". */
export function readVectorKey(path: string): TrustedImageKey {
  const der = createPublicKey(read(path)).export({ format: "der", type: "spki" });
  const key = decodePublicKey(der);
  if (key === null) throw new Error(`${path} is no P-256 or Ed25519 key`);
  return key;
}

/** Reads snapshots of the whole flash by id; `range` is in bytes of the flash. */
export class VectorFlash {
  private readonly index: Readonly<
    Record<string, { size: number; sectors: Readonly<Record<string, number>> }>
  >;
  private readonly pool: Uint8Array;

  constructor() {
    this.index = JSON.parse(read("flash-index.json").toString("utf8"));
    this.pool = gunzipSync(read("sectors.bin.gz"));
  }

  read(id: string, range: { readonly offset: number; readonly size: number }): Uint8Array {
    const snapshot = this.index[id];
    if (snapshot === undefined) throw new Error(`no flash snapshot ${id}`);
    const bytes = new Uint8Array(range.size).fill(0xff);
    for (const [address, poolIndex] of Object.entries(snapshot.sectors)) {
      const at = Number(address) - range.offset;
      if (at < 0 || at >= range.size) continue;
      const start = poolIndex * sectorBytes;
      bytes.set(this.pool.subarray(start, start + sectorBytes), at);
    }
    return bytes;
  }
}

function read(path: string): Buffer {
  if (vectorsDirectory === null) throw new Error("no folder of recorded vectors");
  return readFileSync(join(vectorsDirectory, "mcuboot", path));
}

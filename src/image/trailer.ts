import type { ImageSource } from "./source.ts";

/**
 * The trailer at the end of a slot, through which application and bootloader talk (MCUboot
 * docs/design.md, "Image trailer"; bootutil_misc.h has the offsets). From the end of the slot, A
 * being BOOT_MAX_ALIGN:
 *
 *   field      A = 8        A = 32        written as
 *   magic      16           16            A = 8: 16 bytes; A = 32: 32 bytes, the first 16 erased
 *   image_ok   24           64            one write block, first byte 0x01
 *   copy_done  32           96            one write block, first byte 0x01
 *   swap_info  40           128           one write block, first byte type | image << 4
 *   tlv_sizes  48 (offset)  160 (offset)  4 bytes in write blocks
 *   swap_size  48 or 56     160 or 192    4 bytes in write blocks
 *   status     below that                 one write block per entry, first byte is the state
 */
export interface TrailerShape {
  readonly upgradeMode: UpgradeMode;
  /** `BOOT_MAX_ALIGN`: 8 with plain flash, 32 with flash encryption on an ESP32. */
  readonly maxAlignBytes: 8 | 16 | 32;
  /** `flash_area_align`: 4 on an ESP32, 32 with flash encryption. */
  readonly writeBlockBytes: number;
  /** `BOOT_MAX_IMG_SECTORS`; 1 for the scratch area of swap-using-scratch. */
  readonly imageSectorsMax: number;
}

/**
 * Sluice builds bootloaders with swap-using-move only; the others are for models of foreign ones.
 */
export type UpgradeMode = "swap-using-move" | "swap-using-scratch" | "swap-using-offset";

/** Byte offsets of the fields from the start of the slot. */
export interface TrailerOffsets {
  readonly magic: number;
  readonly imageOk: number;
  readonly copyDone: number;
  readonly swapInfo: number;
  /** Only swap-using-offset has it. */
  readonly tlvSizes: number | null;
  readonly swapSize: number;
  readonly status: number;
}

export type TrailerMagic = "good" | "bad" | "unset";
export type TrailerFlag = "set" | "bad" | "unset";
export type SwapType = "none" | "test" | "permanent" | "revert";

/** `struct boot_swap_state`, and the size of a swap under way. */
export interface SlotTrailer {
  readonly magic: TrailerMagic;
  readonly imageOk: TrailerFlag;
  readonly copyDone: TrailerFlag;
  readonly swapType: SwapType;
  readonly imageIndex: number;
  /** `swap_size`, or null while it is erased. */
  readonly swapBytes: number | null;
}

/** One write to flash, whole write blocks, `offsetBytes` from the start of the slot. */
export interface TrailerWrite {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
}

export type TrailerPlan =
  | { readonly ok: true; readonly writes: readonly TrailerWrite[] }
  | { readonly ok: false; readonly reason: "trailer-magic-bad" };

/** A slot and the shape of its trailer. */
export interface TrailerPlace {
  readonly shape: TrailerShape;
  readonly slotBytes: number;
}

/** Reads the trailer of a slot as `boot_read_swap_state` does, in five small reads. */
export function readTrailer(source: ImageSource, shape: TrailerShape): SlotTrailer {
  const offsets = trailerOffsets({ shape, slotBytes: source.sizeBytes });
  const flag = (offsetBytes: number) => decodeFlag(read(source, offsetBytes, 1)[0] ?? erased);
  const swapInfo = read(source, offsets.swapInfo, 1)[0] ?? erased;
  const swapType = swapInfo === erased ? "none" : (swapTypeNames[swapInfo & 0x0f] ?? "none");
  const swapSize = read(source, offsets.swapSize, 4);
  return {
    magic: decodeMagic(read(source, offsets.magic, magicBytes), shape),
    imageOk: flag(offsets.imageOk),
    copyDone: flag(offsets.copyDone),
    swapType,
    imageIndex: isNamed(swapInfo) ? swapInfo >> 4 : 0,
    swapBytes: isErased(swapSize) ? null : new DataView(swapSize.buffer).getUint32(0, true),
  };
}

/**
 * What `boot_set_pending` writes to the secondary slot, in order. Nothing when the magic is good
 * already: a request cannot be changed from test to permanent. A cut after the first write of a
 * permanent request leaves a test request.
 */
export function swapRequestWrites(
  trailer: SlotTrailer,
  place: TrailerPlace,
  kind: "test" | "permanent",
): TrailerPlan {
  if (trailer.magic === "bad") return { ok: false, reason: "trailer-magic-bad" };
  if (trailer.magic === "good") return { ok: true, writes: [] };
  const offsets = trailerOffsets(place);
  const imageOk = blockWrite(place, offsets.imageOk, [flagSet]);
  const swapInfo = blockWrite(place, offsets.swapInfo, [kind === "test" ? 2 : 3]);
  const rest = kind === "test" ? [swapInfo] : [imageOk, swapInfo];
  return { ok: true, writes: [magicWrite(place), ...rest] };
}

/**
 * A test request in two halves: everything but the magic, which by itself asks for nothing, and the
 * magic that makes it one. Together they leave what `boot_set_pending` leaves.
 */
export function testRequestWrites(place: TrailerPlace): {
  readonly swapType: TrailerWrite;
  readonly magic: TrailerWrite;
} {
  const swapType = blockWrite(place, trailerOffsets(place).swapInfo, [2]);
  return { swapType, magic: magicWrite(place) };
}

/**
 * A permanent request, the magic last: a cut before it leaves no request. All of it is what
 * `boot_set_pending` leaves in a blank trailer.
 */
export function permanentRequestWrites(place: TrailerPlace): readonly TrailerWrite[] {
  const offsets = trailerOffsets(place);
  const swapInfo = blockWrite(place, offsets.swapInfo, [3]);
  return [swapInfo, blockWrite(place, offsets.imageOk, [flagSet]), magicWrite(place)];
}

/**
 * What `boot_set_confirmed` writes to the primary slot. Nothing without a trailer, and nothing when
 * image_ok is not unset: a flag that a cut left torn reads "bad" for ever, and such an image is not
 * reverted.
 */
export function confirmWrites(trailer: SlotTrailer, place: TrailerPlace): TrailerPlan {
  if (trailer.magic === "bad") return { ok: false, reason: "trailer-magic-bad" };
  if (trailer.magic === "unset" || trailer.imageOk !== "unset") return { ok: true, writes: [] };
  return { ok: true, writes: [blockWrite(place, trailerOffsets(place).imageOk, [flagSet])] };
}

/** `boot_trailer_sz`. */
export function trailerBytes(shape: TrailerShape): number {
  const fields = shape.upgradeMode === "swap-using-offset" ? 5 : 4;
  const status = statusEntries(shape) * shape.writeBlockBytes;
  return status + fields * shape.maxAlignBytes + magicAlignedBytes(shape);
}

/** `boot_status_entries`: how many steps of a swap the status area can record. */
export function statusEntries(shape: TrailerShape): number {
  return (shape.upgradeMode === "swap-using-offset" ? 2 : 3) * shape.imageSectorsMax;
}

/**
 * Where the fields of a slot's trailer lie. Throws RangeError when the slot cannot hold the
 * trailer.
 */
export function trailerOffsets({ shape, slotBytes }: TrailerPlace): TrailerOffsets {
  const sizeBytes = trailerBytes(shape);
  if (sizeBytes > slotBytes)
    throw new RangeError(`a trailer of ${sizeBytes} bytes leaves a slot of ${slotBytes} bytes`);
  const align = shape.maxAlignBytes;
  const magic = slotBytes - magicBytes;
  const imageOk = alignDown(magic - align, align);
  const copyDone = imageOk - align;
  const swapInfo = copyDone - align;
  const tlvSizes = shape.upgradeMode === "swap-using-offset" ? swapInfo - align : null;
  const swapSize = (tlvSizes ?? swapInfo) - align;
  return { magic, imageOk, copyDone, swapInfo, tlvSizes, swapSize, status: slotBytes - sizeBytes };
}

/**
 * `boot_img_magic`: one constant for BOOT_MAX_ALIGN 8, another that starts with the alignment for
 * more.
 */
export function trailerMagic(maxAlignBytes: TrailerShape["maxAlignBytes"]): Uint8Array {
  return maxAlignBytes === 8
    ? Uint8Array.of(...[0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f], ...magicTailFirstForm)
    : Uint8Array.of(
        maxAlignBytes,
        0,
        ...[0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b],
        ...magicTailSecondForm,
      );
}

/**
 * The write of the magic: padded in front to `BOOT_MAGIC_ALIGN_SIZE`, as `boot_write_magic` does.
 */
export function magicWrite(place: TrailerPlace): TrailerWrite {
  const bytes = new Uint8Array(magicAlignedBytes(place.shape)).fill(erased);
  bytes.set(trailerMagic(place.shape.maxAlignBytes), bytes.length - magicBytes);
  return { offsetBytes: place.slotBytes - bytes.length, bytes };
}

/** One field padded to whole write blocks with erased bytes, as `boot_write_trailer` does. */
export function blockWrite(
  place: TrailerPlace,
  offsetBytes: number,
  value: ArrayLike<number>,
): TrailerWrite {
  const block = place.shape.writeBlockBytes;
  const bytes = new Uint8Array(Math.ceil(value.length / block) * block).fill(erased);
  bytes.set(value);
  return { offsetBytes, bytes };
}

const magicBytes = 16; // BOOT_MAGIC_SZ
const magicTailFirstForm = [0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80];
const magicTailSecondForm = [0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a];
const flagSet = 0x01; // BOOT_FLAG_SET
const erased = 0xff; // flash_area_erased_val
const swapTypeNames: Readonly<Record<number, SwapType>> = {
  1: "none", // BOOT_SWAP_TYPE_NONE
  2: "test",
  3: "permanent",
  4: "revert",
};

/**
 * `boot_read_swap_state` takes an erased swap_info, or a type above BOOT_SWAP_TYPE_REVERT, for none
 * of image 0.
 */
function isNamed(swapInfo: number): boolean {
  return swapInfo !== erased && (swapInfo & 0x0f) <= 4;
}

function decodeMagic(bytes: Uint8Array, shape: TrailerShape): TrailerMagic {
  if (isErased(bytes)) return "unset";
  const good = trailerMagic(shape.maxAlignBytes);
  return bytes.every((byte, index) => byte === good[index]) ? "good" : "bad";
}

function decodeFlag(byte: number): TrailerFlag {
  if (byte === erased) return "unset";
  return byte === flagSet ? "set" : "bad";
}

function isErased(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === erased);
}

function magicAlignedBytes(shape: TrailerShape): number {
  return Math.max(magicBytes, shape.maxAlignBytes);
}

function alignDown(value: number, align: number): number {
  return value - (value % align);
}

function read(source: ImageSource, offsetBytes: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  source.read(offsetBytes, bytes);
  return bytes;
}

import type { ImageHeader } from "./header.ts";
import type { ImageSource } from "./source.ts";

/** `IMAGE_TLV_*` of bootutil/image.h, and those of ours from the vendor range. */
export const tlvTypes = {
  keyHash: 0x01,
  publicKey: 0x02,
  sha256: 0x10,
  sha384: 0x11,
  sha512: 0x12,
  rsa2048: 0x20,
  ecdsa224: 0x21,
  ecdsa: 0x22,
  rsa3072: 0x23,
  ed25519: 0x24,
  encryptedKeyRsa2048: 0x30,
  encryptedKeyAesWrap: 0x31,
  encryptedKeyEc256: 0x32,
  encryptedKeyX25519: 0x33,
  dependency: 0x40,
  securityCounter: 0x50,
  /** Protected; UTF-8 text of the hardware that the image is for, see hardware.ts. */
  hardware: 0x00a0,
  /** Protected; the bytes that name the build, see hosts/release. */
  buildId: 0x00a1,
  /** Protected; hashes of the image's blocks, see block-hashes.ts. */
  blockHashes: 0x00a2,
  /** Protected; what the release says of itself besides, see release-facts.ts. */
  releaseFacts: 0x00a3,
} as const;

/** sizeof(struct image_tlv_info) and sizeof(struct image_tlv). */
export const tlvInfoBytes = 4;
export const tlvEntryBytes = 4;

/** `IMAGE_TLV_INFO_MAGIC` and `IMAGE_TLV_PROT_INFO_MAGIC`. */
export const tlvInfoMagic = 0x6907;
export const protectedTlvInfoMagic = 0x6908;

/**
 * Where the TLVs of an image lie, in bytes from the start of the image: `struct image_tlv_iter`.
 */
export interface TlvArea {
  readonly startBytes: number;
  /** `prot_end`: the end of the protected area; equals `startBytes` without one. */
  readonly protectedEndBytes: number;
  /** `tlv_end`: the end of the image. */
  readonly endBytes: number;
}

/** One TLV; its value is read from the source where it is wanted. */
export interface TlvEntry {
  readonly type: number;
  /** Where the value starts, from the start of the image. */
  readonly offsetBytes: number;
  readonly valueBytes: number;
  /**
   * The value starts before the end of the protected area, as `bootutil_tlv_iter_is_prot` has it.
   */
  readonly isProtected: boolean;
}

/**
 * `tlv-area-truncated`: the area reaches beyond the source. `tlv-protected-size`: its size is not
 * the one in the header, or one of the two says that there is none. `tlv-magic`: no `struct
 * image_tlv_info` where one must be.
 */
export type TlvAreaRefusal = "tlv-area-truncated" | "tlv-protected-size" | "tlv-magic";

/** `tlv-overrun`: a TLV reaches beyond the end of the area. */
export type TlvRefusal = TlvAreaRefusal | "tlv-overrun";

/** Finds the TLV areas as `bootutil_tlv_iter_begin` does. */
export function readTlvArea(
  source: ImageSource,
  header: ImageHeader,
): { ok: true; area: TlvArea } | { ok: false; reason: TlvAreaRefusal } {
  const startBytes = header.headerBytes + header.payloadBytes; // BOOT_TLV_OFF
  let info = readInfo(source, startBytes);
  if (info === null) return { ok: false, reason: "tlv-area-truncated" };
  if (info.magic === protectedTlvInfoMagic) {
    if (info.totalBytes !== header.protectedTlvBytes)
      return { ok: false, reason: "tlv-protected-size" };
    info = readInfo(source, startBytes + info.totalBytes);
    if (info === null) return { ok: false, reason: "tlv-area-truncated" };
  } else if (header.protectedTlvBytes !== 0) {
    return { ok: false, reason: "tlv-protected-size" };
  }
  if (info.magic !== tlvInfoMagic) return { ok: false, reason: "tlv-magic" };
  const protectedEndBytes = startBytes + header.protectedTlvBytes;
  const endBytes = protectedEndBytes + info.totalBytes;
  if (endBytes > source.sizeBytes) return { ok: false, reason: "tlv-area-truncated" };
  return { ok: true, area: { startBytes, protectedEndBytes, endBytes } };
}

/**
 * Calls `visit` for every TLV in the order of `bootutil_tlv_iter_next` until it answers a refusal,
 * which is passed on. Bounded by the area: each TLV takes at least 4 of at most 131,070 bytes.
 */
export function walkTlvs<Refusal extends string>(
  source: ImageSource,
  area: TlvArea,
  visit: (entry: TlvEntry) => Refusal | null,
): Refusal | "tlv-overrun" | null {
  const hasProtected = area.protectedEndBytes > area.startBytes;
  const head = new Uint8Array(tlvEntryBytes);
  let offsetBytes = area.startBytes + tlvInfoBytes;
  while (offsetBytes < area.endBytes) {
    if (hasProtected && offsetBytes === area.protectedEndBytes) {
      offsetBytes += tlvInfoBytes;
      continue;
    }
    if (tlvEntryBytes > area.endBytes - offsetBytes) return "tlv-overrun";
    source.read(offsetBytes, head);
    const type = uint16(head, 0);
    const valueBytes = uint16(head, 2);
    offsetBytes += tlvEntryBytes;
    if (valueBytes > area.endBytes - offsetBytes) return "tlv-overrun";
    const isProtected = offsetBytes < area.protectedEndBytes;
    const refusal = visit({ type, offsetBytes, valueBytes, isProtected });
    if (refusal !== null) return refusal;
    offsetBytes += valueBytes;
  }
  return null;
}

/** The value of one TLV; the caller has checked its length against a limit of its own. */
export function readTlvValue(source: ImageSource, entry: TlvEntry): Uint8Array {
  const value = new Uint8Array(entry.valueBytes);
  source.read(entry.offsetBytes, value);
  return value;
}

function readInfo(
  source: ImageSource,
  offsetBytes: number,
): { magic: number; totalBytes: number } | null {
  if (offsetBytes + tlvInfoBytes > source.sizeBytes) return null;
  const bytes = new Uint8Array(tlvInfoBytes);
  source.read(offsetBytes, bytes);
  return { magic: uint16(bytes, 0), totalBytes: uint16(bytes, 2) };
}

function uint16(bytes: Uint8Array, index: number): number {
  return (bytes[index] ?? 0) | ((bytes[index + 1] ?? 0) << 8);
}

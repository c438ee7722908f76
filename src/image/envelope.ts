import { type ImageHeader, imageHeaderBytes, parseImageHeader } from "./header.ts";
import { fromHex } from "./hex.ts";
import { type ImageInfo, readImageInfo } from "./info.ts";
import type { ReleaseFactsRefusal } from "./release-facts.ts";
import type { ImageSource } from "./source.ts";
import { checkTlvs, type ImageRefusal, type ImageTrust, readFrame } from "./verify.ts";

/** The two ends of an image, without the payload between them. */
export interface ImageEnvelope {
  /** The first 32 bytes. */
  readonly head: Uint8Array;
  /** From `imageTailOffset` on: all TLVs. What a padded file has after them may follow. */
  readonly tail: Uint8Array;
}

/** What the device asks of an image beyond a valid signature. */
export interface ImageDemand {
  /** The hardware id of this device; an image for another is refused. Null asks for nothing. */
  readonly hardware: string | null;
  /**
   * The lowest security counter that the device accepts; an image without one counts as lower. Null
   * asks for nothing.
   */
  readonly securityCounterMin: number | null;
}

export type DemandRefusal =
  | "hardware-missing"
  | "hardware-other"
  | "security-counter-missing"
  | "security-counter-low";

/**
 * A tail longer than this is refused: imgtool's with a P-256 signature and a dozen TLVs has less
 * than 500 bytes, the block hashes of the largest slot of a 16 MiB flash have 4,000.
 */
export const envelopeTailBytesMax = 8192;

export type EnvelopeRefusal = ImageRefusal | DemandRefusal | ReleaseFactsRefusal | "tail-too-long";

/** Where the TLVs of an image start: the offset from which to fetch the tail. */
export function imageTailOffset(header: ImageHeader): number {
  return header.headerBytes + header.payloadBytes;
}

/**
 * Decides from about 1 KB whether an image is worth downloading: its frame, the signature over its
 * hash TLV, and what the device demands. That the hash is the payload's is for `verifyImage` once
 * the payload is there.
 */
export function checkImageEnvelope(
  envelope: ImageEnvelope,
  trust: ImageTrust,
  demand: ImageDemand,
): { ok: true; info: ImageInfo } | { ok: false; reason: EnvelopeRefusal } {
  if (envelope.tail.length > envelopeTailBytesMax) return { ok: false, reason: "tail-too-long" };
  const parsed = parseImageHeader(envelope.head);
  if (!parsed.ok) return parsed;
  const source = envelopeSource(envelope, imageTailOffset(parsed.header));
  const framed = readFrame(source, trust.imageBytesMax);
  if (!framed.ok) return framed;
  const read = readImageInfo(source);
  if (!read.ok) return read;
  if (read.info.problem !== null) return { ok: false, reason: read.info.problem };
  const claimed = read.info.imageHash === null ? null : fromHex(read.info.imageHash);
  if (claimed === null) return { ok: false, reason: "hash-missing" };
  const refusal =
    checkTlvs(source, framed.frame.area, claimed, trust) ?? checkImageDemand(read.info, demand);
  return refusal === null ? read : { ok: false, reason: refusal };
}

/** Compares what an image says of itself with what the device demands. */
export function checkImageDemand(info: ImageInfo, demand: ImageDemand): DemandRefusal | null {
  if (demand.hardware !== null) {
    if (info.hardware === null) return "hardware-missing";
    const fits = info.release.hardware ?? [info.hardware];
    if (!fits.includes(info.hardware) || !fits.includes(demand.hardware)) return "hardware-other";
  }
  if (demand.securityCounterMin !== null) {
    if (info.securityCounter === null) return "security-counter-missing";
    if (info.securityCounter < demand.securityCounterMin) return "security-counter-low";
  }
  return null;
}

/**
 * Header and TLVs at their places in the image. Only they are read; the payload between them is not
 * there.
 */
export function envelopeSource({ head, tail }: ImageEnvelope, tailOffset: number): ImageSource {
  return {
    sizeBytes: tailOffset + tail.length,
    read(offsetBytes, into) {
      const isHead = offsetBytes < imageHeaderBytes;
      const from = isHead ? head : tail;
      const start = isHead ? offsetBytes : offsetBytes - tailOffset;
      if (start < 0 || start + into.length > from.length)
        throw new RangeError(`${into.length} bytes at ${offsetBytes} are not in the envelope`);
      into.set(from.subarray(start, start + into.length));
    },
  };
}

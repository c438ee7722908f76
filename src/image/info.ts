import { decodeHardwareId, hardwareIdCharactersMax } from "./hardware.ts";
import {
  type HeaderRefusal,
  type ImageHeader,
  imageHeaderBytes,
  parseImageHeader,
} from "./header.ts";
import { toHex } from "./hex.ts";
import {
  type DecodedReleaseFacts,
  decodeReleaseFacts,
  type ReleaseFactsRefusal,
  releaseFactsBytesMax,
  type SignedReleaseFacts,
  unsignedReleaseFacts,
} from "./release-facts.ts";
import type { ImageSource } from "./source.ts";
import {
  readTlvArea,
  readTlvValue,
  type TlvEntry,
  type TlvRefusal,
  tlvTypes,
  walkTlvs,
} from "./tlv.ts";
import { formatVersion, type ImageVersion } from "./version.ts";

/** No slot of an ESP32 flash is larger; a header that says more is not one of an image. */
export const imageBytesLargest = 16 * 1024 * 1024;

/** TLVs and dependencies that `readImageInfo` lists; imgtool writes 3 to 10. */
const tlvEntriesMax = 64;

/** Longest build id in bytes. */
export const buildIdBytesMax = 32;

/** `IMAGE_TLV_DEPENDENCY`: `struct image_dependency`. */
export interface ImageDependency {
  /** `image_id`, 0 on boards with one image. */
  readonly imageIndex: number;
  /** `image_min_version`. */
  readonly versionMin: ImageVersion;
}

/** What an image says of itself. Nothing here is verified: see verify.ts. */
export interface ImageInfo {
  readonly header: ImageHeader;
  /** The version in the header, as `formatVersion` writes it. */
  readonly version: string;
  /** The first 64 TLVs in file order, without the values; empty when they cannot be read. */
  readonly tlvs: readonly TlvEntry[];
  /**
   * Why the TLVs cannot be read, or null; then all that comes from TLVs is null or empty. A
   * `ReleaseFactsRefusal` is about TLV 0x00A3 alone: the others are there, but nothing is known of
   * the release's rules, so it must be refused.
   */
  readonly problem: InfoProblem | null;
  /** Protected TLV 0x00A0, or null without a well-formed one. */
  readonly hardware: string | null;
  /** Protected TLV 0x00A1 in hex, or null. */
  readonly buildId: string | null;
  /**
   * The first protected `IMAGE_TLV_SEC_CNT`, as `bootutil_get_img_security_cnt` finds it, or null.
   */
  readonly securityCounter: number | null;
  readonly dependencies: readonly ImageDependency[];
  /**
   * `IMAGE_TLV_SHA256` in hex: header, payload and protected TLVs; what the fleet calls
   * `imageHash`.
   */
  readonly imageHash: string | null;
  /** From the header to the end of the TLVs, or null when they cannot be read. */
  readonly totalBytes: number | null;
  /**
   * The first protected TLV 0x00A3; `unsignedReleaseFacts` without one, or without one that can be
   * read.
   */
  readonly release: SignedReleaseFacts;
}

export type InfoProblem = TlvRefusal | ReleaseFactsRefusal;

/**
 * `image-too-large`: the header says more than 16 MiB, or a sum that overflows the 32 bits that
 * MCUboot adds in.
 */
export type InfoRefusal = HeaderRefusal | "image-too-large";

/**
 * Reads what an image says of itself from at most a few hundred bytes of the source: the header and
 * the TLVs. Fails when there is no image header; an image whose TLVs are damaged or missing is told
 * with its `problem`.
 */
export function readImageInfo(
  source: ImageSource,
): { ok: true; info: ImageInfo } | { ok: false; reason: InfoRefusal } {
  const parsed = readHeader(source);
  if (!parsed.ok) return parsed;
  const { header } = parsed;
  if (header.headerBytes + header.payloadBytes + header.protectedTlvBytes > imageBytesLargest)
    return { ok: false, reason: "image-too-large" };
  const base = { header, version: formatVersion(header.version) };
  const found = readTlvArea(source, header);
  if (!found.ok) return { ok: true, info: { ...base, ...withoutTlvs, problem: found.reason } };
  const collected = new TlvCollection(source);
  const problem = walkTlvs<never>(source, found.area, (entry) => {
    collected.add(entry);
    return null;
  });
  if (problem !== null) return { ok: true, info: { ...base, ...withoutTlvs, problem } };
  const { tlvs, dependencies, hardware, buildId, securityCounter, imageHash } = collected;
  const totalBytes = found.area.endBytes;
  const fromTlvs = {
    tlvs,
    dependencies,
    hardware,
    buildId,
    securityCounter,
    imageHash,
    totalBytes,
  };
  const facts = collected.releaseFacts();
  const release = facts.ok ? facts.facts : unsignedReleaseFacts;
  return {
    ok: true,
    info: { ...base, ...fromTlvs, problem: facts.ok ? null : facts.reason, release },
  };
}

/** The header at the start of a source, see `parseImageHeader`. */
export function readHeader(source: ImageSource): ReturnType<typeof parseImageHeader> {
  if (source.sizeBytes < imageHeaderBytes) return { ok: false, reason: "header-truncated" };
  const bytes = new Uint8Array(imageHeaderBytes);
  source.read(0, bytes);
  return parseImageHeader(bytes);
}

const withoutTlvs = {
  tlvs: [],
  hardware: null,
  buildId: null,
  securityCounter: null,
  dependencies: [],
  imageHash: null,
  totalBytes: null,
  release: unsignedReleaseFacts,
} as const;

const dependencyBytes = 12; // sizeof(struct image_dependency)

class TlvCollection {
  readonly tlvs: TlvEntry[] = [];
  readonly dependencies: ImageDependency[] = [];
  hardware: string | null = null;
  buildId: string | null = null;
  securityCounter: number | null = null;
  imageHash: string | null = null;
  private facts: DecodedReleaseFacts | null = null;
  private readonly source: ImageSource;

  constructor(source: ImageSource) {
    this.source = source;
  }

  add(entry: TlvEntry): void {
    if (this.tlvs.length < tlvEntriesMax) this.tlvs.push(entry);
    if (entry.type === tlvTypes.sha256 && entry.valueBytes === 32)
      this.imageHash ??= toHex(readTlvValue(this.source, entry));
    if (entry.isProtected) this.addProtected(entry);
  }

  releaseFacts(): DecodedReleaseFacts {
    return this.facts ?? { ok: true, facts: unsignedReleaseFacts };
  }

  private addProtected(entry: TlvEntry): void {
    const { type, valueBytes } = entry;
    const value = (): Uint8Array => readTlvValue(this.source, entry);
    if (type === tlvTypes.hardware && valueBytes <= hardwareIdCharactersMax)
      this.hardware ??= decodeHardwareId(value());
    if (type === tlvTypes.buildId && valueBytes <= buildIdBytesMax) this.buildId ??= toHex(value());
    if (type === tlvTypes.securityCounter && valueBytes === 4)
      this.securityCounter ??= viewOf(value()).getUint32(0, true);
    if (type === tlvTypes.dependency && valueBytes === dependencyBytes)
      this.addDependency(decodeDependency(viewOf(value())));
    if (type === tlvTypes.releaseFacts)
      this.facts ??=
        valueBytes <= releaseFactsBytesMax
          ? decodeReleaseFacts(value())
          : { ok: false, reason: "release-facts-too-large" };
  }

  private addDependency(dependency: ImageDependency): void {
    if (this.dependencies.length < tlvEntriesMax) this.dependencies.push(dependency);
  }
}

function decodeDependency(view: DataView): ImageDependency {
  return {
    imageIndex: view.getUint8(0),
    versionMin: {
      major: view.getUint8(4),
      minor: view.getUint8(5),
      revision: view.getUint16(6, true),
      build: view.getUint32(8, true),
    },
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

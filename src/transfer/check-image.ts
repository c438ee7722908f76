import { type BlockHashes, readBlockHashes } from "../image/block-hashes.ts";
import {
  checkImageEnvelope,
  type EnvelopeRefusal,
  envelopeSource,
  envelopeTailBytesMax,
  imageTailOffset,
} from "../image/envelope.ts";
import { imageHeaderBytes, parseImageHeader } from "../image/header.ts";
import { toHex } from "../image/hex.ts";
import type { ImageInfo } from "../image/info.ts";
import type { ImageTrust } from "../image/verify.ts";
import type { Hasher } from "../ports/crypto.ts";
import type { Http } from "../ports/http.ts";
import { fetchRange, type RangeFailure } from "./range.ts";

export interface CheckRequest {
  readonly url: string;
  readonly fileBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly trust: ImageTrust;
}

interface TransferFailure {
  readonly ok: false;
  readonly kind: "transfer";
  readonly failure: RangeFailure;
  readonly retryAfterMs: number | null;
}

export type CheckResult =
  /** `blocks` are the image's block hashes, or null when it brings none. */
  | { readonly ok: true; readonly info: ImageInfo; readonly blocks: BlockHashes | null }
  | TransferFailure
  /** `digest` tells whether another refusal was of the same bytes; empty when none were read. */
  | {
      readonly ok: false;
      readonly kind: "image";
      readonly refusal: EnvelopeRefusal;
      readonly digest: string;
    };

/** Readings of an image's ends before bytes that are others each time are given up for now. */
const readingsMax = 4;

/**
 * Judges an image by its two ends: the header and the TLVs, together about 1 KB. The signature
 * signs the hash TLV, so a wrong key or a lower counter is refused before one sector of the slot is
 * erased; only whether the payload has that hash is left for the verification of the slot.
 *
 * A byte that was spoilt on the way looks like a wrong image: a refusal counts once the same bytes
 * came twice.
 */
export async function checkImage(http: Http, request: CheckRequest): Promise<CheckResult> {
  const { fileBytes, trust } = request;
  if (fileBytes > trust.imageBytesMax) return refused("image-too-large");
  let before = "";
  for (let readings = 0; readings < readingsMax; readings += 1) {
    const result = await reading(http, request);
    if (result.ok || result.kind === "transfer" || result.digest === before) return result;
    before = result.digest;
  }
  return { ok: false, kind: "transfer", failure: "response-invalid", retryAfterMs: null };
}

/** One reading of both ends. */
async function reading(http: Http, request: CheckRequest): Promise<CheckResult> {
  const hasher = request.trust.crypto.sha256();
  try {
    const result = await readEnds(http, request, hasher);
    if (result.ok || result.kind === "transfer") return result;
    return { ...result, digest: toHex(hasher.digest()) };
  } finally {
    hasher.close();
  }
}

/** `hasher` takes what came. */
async function readEnds(http: Http, request: CheckRequest, hasher: Hasher): Promise<CheckResult> {
  const { fileBytes, trust } = request;
  const head = new Uint8Array(Math.min(imageHeaderBytes, fileBytes));
  const headFailure = await fetchInto(http, request, 0, head);
  if (headFailure !== null) return headFailure;
  hasher.update(head);
  const parsed = parseImageHeader(head);
  if (!parsed.ok) return refused(parsed.reason);
  const tailOffset = imageTailOffset(parsed.header);
  const tailBytes = Math.min(fileBytes - tailOffset, envelopeTailBytesMax);
  if (tailBytes <= 0) return refused("image-beyond-source");
  const tail = new Uint8Array(tailBytes);
  const tailFailure = await fetchInto(http, request, tailOffset, tail);
  if (tailFailure !== null) return tailFailure;
  hasher.update(tail);
  const anyDevice = { hardware: null, securityCounterMin: null }; // compatibility is for src/policy
  const checked = checkImageEnvelope({ head, tail }, trust, anyDevice);
  if (!checked.ok) return refused(checked.reason);
  const blocks = readBlockHashes(envelopeSource({ head, tail }, tailOffset), parsed.header);
  return { ok: true, info: checked.info, blocks };
}

function refused(refusal: EnvelopeRefusal): CheckResult {
  return { ok: false, kind: "image", refusal, digest: "" };
}

async function fetchInto(
  http: Http,
  request: CheckRequest,
  fromBytes: number,
  into: Uint8Array,
): Promise<TransferFailure | null> {
  let filled = 0;
  const result = await fetchRange(
    http,
    {
      url: request.url,
      headers: request.headers,
      fromBytes,
      toBytes: fromBytes + into.length,
      totalBytes: request.fileBytes,
      timeoutMs: request.timeoutMs,
    },
    (bytes) => {
      into.set(bytes, filled);
      filled += bytes.length;
      return true;
    },
  );
  return result.ok ? null : { ...result, kind: "transfer" };
}

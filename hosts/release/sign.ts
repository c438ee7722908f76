import { createHash } from "node:crypto";
import {
  checkImageEnvelope,
  envelopeTailBytesMax,
  imageTailOffset,
} from "../../src/image/envelope.ts";
import { imageHeaderBytes, parseImageHeader } from "../../src/image/header.ts";
import { toHex } from "../../src/image/hex.ts";
import { moveTrailerShape } from "../../src/image/layout.ts";
import { bytesSource } from "../../src/image/source.ts";
import { verifyImage } from "../../src/image/verify.ts";
import {
  type ImageOptions,
  type ImageSigner,
  padImage,
  type WriteRefusal,
  writeImage,
} from "../../src/image/writer.ts";
import { checkImageFits, type FitRefusal, type SlotDescription } from "./fit.ts";
import { nodeCrypto } from "./node-crypto.ts";

export interface SignRequest {
  readonly payload: Uint8Array;
  readonly options: ImageOptions;
  /** One or two; none gives an unsigned image. */
  readonly signers: readonly ImageSigner[];
  readonly slot: SlotDescription;
  /**
   * A whole slot to be programmed from outside: `pad` requests a test upgrade, `confirm` a
   * permanent one.
   */
  readonly form: "file" | "pad" | "confirm";
}

export interface SignedImage {
  readonly image: Uint8Array;
  /** What runs: the hash in the image, lower-case hex. */
  readonly imageHash: string;
  /** What is published: the SHA-256 of all bytes, lower-case hex. */
  readonly fileHash: string;
  /** The largest image, header to end of TLVs, that the slot takes. */
  readonly imageBytesMax: number;
}

export type SignResult =
  | { readonly ok: true; readonly signed: SignedImage }
  | {
      readonly ok: false;
      readonly reason: WriteRefusal | FitRefusal | "refused-by-device";
      /** With the numbers. */
      readonly message: string;
    };

/** Writes and signs an image, and refuses one that the slot could never swap. */
export async function signImage(request: SignRequest): Promise<SignResult> {
  const { payload, options, signers, slot } = request;
  const written = await writeImage(payload, options, nodeCrypto, signers);
  if (!written.ok) return { ok: false, ...explain(written.reason, payload.length) };
  const fits = checkImageFits(written.image.length, slot);
  if (!fits.ok) return fits;
  const { imageBytesMax } = fits;
  const unreadable = deviceRefusal(written.image, signers, imageBytesMax);
  if (unreadable !== null) return unreadable;
  const place = { shape: moveTrailerShape(slot), slotBytes: slot.slotBytes };
  const image =
    request.form === "file"
      ? written.image
      : padImage(written.image, place, request.form === "confirm");
  if (image === null) throw new Error("an image within imageBytesMax leaves room for the trailer");
  const fileHash = createHash("sha256").update(image).digest("hex");
  return {
    ok: true,
    signed: { image, imageHash: toHex(written.imageHash), fileHash, imageBytesMax },
  };
}

/**
 * Reads back what was signed, as a device does before it downloads and as its bootloader does. Null
 * when both take it, and for what nobody signed.
 */
function deviceRefusal(
  image: Uint8Array,
  signers: readonly ImageSigner[],
  imageBytesMax: number,
): Extract<SignResult, { ok: false }> | null {
  if (signers.length === 0) return null;
  const keys = signers.map(({ publicKey }) => ({ algorithm: "ecdsa-p256", publicKey }) as const);
  const trust = { keys, crypto: nodeCrypto, imageBytesMax };
  const whole = verifyImage(bytesSource(image), trust);
  const head = image.subarray(0, imageHeaderBytes);
  const parsed = parseImageHeader(head);
  const tail = parsed.ok ? image.subarray(imageTailOffset(parsed.header)) : new Uint8Array(0);
  const ends = checkImageEnvelope({ head, tail }, trust, anyDevice);
  const refusal = whole.ok ? (ends.ok ? null : ends.reason) : whole.reason;
  if (refusal === null) return null;
  const limit =
    refusal === "tail-too-long"
      ? `: its TLVs have ${tail.length} bytes, a device reads ${envelopeTailBytesMax}; shorten the custom ones`
      : "";
  return {
    ok: false,
    reason: "refused-by-device",
    message: `devices would refuse the image (${refusal})${limit}`,
  };
}

const anyDevice = { hardware: null, securityCounterMin: null };

function explain(
  reason: WriteRefusal,
  payloadBytes: number,
): { reason: WriteRefusal; message: string } {
  const messages: Readonly<Record<WriteRefusal, string>> = {
    "payload-too-large": `the payload has ${payloadBytes} bytes; an image may have 16777216`,
    "tlvs-too-large": "the protected TLVs take more than 65535 bytes; shorten the custom ones",
    "signature-invalid":
      "the signer's answer is no signature by its own public key; check that both belong together",
  };
  return { reason, message: messages[reason] };
}

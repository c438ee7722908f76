import { createHash } from "node:crypto";
import { blockBytesDefault } from "../../../src/image/block-hashes.ts";
import type { TrustedImageKey } from "../../../src/image/keys.ts";
import { parseVersion } from "../../../src/image/version.ts";
import { type ImageSigner, plainImage } from "../../../src/image/writer.ts";
import { deviceLayout } from "../../flash/board-layout.ts";
import { createKeyPair, signerFromPem, trustedKeyFromPem } from "../../release/pem-keys.ts";
import { signImage } from "../../release/sign.ts";

export const layout = deviceLayout("esp32-4m");

/** What emulated boards are enrolled as. */
export const hardware = "esp32c3-a";

export interface KeyPair {
  readonly signer: ImageSigner;
  readonly key: TrustedImageKey;
  readonly publicPem: string;
}

export interface SignedBoardImage {
  readonly bytes: Uint8Array;
  /** Lower-case hex: what a device reports as running. */
  readonly imageHash: string;
}

export function newKeys(): KeyPair {
  const { privatePem, publicPem } = createKeyPair();
  const signer = signerFromPem(privatePem);
  const key = trustedKeyFromPem(publicPem);
  if (!signer.ok || !key.ok) throw new Error("a key that was just made cannot be read");
  return { signer: signer.signer, key: key.key, publicPem };
}

/** An image as `sluice release sign` makes it for a board; an image of its own for each version. */
export async function signed(
  version: string,
  payload: Uint8Array,
  keys: KeyPair,
  options: {
    readonly securityCounter?: number;
    /** The size of the slot that the image is made for; the board's when left out. */
    readonly slotBytes?: number;
  } = {},
): Promise<SignedBoardImage> {
  const parsed = parseVersion(version);
  if (parsed === null) throw new Error(`"${version}" is no version`);
  const { securityCounter = 1 } = options;
  const buildId = createHash("sha256").update(version).update(payload).digest();
  const result = await signImage({
    payload,
    options: {
      ...plainImage,
      version: parsed,
      hardware,
      securityCounter,
      buildId,
      blockBytes: blockBytesDefault,
    },
    signers: [keys.signer],
    slot: { ...slot, slotBytes: options.slotBytes ?? layout.primary.sizeBytes },
    form: "file",
  });
  if (!result.ok) throw new Error(result.message);
  return { bytes: result.signed.image, imageHash: result.signed.imageHash };
}

const slot = { sectorBytes: 4096, writeBlockBytes: 4, maxAlignBytes: 8 } as const;

/**
 * From an image's header, which starts the primary slot (`struct image_version`,
 * boot/bootutil/include/bootutil/image.h).
 */
export function primaryVersion(flash: Uint8Array): string {
  const at = layout.primary.offsetBytes + 20;
  const revision = (flash[at + 2] ?? 0) | ((flash[at + 3] ?? 0) << 8);
  return `${flash[at]}.${flash[at + 1]}.${revision}`;
}

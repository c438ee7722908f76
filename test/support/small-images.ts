import { toHex } from "../../src/image/hex.ts";
import { parseVersion } from "../../src/image/version.ts";
import { type ImageOptions, plainImage, writeImage } from "../../src/image/writer.ts";
import { nobleCrypto } from "../../src/ports/noble-crypto.ts";
import { type DigestHex, digestHex, parseDigestHex } from "../../src/protocol/digest.ts";
import { testSigner } from "./image-signer.ts";

export const trustedSigner = testSigner(5);
export const unknownSigner = testSigner(6);
export const boardHardware = "esp32c3-a";

export interface SmallImage {
  readonly bytes: Uint8Array;
  readonly version: string;
  readonly imageHash: DigestHex;
  readonly fileHash: DigestHex;
}

/** A signed image with a payload of bytes that look like nothing in particular. */
export async function smallImage(
  version: string,
  payloadBytes: number,
  options: Partial<ImageOptions> & { readonly signer?: ReturnType<typeof testSigner> } = {},
): Promise<SmallImage> {
  const { signer = trustedSigner, ...rest } = options;
  const parsed = parseVersion(version);
  if (parsed === null) throw new Error(`"${version}" is no version`);
  const payload = Uint8Array.from(
    { length: payloadBytes },
    (_, index) => (index * 41) ^ (index >> 7),
  );
  return imageWith(
    payload,
    { version: parsed, hardware: boardHardware, securityCounter: 1, ...rest },
    signer,
  );
}

export async function imageWith(
  payload: Uint8Array,
  options: Partial<ImageOptions> & Pick<ImageOptions, "version">,
  signer = trustedSigner,
): Promise<SmallImage> {
  const written = await writeImage(payload, { ...plainImage, ...options }, nobleCrypto, [signer]);
  if (!written.ok) throw new Error(written.reason);
  const { major, minor, revision } = options.version;
  return {
    bytes: written.image,
    version: `${major}.${minor}.${revision}`,
    imageHash: hashText(written.imageHash),
    fileHash: sha256Hex(written.image),
  };
}

export function sha256Hex(bytes: Uint8Array): DigestHex {
  const hasher = nobleCrypto.sha256();
  hasher.update(bytes);
  return digestHex(hasher.digest());
}

function hashText(bytes: Uint8Array): DigestHex {
  const text = parseDigestHex(toHex(bytes));
  if (text === null) throw new Error("no digest");
  return text;
}

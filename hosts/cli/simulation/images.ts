import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { fileURLToPath } from "node:url";
import { p256 } from "@noble/curves/nist.js";
import { blockBytesDefault } from "../../../src/image/block-hashes.ts";
import { fromHex } from "../../../src/image/hex.ts";
import type { TrustedImageKey } from "../../../src/image/keys.ts";
import { parseVersion } from "../../../src/image/version.ts";
import { type ImageSigner, plainImage } from "../../../src/image/writer.ts";
import type { DeviceLayout } from "../../flash/layout.ts";
import { buildFirmware } from "../../release/build.ts";
import { type KeyPairPem, signerFromPem, trustedKeyFromPem } from "../../release/pem-keys.ts";
import { signImage } from "../../release/sign.ts";
import { CommandError, exitCodes } from "../command/exit.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

export const referenceFirmware = "src/main.ts";

export interface WantedImage {
  readonly version: string;
  readonly hardware: string;
  /** Source file of the firmware, relative to the project. */
  readonly entry: string;
  /** 1 when absent. */
  readonly securityCounter?: number;
}

/** Builds and signs releases with a key that lives as long as the simulation. */
export class ImageFactory {
  readonly publicPem: string;
  readonly key: TrustedImageKey;
  readonly signer: ImageSigner;
  readonly #layout: DeviceLayout;

  /** The same seed gives the same key, so that its images have the same bytes in every run. */
  constructor(layout: DeviceLayout, seed: number) {
    const pair = keyPairOf(seed);
    const signer = signerFromPem(pair.privatePem);
    const trusted = trustedKeyFromPem(pair.publicPem);
    if (!signer.ok || !trusted.ok) throw new Error("a key that was just made cannot be read");
    this.publicPem = pair.publicPem;
    this.key = trusted.key;
    this.signer = signer.signer;
    this.#layout = layout;
  }

  async build(wanted: WantedImage): Promise<Uint8Array> {
    const version = parseVersion(wanted.version);
    if (version === null) throw new Error(`"${wanted.version}" is no version`);
    const { entry, hardware } = wanted;
    const built = await buildFirmware({
      root,
      entry,
      version,
      hardware: [hardware],
      variant: "release",
    });
    if (!built.ok) throw new CommandError(`${entry} does not build: ${built.message}`);
    const [payload] = built.build.payloads;
    const [artifact] = built.build.manifest.artifacts;
    if (payload === undefined || artifact === undefined) throw new Error("a build without payload");
    const signed = await signImage({
      payload,
      options: {
        ...plainImage,
        version,
        hardware,
        securityCounter: wanted.securityCounter ?? 1,
        blockBytes: blockBytesDefault,
        buildId: fromHex(artifact.buildId),
      },
      signers: [this.signer],
      slot: {
        slotBytes: this.#layout.primary.sizeBytes,
        sectorBytes: 4096,
        writeBlockBytes: 4,
        maxAlignBytes: 8,
      },
      form: "file",
    });
    if (!signed.ok) throw new CommandError(signed.message, exitCodes.internal);
    return signed.signed.image;
  }
}

/** For simulations alone: whoever knows the seed has the key. */
function keyPairOf(seed: number): KeyPairPem {
  const secret = createHash("sha256").update(`sluice simulation ${seed}`).digest();
  const point = Buffer.from(p256.getPublicKey(secret, false));
  const text = (bytes: Buffer): string => bytes.toString("base64url");
  const coordinates = { x: text(point.subarray(1, 33)), y: text(point.subarray(33)) };
  const key = { kty: "EC", crv: "P-256", d: text(secret), ...coordinates };
  const privateKey = createPrivateKey({ key, format: "jwk" });
  return {
    privatePem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    publicPem: createPublicKey(privateKey).export({ format: "pem", type: "spki" }).toString(),
  };
}

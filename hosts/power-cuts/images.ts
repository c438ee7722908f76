import { hash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { p256 } from "@noble/curves/nist.js";
import { fromHex } from "../../src/image/hex.ts";
import { encodePublicKey, type TrustedImageKey } from "../../src/image/keys.ts";
import { signatureToDer } from "../../src/image/signature.ts";
import { formatVersion, parseVersion } from "../../src/image/version.ts";
import { type ImageSigner, plainImage } from "../../src/image/writer.ts";
import { sectorBytes } from "../flash/geometry.ts";
import { buildFirmware } from "../release/build.ts";
import { signImage } from "../release/sign.ts";

/** One signed image of the proof, with what it was made of. */
export interface ProofImage {
  readonly version: string;
  readonly securityCounter: number;
  readonly entry: string;
  /** The SHA-256 of the payload, as `sluice release build` tells it. */
  readonly payloadSha256: string;
  readonly imageHash: string;
  readonly file: Uint8Array;
}

export const proofHardware = "esp32c3-a";
export const referenceEntry = "src/main.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
/**
 * No image of the proof comes near; what a slot takes is decided by the layout that is made for
 * them.
 */
const anySlot = {
  slotBytes: 16 * 1024 * 1024,
  sectorBytes,
  writeBlockBytes: 4,
  maxAlignBytes: 8,
} as const;

/**
 * The key of a run. It follows from the seed, so that a replay has the same bytes; it is worthless
 * elsewhere.
 */
export class ProofKey implements ImageSigner {
  readonly publicKey: Uint8Array;
  readonly trusted: TrustedImageKey;
  readonly #secret: Uint8Array;

  constructor(seed: number) {
    this.#secret = Buffer.from(hash("sha256", `sluice power cuts ${seed}`, "hex"), "hex");
    this.publicKey = p256.getPublicKey(this.#secret, false);
    this.trusted = { algorithm: "ecdsa-p256", publicKey: this.publicKey };
  }

  sign(digest: Uint8Array): Promise<Uint8Array> {
    const signature = p256.sign(digest, this.#secret, { prehash: false, lowS: false });
    return Promise.resolve(signatureToDer(signature));
  }

  /** SubjectPublicKeyInfo in PEM. */
  get publicPem(): string {
    const base64 = Buffer.from(encodePublicKey(this.trusted)).toString("base64");
    const lines = base64.match(/.{1,64}/g) ?? [];
    return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
  }
}

/** Builds the release bundle of an entry exactly as `sluice release build` does, and signs it. */
export async function buildProofImage(
  wanted: {
    readonly version: string;
    readonly securityCounter: number;
    readonly entry: string;
    readonly imageBytesMin: number;
  },
  key: ProofKey,
): Promise<ProofImage> {
  const version = parseVersion(wanted.version);
  if (version === null) throw new TypeError(`"${wanted.version}" is no version`);
  const built = await buildFirmware({
    root,
    entry: wanted.entry,
    version,
    hardware: [proofHardware],
    variant: "release",
  });
  if (!built.ok) throw new Error(`${wanted.entry} does not build: ${built.message}`);
  const [payload] = built.build.payloads;
  const [artifact] = built.build.manifest.artifacts;
  if (payload === undefined || artifact === undefined) throw new Error("a build without payload");
  const { securityCounter, entry } = wanted;
  const signed = await signImage({
    payload: padded(payload, wanted.imageBytesMin),
    options: {
      ...plainImage,
      version,
      hardware: proofHardware,
      securityCounter,
      buildId: fromHex(artifact.buildId),
    },
    signers: [key],
    slot: anySlot,
    form: "file",
  });
  if (!signed.ok) throw new Error(`${wanted.entry} cannot be signed: ${signed.message}`);
  return {
    version: formatVersion(version),
    securityCounter,
    entry,
    payloadSha256: artifact.sha256,
    imageHash: signed.signed.imageHash,
    file: signed.signed.image,
  };
}

/** A line comment behind the code; the TLVs come on top of it. */
function padded(payload: Uint8Array, bytesMin: number): Uint8Array {
  if (payload.length >= bytesMin) return payload;
  const larger = new Uint8Array(Math.ceil(bytesMin / 4) * 4).fill(0x2e);
  larger.set(payload);
  larger.set(new TextEncoder().encode("\n//"), payload.length);
  return larger;
}

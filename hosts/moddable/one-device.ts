import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import { parseVersion } from "../../src/image/version.ts";
import { type ImageSigner, plainImage } from "../../src/image/writer.ts";
import type { TlsCredentials } from "../../src/tls/credentials.ts";
import { deviceLayout } from "../flash/board-layout.ts";
import type { FleetTrustOptions } from "../fleet/trust/fleet-trust.ts";
import { createKeyPair, signerFromPem, trustedKeyFromPem } from "../release/pem-keys.ts";
import { signImage } from "../release/sign.ts";
import { manufacture } from "../simulator/manufacture.ts";
import { type Conditions, ModdableBoard } from "./board.ts";
import { startedBy, startedItself } from "./launch.ts";
import type { BootEnd } from "./process-exit.ts";
import { RealFleet, type SecureServerOptions } from "./real-fleet.ts";

export interface OneDeviceOptions {
  /** Emptied first. */
  readonly directory: string;
  /** The program of runner.c; null for firmware that is a program of its own (`native_sim`). */
  readonly runner: string | null;
  /** What the device leaves the factory with, as 1.0.0. */
  readonly payload: Uint8Array;
  readonly watchdogSeconds?: number;
  /** Serves the fleet over https, to a device with these credentials. */
  readonly tls?: { readonly server: SecureServerOptions; readonly credentials: TlsCredentials };
  /** Signed metadata, for a device that goes by it. */
  readonly trust?: TrustedReleases;
  /** What the device is enrolled with in place of the fleet's address. */
  readonly serverUrl?: string;
  /** Resets in one run; a board that has more swings for ever. */
  readonly bootsMax?: number;
  /** Hears each line of the console. */
  logged?(line: string): void;
  /** Hears each line of `board.boots`, before what was booted runs. */
  booted?(line: string): void;
}

/** Who signs offline. */
export interface TrustedReleases {
  readonly firstRoot: Uint8Array;
  readonly fleet: FleetTrustOptions;
  /** Signs for an image that the server has, and gives the server what was signed. */
  publish(image: Uint8Array, managementUrl: string): Promise<void>;
}

export const deviceId = "board-1";
const hardware = "esp32c3-a";

/** A fleet server, a key, and one board that runs what mcconfig built. */
export class OneDevice {
  readonly fleet: RealFleet;
  readonly board: ModdableBoard;
  readonly #signer: ImageSigner;
  readonly #slotBytes: number;
  readonly #trust: TrustedReleases | null;
  #running: Promise<BootEnd> | null = null;

  static async start(options: OneDeviceOptions): Promise<OneDevice> {
    const { directory, runner, payload } = options;
    rmSync(directory, { recursive: true, force: true });
    const layout = deviceLayout("esp32-4m");
    const { signer, key, publicPem } = newKey();
    const slotBytes = layout.primary.sizeBytes;
    const { tls } = options;
    const served = join(directory, "fleet");
    const fleet = await RealFleet.start(served, publicPem, tls?.server, options.trust?.fleet);
    const token = await fleet.addDevice(deviceId, hardware);
    const flash = manufacture(layout, await image("1.0.0", payload, signer, slotBytes), {
      serverUrl: options.serverUrl ?? fleet.url,
      tenant: "DEFAULT",
      deviceId,
      token,
      hardware,
      imageKeys: [key.publicKey],
      ...(tls && { tls: tls.credentials }),
      ...(options.trust && { trustRoot: options.trust.firstRoot }),
    });
    const { watchdogSeconds = 0, bootsMax, logged = () => {}, booted = () => {} } = options;
    const board = new ModdableBoard(
      {
        directory: join(directory, "board"),
        launcher: runner === null ? startedItself : startedBy(runner),
        layout,
        imageKeys: [key],
        watchdogSeconds,
        ...(bootsMax !== undefined && { bootsMax }),
        logged,
        booted,
      },
      flash,
    );
    return new OneDevice(fleet, board, signer, slotBytes, options.trust ?? null);
  }

  private constructor(
    fleet: RealFleet,
    board: ModdableBoard,
    signer: ImageSigner,
    slotBytes: number,
    trust: TrustedReleases | null,
  ) {
    this.#trust = trust;
    this.fleet = fleet;
    this.board = board;
    this.#signer = signer;
    this.#slotBytes = slotBytes;
  }

  /** Publishes a release and offers it; answers the rollout and the size of the image. */
  async offer(version: string, payload: Uint8Array): Promise<{ rollout: number; bytes: number }> {
    const file = await image(version, payload, this.#signer, this.#slotBytes);
    await this.fleet.publish(file);
    await this.#trust?.publish(file, this.fleet.managementUrl);
    return { rollout: await this.fleet.rollOut(version), bytes: file.length };
  }

  /** Switches the board on; the answer is how it ended, and it ends by itself at a power cut. */
  powerOn(conditions: Conditions = {}): Promise<BootEnd> {
    this.#running = this.board.powerOn(conditions);
    return this.#running;
  }

  async powerOff(): Promise<BootEnd | null> {
    this.board.powerOff();
    return this.#running;
  }

  async close(): Promise<void> {
    await this.powerOff();
    await this.fleet.close();
  }
}

function newKey(): { signer: ImageSigner; key: TrustedImageKey; publicPem: string } {
  const { privatePem, publicPem } = createKeyPair();
  const signer = signerFromPem(privatePem);
  const key = trustedKeyFromPem(publicPem);
  if (!signer.ok || !key.ok) throw new Error("a key that was just made cannot be read");
  return { signer: signer.signer, key: key.key, publicPem };
}

async function image(
  version: string,
  payload: Uint8Array,
  signer: ImageSigner,
  slotBytes: number,
): Promise<Uint8Array> {
  const parsed = parseVersion(version);
  if (parsed === null) throw new Error(`"${version}" is no version`);
  const buildId = createHash("sha256").update(version).update(payload).digest();
  const signed = await signImage({
    payload,
    options: { ...plainImage, version: parsed, hardware, securityCounter: 1, buildId },
    signers: [signer],
    slot: { slotBytes, sectorBytes: 4096, writeBlockBytes: 4, maxAlignBytes: 8 },
    form: "file",
  });
  if (!signed.ok) throw new Error(signed.message);
  return signed.signed.image;
}

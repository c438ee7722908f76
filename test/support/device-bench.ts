import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { deviceLayout } from "../../hosts/flash/board-layout.ts";
import type { DeviceLayout } from "../../hosts/flash/layout.ts";
import { nodeCrypto } from "../../hosts/release/node-crypto.ts";
import type { Battery } from "../../hosts/simulator/battery.ts";
import { DdiServer, ddiDeviceId } from "../../hosts/simulator/ddi-server.ts";
import type { EngineKind } from "../../hosts/simulator/engines/engine.ts";
import type { Network } from "../../hosts/simulator/network.ts";
import { runningImage, World, type WorldDevice } from "../../hosts/simulator/world.ts";
import { parseVersion } from "../../src/image/version.ts";
import { type ImageOptions, plainImage, writeImage } from "../../src/image/writer.ts";
import type { TlsCredentials } from "../../src/tls/credentials.ts";
import { testSigner } from "./image-signer.ts";

export const benchSigner = testSigner(11);
export const strangeSigner = testSigner(12);
export const hardware = "esp32c3-a";

const bundles = new Map<string, Uint8Array>();

/** A firmware of this project as one script, bundled once per test process. */
export function firmware(entry = "src/main.ts"): Uint8Array {
  const known = bundles.get(entry);
  if (known !== undefined) return known;
  const [file] = buildSync({
    entryPoints: [fileURLToPath(new URL(`../../${entry}`, import.meta.url))],
    bundle: true,
    write: false,
    format: "cjs",
    target: "es2022",
    packages: "external",
    logLevel: "silent",
  }).outputFiles;
  if (file === undefined) throw new Error(`esbuild gave nothing for ${entry}`);
  bundles.set(entry, file.contents);
  return file.contents;
}

export interface BenchImage extends Partial<ImageOptions> {
  readonly entry?: string;
  readonly signers?: readonly ReturnType<typeof testSigner>[];
  /** Behind the code, as a comment, so that an image is as large as a test needs it. */
  readonly paddingBytes?: number;
}

export async function image(version: string, options: BenchImage = {}): Promise<Uint8Array> {
  const { entry, signers = [benchSigner], paddingBytes = 0, ...rest } = options;
  const code = firmware(entry);
  const payload = new Uint8Array(code.length + 3 + paddingBytes).fill(0x2e);
  payload.set(code);
  payload.set(new TextEncoder().encode("\n//"), code.length);
  const parsed = parseVersion(version);
  if (parsed === null) throw new Error(`"${version}" is no version`);
  const written = await writeImage(
    payload,
    { ...plainImage, version: parsed, hardware, securityCounter: 1, ...rest },
    nodeCrypto,
    signers,
  );
  if (!written.ok) throw new Error(written.reason);
  return written.image;
}

export interface BenchOptions {
  readonly engine?: EngineKind;
  readonly battery?: Battery;
  readonly first?: BenchImage;
  readonly seed?: number;
  readonly layout?: DeviceLayout;
  /** In place of the scripted server. */
  readonly network?: Network;
  /** With such a network: where the device finds its server. */
  readonly url?: string;
  /** For a server over https. */
  readonly tls?: TlsCredentials;
  /** Of firmware that does not end its turns: a watch over each costs more than most turns. */
  readonly mayHang?: boolean;
}

/** One device on 1.0.0 and a server that the test scripts. */
export class DeviceBench {
  readonly server = new DdiServer();
  readonly world: World;
  readonly device: WorldDevice;
  /** One line per boot: outcome, version and reset reason. */
  readonly boots: string[] = [];

  static async start(options: BenchOptions = {}): Promise<DeviceBench> {
    return new DeviceBench(options, await image("1.0.0", options.first));
  }

  private constructor(options: BenchOptions, firstImage: Uint8Array) {
    this.world = new World({
      seed: options.seed ?? 1,
      startUnixMs: Date.UTC(2027, 0, 4),
      layout: options.layout ?? deviceLayout("esp32-4m"),
      imageKeys: [benchSigner.key],
      network: options.network ?? this.server,
      crypto: nodeCrypto,
      serverUrl: () => options.url ?? this.server.url,
      tenant: "DEFAULT",
      ...(!options.mayHang && { turnBudgetMs: null }),
    });
    this.world.observer = {
      booted: (_, outcome, reason) => {
        const version = outcome.outcome === "booted" ? ` ${outcome.version.split("+")[0]}` : "";
        this.boots.push(`${outcome.outcome}${version} ${reason}`);
      },
    };
    this.device = this.world.add({
      id: ddiDeviceId,
      hardware,
      token: "bench-token",
      engine: options.engine ?? "node",
      battery: options.battery ?? null,
      image: firstImage,
      ...(options.tls && { tls: options.tls }),
    });
  }

  async powerOn(): Promise<void> {
    await this.device.device.powerOn();
  }

  /** Lets virtual time pass. */
  async pass(minutes: number): Promise<void> {
    const { scheduler } = this.world;
    const endMs = scheduler.nowMs + minutes * 60_000;
    scheduler.after(minutes * 60_000, () => {});
    await scheduler.runUntil(() => scheduler.nowMs >= endMs, endMs);
  }

  offer(actionId: string, version: string, file: Uint8Array): void {
    this.server.offer = { actionId, version, file };
  }

  get running(): string {
    return runningImage(this.device.device.flash, this.world.layout)?.version ?? "nothing";
  }

  /** The last report that closed an action. */
  get verdict(): string | undefined {
    return this.server.reports.findLast((report) => report.startsWith("closed"));
  }
}

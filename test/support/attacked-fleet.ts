import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { FleetClient } from "../../hosts/cli/server/fleet-client.ts";
import type { DeviceView, RolloutView } from "../../hosts/cli/server/fleet-views.ts";
import { ImageFactory, referenceFirmware } from "../../hosts/cli/simulation/images.ts";
import { deviceLayout } from "../../hosts/flash/board-layout.ts";
import type { AddedDeviceAnswer } from "../../hosts/fleet/routes/management/schemas/devices.ts";
import { type Signer, sha256 } from "../../hosts/release/keys/signer.ts";
import { nodeCrypto } from "../../hosts/release/node-crypto.ts";
import { initialize } from "../../hosts/release/trust/changes.ts";
import { fileOf } from "../../hosts/release/trust/document.ts";
import { addRelease } from "../../hosts/release/trust/releases.ts";
import {
  fileNameOf,
  type LifeDays,
  lifeDaysDefault,
  type TrustRepository,
} from "../../hosts/release/trust/repository.ts";
import type { HttpCall } from "../../hosts/simulator/board/host-calls.ts";
import { readAnswer } from "../../hosts/simulator/http-text.ts";
import { LocalFleet } from "../../hosts/simulator/local-fleet.ts";
import { LoopbackNetwork } from "../../hosts/simulator/loopback-network.ts";
import type { Network, NetworkAnswer } from "../../hosts/simulator/network.ts";
import { runningImage, World, type WorldDevice } from "../../hosts/simulator/world.ts";
import { canonicalJson } from "../../src/trust/canonical-json.ts";
import { metadataSigner, openTrust, signAll, trustSet } from "./trust-repository.ts";
import type { Loose } from "./tuf-repository.ts";

export const hardware = "esp32c3-a";
export const deviceId = "device-1";
export const startUnixMs = Date.UTC(2027, 0, 4, 9);
const tenant = "DEFAULT";
const pollSeconds = 300;
const minuteMs = 60_000;
const limitMs = 12 * 60 * minuteMs;

/** Root 2 of 3, targets 2 of 2, one online key. */
export const keys = {
  root: [metadataSigner(11), metadataSigner(12), metadataSigner(13)],
  targets: [metadataSigner(21), metadataSigner(22)],
  online: [metadataSigner(31)],
} as const;

const layout = deviceLayout("esp32-4m");
const factory = new ImageFactory(layout, 1);
export const configurationSigner = factory.signer;
const built = new Map<string, Promise<Uint8Array>>();

export interface TestImage {
  readonly version: string;
  readonly hardware?: string;
  readonly securityCounter?: number;
}

/** The reference firmware as that release, built once per process. */
export function testImage(wanted: TestImage): Promise<Uint8Array> {
  const name = JSON.stringify(wanted);
  const entry = referenceFirmware;
  const made = built.get(name) ?? factory.build({ hardware, entry, ...wanted });
  built.set(name, made);
  return made;
}

type Response = Extract<NetworkAnswer, { kind: "response" }>;

/**
 * A request of the device for trust, by the last part of its path: `timestamp.json`, `director`.
 */
export type Falsifier = (file: string, answer: Response) => NetworkAnswer | Promise<NetworkAnswer>;

export interface AttackedFleetOptions {
  /** False for a device whose clock is never set. */
  readonly hasClock?: boolean;
  readonly lifeDays?: LifeDays;
  /** Changes the first root before it is signed. */
  readonly root?: (signed: Loose) => void;
}

/**
 * A simulated device that goes by signed metadata and runs 1.0.0, the real fleet server, releases
 * 1.0.0 and 1.1.0 that the offline keys signed, and somebody on the way between them.
 */
export class AttackedFleet {
  /** The offline side; the server gets what is published of it. */
  readonly repository: TrustRepository;
  /**
   * What the attacker makes of an answer to a request for trust. The snapshot goes without its
   * version, which the server makes of the time.
   */
  falsify: Falsifier = (_, answer) => answer;
  /** The file that the attacker offers and serves in place of the server's, or null. */
  offered: Uint8Array | null = null;
  /** Paths that the device asked for, of trust. */
  readonly asked: string[] = [];
  readonly world: World;
  /** How far the server's wall clock is ahead of the world's. */
  serverAheadMs = 0;
  readonly #folder: string;
  readonly #loopback = new LoopbackNetwork();
  #rolloutId = 0;
  #fleet: LocalFleet | null = null;
  #client: FleetClient | null = null;
  #device: WorldDevice | null = null;

  static async start(
    context: TestContext,
    options: AttackedFleetOptions = {},
  ): Promise<AttackedFleet> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-attack-"));
    const fleet = new AttackedFleet(folder);
    context.after(async () => {
      await fleet.#close();
      rmSync(folder, { recursive: true });
    });
    await fleet.#signOffline(options);
    await fleet.#serve(options);
    return fleet;
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.repository = openTrust(join(folder, "offline"));
    const network: Network = { exchange: (call, body) => this.#exchange(call, body) };
    this.world = new World({
      seed: 1,
      startUnixMs,
      layout,
      imageKeys: [factory.key],
      network,
      crypto: nodeCrypto,
      serverUrl: () => this.#fleet?.url ?? "",
      tenant,
      turnBudgetMs: null, // the reference firmware ends its turns
    });
  }

  get device(): WorldDevice {
    if (this.#device === null) throw new Error("there is no device yet");
    return this.#device;
  }

  /**
   * Rolls a release out to the device and waits until it took it, refused it, or half a day passed.
   */
  async offer(version = "1.1.0", withinMs = limitMs): Promise<void> {
    const { id } = await this.client.post<RolloutView>("/rollouts", {
      name: `to ${version} at ${this.world.scheduler.nowMs}`,
      releaseVersion: version,
      stages: [{ percent: 100, soakSeconds: 0 }],
      haltThreshold: { rolledBackShare: 1, failedShare: 1 },
      start: true,
    });
    this.#rolloutId = id;
    await this.goOn(withinMs);
  }

  /** Waits for the last rollout again. */
  async goOn(withinMs = limitMs): Promise<void> {
    await this.pass(withinMs, async () => {
      const { stages } = await this.client.get<RolloutView>(`/rollouts/${this.#rolloutId}`);
      const counts = stages[0]?.counts ?? {};
      return ["updated", "failed", "rolled-back"].some((state) => (counts[state] ?? 0) > 0);
    });
  }

  /** Lets virtual time pass, or less when `done` says so at a full minute. */
  async pass(forMs: number, done: () => Promise<boolean> = async () => false): Promise<void> {
    const { scheduler } = this.world;
    const endMs = scheduler.nowMs + forMs;
    while (scheduler.nowMs < endMs) {
      const wakeMs = scheduler.nowMs + 5 * minuteMs;
      scheduler.after(5 * minuteMs, () => {});
      await scheduler.runUntil(() => scheduler.nowMs >= wakeMs, wakeMs);
      await this.#fleet?.tick();
      if (await done()) return;
    }
  }

  /** The same without power, so that long times cost nothing. */
  async sleep(forMs: number): Promise<void> {
    this.device.device.powerOff();
    this.world.scheduler.after(forMs, () => this.device.device.powerOn());
    const wakeMs = this.world.scheduler.nowMs + forMs;
    await this.world.scheduler.runUntil(() => this.world.scheduler.nowMs >= wakeMs, wakeMs);
    await this.#fleet?.tick();
  }

  /** The version that runs, and what the server knows: `1.0.0 failed trust-expired`. */
  async outcome(): Promise<string> {
    const { state, reason } = await this.view();
    const running = runningImage(this.device.device.flash, layout)?.version;
    return [running, state, reason].filter((part) => part != null).join(" ");
  }

  /** The last reason that the device wrote to its console, also one that it keeps trying at. */
  get lastRefusal(): string | null {
    const lines = this.device.console.map((line) => /not trusted: ([a-z-]+): /.exec(line)?.[1]);
    return lines.filter((reason) => reason !== undefined).at(-1) ?? null;
  }

  /** A file of metadata as the server has it. */
  async file(name: string): Promise<Uint8Array> {
    const answer = await fetch(`${this.#fleet?.url}/${tenant}/tuf/${name}`);
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  }

  view(): Promise<DeviceView> {
    return this.client.get(`/devices/${deviceId}`);
  }

  get client(): FleetClient {
    if (this.#client === null) throw new Error("the fleet is not there yet");
    return this.#client;
  }

  async #signOffline(options: AttackedFleetOptions): Promise<void> {
    const { repository } = this;
    const thresholds = { root: 2, targets: 2, online: 1 };
    const lifeDays = options.lifeDays ?? lifeDaysDefault;
    ensure(initialize(repository, { keys, thresholds, lifeDays, now: startUnixMs }));
    const root = repository.draft("root");
    if (root === null) throw new Error("no draft of a root");
    const signed: Loose = structuredClone(root.signed);
    options.root?.(signed);
    repository.putDraft({ ...root, signed });
    await signAll(repository, [...keys.root, ...keys.targets]);
    await this.sign({ version: "1.0.0" });
    await this.sign({ version: "1.1.0" });
  }

  /** The offline keys sign a release. */
  async sign(wanted: TestImage, signers: readonly Signer[] = keys.targets): Promise<void> {
    const images = [await testImage(wanted)];
    const now = this.world.scheduler.unixMs();
    ensure(addRelease(this.repository, { images, evidence: [], energy: null, now }));
    await signAll(this.repository, [...signers]);
  }

  /** The server gets a release: its image, and what the offline keys signed so far. */
  async publish(...wanted: readonly TestImage[]): Promise<void> {
    for (const one of wanted) await this.client.postBytes("/releases/images", await testImage(one));
    const { roots, targets } = this.repository;
    const { delegated } = trustSet(this.repository);
    const signed = [...roots, ...(targets === null ? [] : [targets]), ...delegated.values()];
    const documents = Object.fromEntries(
      signed.map((document) => [fileNameOf(document), fileOf(document).toString()]),
    );
    for (const { signed } of delegated.values())
      for (const [name, { hashes }] of Object.entries(signed.targets)) {
        const bytes = this.repository.target(name, hashes.sha256);
        if (bytes !== null)
          await this.client.postBytes(`/trust/targets?sha256=${hashes.sha256}`, bytes);
      }
    const { snapshot, timestamp } = this.repository.lifeDays;
    await this.client.post("/trust/metadata", { documents, lifeDays: { snapshot, timestamp } });
  }

  /** The server ends and starts again where it was. */
  async restartServer(signers: readonly [Signer, ...Signer[]] = keys.online): Promise<void> {
    const port = Number(new URL(this.#fleet?.url ?? "").port);
    await this.#fleet?.close();
    this.#fleet = await this.#start(port, signers);
    // Connections of before are found dead at their next use.
    const asks = async (left: number): Promise<unknown> =>
      this.client.get("/server").catch((error) => {
        if (left === 0) throw error;
        return asks(left - 1);
      });
    await asks(10);
  }

  #start(port: number, [onlineSigner, ...moreOnlineSigners]: readonly [Signer, ...Signer[]]) {
    const { scheduler } = this.world;
    return LocalFleet.start({
      directory: this.#folder,
      scheduler,
      clock: {
        unixMs: () => scheduler.unixMs() + this.serverAheadMs,
        monotonicMs: () => scheduler.unixMs(),
      },
      pollSeconds,
      imageKeys: [factory.publicPem],
      tenant,
      port,
      trust: { folder: join(this.#folder, "trust"), onlineSigner, moreOnlineSigners },
    });
  }

  async #serve({ hasClock = true }: AttackedFleetOptions): Promise<void> {
    this.#fleet = await this.#start(0, keys.online);
    this.#client = new FleetClient({ fleet: this.#fleet.url });
    await this.publish({ version: "1.0.0" }, { version: "1.1.0" });
    const { token } = await this.#client.post<AddedDeviceAnswer>("/devices", {
      id: deviceId,
      hardware,
    });
    const [root] = this.repository.roots;
    if (root === undefined) throw new Error("no root");
    this.#device = this.world.add({
      id: deviceId,
      hardware,
      token,
      engine: "node",
      battery: null,
      hasClock,
      image: await testImage({ version: "1.0.0" }),
      trustRoot: fileOf(root),
    });
    this.world.powerOnAll();
  }

  async #exchange(...[call, body]: Parameters<Network["exchange"]>): Promise<NetworkAnswer> {
    const answer = readAnswer(call.method, await this.#loopback.exchange(call, body));
    if (answer.kind !== "response") return answer;
    if (this.offered !== null && call.method === "GET") {
      if (call.path.includes("/deploymentBase/")) return withOffer(answer, this.offered);
      if (call.path.includes("/artifacts/")) return ranged(call, answer, this.offered);
    }
    const [, file, director] = /\/(?:tuf\/([^/?]+)|(director))(?:\?.*)?$/.exec(call.path) ?? [];
    const asked = file ?? director;
    if (asked === undefined) return answer;
    this.asked.push(asked);
    return this.falsify(asked.replace(/^\d+\.snapshot/, "snapshot"), answer);
  }

  async #close(): Promise<void> {
    this.world.close();
    await this.#loopback.close();
    await this.#fleet?.close();
  }
}

/** A deployment that describes this file. */
function withOffer(answer: Response, file: Uint8Array): Response {
  const body = bodyJson(answer);
  const [chunk] = body.deployment.chunks;
  chunk.artifacts[0].hashes.sha256 = sha256(file).toString("hex");
  chunk.artifacts[0].size = file.length;
  chunk.metadata = [];
  return withBody(answer, new TextEncoder().encode(JSON.stringify(body)));
}

function ranged(call: HttpCall, answer: Response, file: Uint8Array): Response {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(call.headers["range"] ?? "") ?? [];
  const [from, to] = [Number(first ?? 0), Math.min(Number(last ?? Infinity), file.length - 1)];
  const range = { "content-range": `bytes ${from}-${to}/${file.length}` };
  const cut = withBody(answer, file.slice(from, to + 1));
  return { ...cut, status: 206, headers: { ...cut.headers, ...range } };
}

/** An answer with another body. */
export function withBody(answer: Response, body: Uint8Array): Response {
  const headers = { ...answer.headers, "content-length": String(body.length) };
  return { ...answer, status: 200, headers, body };
}

export function bodyJson(answer: Response): Loose {
  return JSON.parse(new TextDecoder().decode(answer.body));
}

/** A file of `signed` by these keys. */
export async function signedFile(signed: Loose, signers: readonly Signer[]): Promise<Uint8Array> {
  const digest = sha256(canonicalJson(signed));
  const signatures = [];
  for (const signer of signers)
    signatures.push({
      keyid: signer.keyId,
      sig: Buffer.from(await signer.sign(digest)).toString("hex"),
    });
  return new TextEncoder().encode(JSON.stringify({ signatures, signed }));
}

/** What the answer's signed part becomes by `change`, signed again by these keys. */
export async function forged(
  answer: Response,
  change: (signed: Loose) => void,
  signers: readonly Signer[],
): Promise<Response> {
  const { signed } = bodyJson(answer);
  change(signed);
  return withBody(answer, await signedFile(signed, signers));
}

function ensure(result: { readonly ok: boolean; readonly message?: string }): void {
  if (!result.ok) throw new Error(result.message);
}

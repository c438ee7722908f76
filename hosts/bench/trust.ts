import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FleetClient } from "../cli/server/fleet-client.ts";
import { createFleet, type FleetServer } from "../fleet/app.ts";
import type { AddedDeviceAnswer } from "../fleet/routes/management/schemas/devices.ts";
import type { ReleaseAnswer } from "../fleet/routes/management/schemas/releases.ts";
import type { RolloutAnswer } from "../fleet/routes/management/schemas/rollouts.ts";
import { atMost, type Benchmark, type Measurement } from "./benchmark.ts";
import { CountingProxy } from "./trust/counting-proxy.ts";
import { ReleaseMachine } from "./trust/release-machine.ts";
import { TrustingDevice } from "./trust/trusting-device.ts";

const hardware = "esp32c3-a";
const deviceId = "device-1";
const tenant = "DEFAULT";
const startUnixMs = Date.UTC(2027, 0, 4, 9);
const dayMs = 86_400_000;
/** What the device's role lists before the release that is measured. */
const earlierReleases = ["1.1.0", "1.2.0", "1.3.0"] as const;
const release = "1.4.0";

/**
 * What going by signed metadata costs a device: bytes as they cross the wire, signatures verified.
 */
export const trustChecks: Benchmark = {
  name: "trust",
  about: "bytes on the wire and signatures verified, in a device's checks against the fleet server",

  async run() {
    const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    const scene = await Scene.open(folder);
    try {
      return await measure(scene);
    } finally {
      await scene.close();
      rmSync(folder, { recursive: true });
    }
  },
};

async function measure(scene: Scene): Promise<Measurement[]> {
  for (const version of earlierReleases) await scene.publish(version);
  await scene.refresh();
  scene.nowMs += dayMs + 3_600_000; // half a timestamp's life: the server signs the next one
  await scene.tick();
  const steady = await scene.counted(() => scene.refresh());
  const unchanged = await scene.counted(() => scene.refresh());
  await scene.approveBefore(earlierReleases[2]);
  await scene.publish(release);
  await scene.offer(release);
  const fresh = await scene.counted(() => scene.approve(release));
  const again = await scene.counted(() => scene.approve(release));
  scene.restartDevice();
  const restarted = await scene.counted(() => scene.approve(release));
  return [
    ...described("steady check, a new timestamp", steady, { wireBytes: 1024, signatures: 1 }),
    ...described("steady check, nothing new", unchanged, { wireBytes: 1024, signatures: 1 }),
    ...described("new release", fresh, { bodyBytes: 8192, signatures: 5 }),
    ...described("the same release again", again, {}),
    ...described("the same after a restart", restarted, {}),
  ];
}

interface Counts {
  /** Requests and answers, headers and bodies. */
  readonly wireBytes: number;
  readonly bodyBytes: number;
  readonly requests: number;
  readonly signatures: number;
}

const units = {
  wireBytes: "bytes on the wire",
  bodyBytes: "bytes of metadata and director document",
  requests: "requests",
  signatures: "signatures verified",
} as const satisfies Record<keyof Counts, string>;

function described(what: string, counts: Counts, most: Partial<Counts>): Measurement[] {
  return (Object.keys(units) as (keyof Counts)[]).map((name) => {
    const limit = most[name];
    const target = limit === undefined ? {} : { target: atMost(limit) };
    return { what: `${what}: ${units[name]}`, value: counts[name], ...target };
  });
}

/** A release machine, the real server on loopback, and a device behind a proxy that counts. */
class Scene {
  nowMs = startUnixMs;
  readonly #machine: ReleaseMachine;
  readonly #fleet: FleetServer;
  readonly #client: FleetClient;
  readonly #proxy: CountingProxy;
  readonly #token: string;
  #device: TrustingDevice;

  static async open(folder: string): Promise<Scene> {
    const machine = await ReleaseMachine.start(join(folder, "offline"), hardware, startUnixMs);
    const clock: { scene: Scene | null } = { scene: null };
    const fleet = await createFleet({
      databaseFile: join(folder, "fleet.sqlite"),
      artifactsFolder: join(folder, "artifacts"),
      clock: { unixMs: () => clock.scene?.nowMs ?? startUnixMs },
      tenant,
      imageKeys: [machine.imageKeyPem],
      trust: { folder: join(folder, "trust"), onlineSigner: machine.online },
    });
    const url = await fleet.app.listen({ port: 0, host: "127.0.0.1" });
    const client = new FleetClient({ fleet: url });
    const proxy = await CountingProxy.to(Number(new URL(url).port));
    const enrolled = { id: deviceId, hardware };
    const { token } = await client.post<AddedDeviceAnswer>("/devices", enrolled);
    clock.scene = new Scene(machine, fleet, client, proxy, token);
    return clock.scene;
  }

  private constructor(
    machine: ReleaseMachine,
    fleet: FleetServer,
    client: FleetClient,
    proxy: CountingProxy,
    token: string,
  ) {
    this.#machine = machine;
    this.#fleet = fleet;
    this.#client = client;
    this.#proxy = proxy;
    this.#token = token;
    this.#device = this.#newDevice();
  }

  async close(): Promise<void> {
    this.#proxy.close();
    await this.#fleet.close();
  }

  tick(): Promise<void> {
    return this.#fleet.tick();
  }

  publish(version: string): Promise<void> {
    return this.#machine.release(version, this.#client, this.nowMs);
  }

  /** An offer that the operator takes back, so that the device knows what was signed until now. */
  async approveBefore(version: string): Promise<void> {
    const id = await this.offer(version);
    await this.approve(version);
    await this.#client.post(`/rollouts/${id}/cancel`, {});
    const url = `${this.#deviceUrl}/cancelAction/1/feedback`;
    const status = { execution: "closed", result: { finished: "success" }, details: [] };
    const headers = { ...this.#device.headers, "content-type": "application/json" };
    const body = JSON.stringify({ id: "1", status });
    const answer = await fetch(url, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`the server answered ${answer.status} to the feedback`);
  }

  /** The server rolls it out to the device, which polls; answers the rollout. */
  async offer(version: string): Promise<number> {
    await this.#poll();
    const stages = [{ percent: 100, soakSeconds: 0 }];
    const wanted = { name: version, releaseVersion: version, stages, start: true };
    const { id } = await this.#client.post<RolloutAnswer>("/rollouts", wanted);
    await this.tick();
    await this.#poll();
    return id;
  }

  async approve(version: string): Promise<void> {
    const { images } = await this.#client.get<ReleaseAnswer>(`/releases/${version}`);
    const [image] = images;
    if (image === undefined) throw new Error(`${version} has no image`);
    const offer = { ...image, fileBytes: image.sizeBytes };
    const verdict = await this.#device.gate.check(offer, { securityCounter: 1 });
    if (!verdict.ok) throw new Error(`${verdict.reason}: ${verdict.detail}`);
  }

  async refresh(): Promise<void> {
    const { updater } = this.#device;
    const root = await updater.updateRoot();
    const trusted = root.ok ? await updater.refresh(root.value, this.nowMs) : root;
    if (!trusted.ok) throw new Error(`${trusted.reason}: ${trusted.detail}`);
  }

  restartDevice(): void {
    this.#device = this.#device.restarted();
  }

  async counted(run: () => Promise<void>): Promise<Counts> {
    const device = this.#device;
    const before = { ...device.counts, wireBytes: this.#proxy.bytes };
    await run();
    await this.#proxy.settled();
    const { bodyBytes, requests, signatures } = device.counts;
    return {
      wireBytes: this.#proxy.bytes - before.wireBytes,
      bodyBytes: bodyBytes - before.bodyBytes,
      requests: requests - before.requests,
      signatures: signatures - before.signatures,
    };
  }

  async #poll(): Promise<void> {
    const answer = await fetch(this.#deviceUrl, { headers: this.#device.headers });
    if (!answer.ok) throw new Error(`the server answered ${answer.status} to a poll`);
    await answer.arrayBuffer();
  }

  get #deviceUrl(): string {
    return `${this.#proxy.url}/${tenant}/controller/v1/${deviceId}`;
  }

  #newDevice(): TrustingDevice {
    return new TrustingDevice({
      serverUrl: this.#proxy.url,
      tenant,
      deviceId,
      token: this.#token,
      hardware,
      firstRoot: this.#machine.firstRoot,
    });
  }
}

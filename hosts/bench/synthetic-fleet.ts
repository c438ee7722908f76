import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InjectOptions } from "fastify";
import { encodeFeedback, type Feedback, parsePoll } from "../../src/protocol/ddi.ts";
import { createFleet, type FleetServer } from "../fleet/app.ts";
import type { AddedDeviceAnswer } from "../fleet/routes/management/schemas/devices.ts";
import type { PreviewAnswer } from "../fleet/routes/management/schemas/preview.ts";
import type { RolloutAnswer } from "../fleet/routes/management/schemas/rollouts.ts";
import { publicPemOf, type Signer } from "../release/keys/signer.ts";
import { imageOf } from "./planning.ts";
import { newSigner } from "./trust/release-machine.ts";

const hardware = "esp32c3-a";
const payloadBytes = 4096;
const startUnixMs = 1_800_000_000_000;

/** A device as a server hears of it: no firmware runs. */
export interface SyntheticDevice {
  readonly id: string;
  readonly token: string;
  /** `Sluice-Running` */
  running: string;
}

/** A fleet server on a clock of its own, and devices whose requests are put into it. */
export class SyntheticFleet {
  readonly devices: SyntheticDevice[] = [];
  readonly #folder: string;
  readonly #server: FleetServer;
  readonly #signer: Signer;
  readonly #clock: { nowMs: number };
  #releases = 0;

  private constructor(parts: {
    readonly folder: string;
    readonly server: FleetServer;
    readonly signer: Signer;
    readonly clock: { nowMs: number };
  }) {
    this.#folder = parts.folder;
    this.#server = parts.server;
    this.#signer = parts.signer;
    this.#clock = parts.clock;
  }

  static async open(devices: number): Promise<SyntheticFleet> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    const signer = newSigner();
    const clock = { nowMs: startUnixMs };
    const server = await createFleet({
      databaseFile: ":memory:",
      artifactsFolder: join(folder, "artifacts"),
      clock: { unixMs: () => clock.nowMs, monotonicMs: () => clock.nowMs },
      imageKeys: [publicPemOf(signer.publicKey)],
      publicUrls: ["http://fleet.bench"],
    });
    const fleet = new SyntheticFleet({ folder, server, signer, clock });
    for (let number = 0; number < devices; number += 1) {
      const id = `device-${String(number).padStart(7, "0")}`;
      const wishes = { id, hardware };
      const { token } = await fleet.api<AddedDeviceAnswer>("POST", "/devices", wishes);
      fleet.devices.push({ id, token, running: `1.0.0;${"0".repeat(64)};confirmed` });
    }
    return fleet;
  }

  get nowMs(): number {
    return this.#clock.nowMs;
  }

  /** Lets time pass, and the server see it. */
  async waitUntil(atMs: number): Promise<void> {
    this.#clock.nowMs = Math.max(this.#clock.nowMs, atMs);
    await this.#server.tick();
  }

  /** A newer release than any before; its version and the hash of its image. */
  async publish(): Promise<{ readonly version: string; readonly imageHash: string }> {
    this.#releases += 1;
    const image = await imageOf(this.#releases, this.#signer, payloadBytes);
    const answer = await this.#ask({
      method: "POST",
      url: "/api/v1/releases/images",
      headers: { "content-type": "application/octet-stream" },
      payload: Buffer.from(image),
    });
    return { version: answer.json().version, imageHash: answer.json().image.imageHash };
  }

  async preview(body: object): Promise<PreviewAnswer> {
    return this.api<PreviewAnswer>("POST", "/rollouts/preview", body);
  }

  async rollout(id: number): Promise<RolloutAnswer> {
    return this.api<RolloutAnswer>("GET", `/rollouts/${id}`);
  }

  async api<T>(method: "GET" | "POST" | "PATCH", path: string, body?: object): Promise<T> {
    const payload = body === undefined ? {} : { payload: body };
    return (await this.#ask({ method, url: `/api/v1${path}`, ...payload })).json<T>();
  }

  /** The path of what the device is offered, and of what it is to give up. */
  async poll(
    device: SyntheticDevice,
    atMs: number,
  ): Promise<{ readonly offer: string | null; readonly cancel: string | null }> {
    this.#clock.nowMs = Math.max(this.#clock.nowMs, atMs);
    const url = `/DEFAULT/controller/v1/${device.id}`;
    const answer = await this.#ask({ method: "GET", url, headers: headersOf(device) });
    const poll = parsePoll(answer.rawPayload);
    if (poll === null) throw new Error(`${device.id} cannot read ${answer.body}`);
    return { offer: pathOf(poll.offerUrl), cancel: pathOf(poll.cancelUrl) };
  }

  async report(device: SyntheticDevice, path: string, feedback: Feedback): Promise<void> {
    const actionId = path.slice(path.lastIndexOf("/") + 1);
    await this.#ask({
      method: "POST",
      url: `${path}/feedback`,
      headers: { ...headersOf(device), "content-type": "application/json" },
      payload: Buffer.from(encodeFeedback(actionId, feedback)),
    });
  }

  async close(): Promise<void> {
    await this.#server.close();
    rmSync(this.#folder, { recursive: true });
  }

  async #ask(request: InjectOptions) {
    const headers = { host: "fleet.bench", ...request.headers };
    const answer = await this.#server.app.inject({ ...request, headers });
    if (answer.statusCode >= 300)
      throw new Error(`${request.method} ${request.url}: ${answer.statusCode} ${answer.body}`);
    return answer;
  }
}

function headersOf({ token, running }: SyntheticDevice): Record<string, string> {
  return { authorization: `TargetToken ${token}`, "sluice-running": running };
}

function pathOf(url: string | null): string | null {
  return url === null ? null : new URL(url).pathname;
}

import type { JsonObject } from "../../../src/protocol/json.ts";
import type { DeviceLayout } from "../../flash/layout.ts";
import type { AddedDeviceAnswer } from "../../fleet/routes/management/schemas/devices.ts";
import type { NewRolloutBody } from "../../fleet/routes/management/schemas/rollouts.ts";
import { makeConfiguration, sealConfiguration } from "../../release/configuration.ts";
import { nodeCrypto } from "../../release/node-crypto.ts";
import { LocalFleet } from "../../simulator/local-fleet.ts";
import { LoopbackNetwork } from "../../simulator/loopback-network.ts";
import type { Network } from "../../simulator/network.ts";
import { type NewDevice, World, type WorldDevice } from "../../simulator/world.ts";
import type { Page } from "../server/answer-shape.ts";
import { FleetClient } from "../server/fleet-client.ts";
import type { DeviceView, RolloutView } from "../server/fleet-views.ts";
import { ImageFactory, type WantedImage } from "./images.ts";

export interface SessionOptions {
  /** Holds the database and the images of the fleet. */
  readonly directory: string;
  readonly port: number;
  readonly seed: number;
  readonly layout: DeviceLayout;
  readonly pollSeconds: number;
  /** The budget of a turn, as `World` takes it. */
  readonly turnBudgetMs?: number | null;
  /** Puts itself between the devices and the real network. */
  readonly network?: (real: Network, session: Session) => Network;
}

const tenant = "DEFAULT";
const startUnixMs = Date.UTC(2027, 0, 4, 9);
/** The page size that the server allows. */
const devicesPerPage = 500;

/**
 * A fleet server and devices in one virtual time, and the operator who drives the server over its
 * management API.
 */
export class Session {
  readonly world: World;
  readonly images: ImageFactory;
  readonly #options: SessionOptions;
  readonly #loopback = new LoopbackNetwork();
  #fleet: LocalFleet | null = null;
  #url = "";
  #client: FleetClient | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.images = new ImageFactory(options.layout, options.seed);
    this.world = new World({
      seed: options.seed,
      startUnixMs,
      layout: options.layout,
      imageKeys: [this.images.key],
      network: options.network?.(this.#loopback, this) ?? this.#loopback,
      crypto: nodeCrypto,
      serverUrl: () => this.url,
      tenant,
      ...(options.turnBudgetMs === undefined ? {} : { turnBudgetMs: options.turnBudgetMs }),
    });
  }

  /** The address of the fleet; empty before `open`. */
  get url(): string {
    return this.#url;
  }

  get nowMs(): number {
    return this.world.scheduler.nowMs;
  }

  async open(): Promise<void> {
    await this.#serve(this.#options.port);
  }

  /**
   * Stops the server, as whoever restarts it does, and starts it again after so long a virtual
   * time.
   */
  async stopServer(awayMs: number): Promise<void> {
    const port = Number(new URL(this.#url).port);
    await this.#fleet?.close();
    this.#fleet = null;
    this.world.scheduler.after(awayMs, () => this.#serve(port));
  }

  async #serve(port: number): Promise<void> {
    this.#fleet = await LocalFleet.start({
      directory: this.#options.directory,
      scheduler: this.world.scheduler,
      pollSeconds: this.#options.pollSeconds,
      imageKeys: [this.images.publicPem],
      tenant,
      port,
    });
    this.#url = this.#fleet.url;
    this.#client = new FleetClient({ fleet: this.#url });
  }

  async close(): Promise<void> {
    this.world.close();
    await this.#loopback.close();
    await this.#fleet?.close();
  }

  async publish(wanted: WantedImage): Promise<Uint8Array> {
    const image = await this.images.build(wanted);
    await this.client.postBytes("/releases/images", image);
    return image;
  }

  /** A configuration document, signed by the key of the images. */
  async publishConfiguration(document: JsonObject): Promise<void> {
    const made = makeConfiguration(document, {});
    if (!made.ok) throw new TypeError(made.message);
    const sealed = await sealConfiguration(made.document, this.images.signer);
    if (!sealed.ok) throw new TypeError(sealed.message);
    await this.client.postBytes("/configurations", sealed.envelope);
  }

  /** Registers a device with the server and makes it. */
  async addDevice(device: Omit<NewDevice, "token">): Promise<WorldDevice> {
    const { id, hardware } = device;
    const { token } = await this.client.post<AddedDeviceAnswer>("/devices", { id, hardware });
    return this.world.add({ ...device, token });
  }

  async devices(): Promise<DeviceView[]> {
    const all: DeviceView[] = [];
    let after = "";
    // Bounded by the fleet: every page but the last one has a successor.
    for (;;) {
      const path = `/devices?limit=${devicesPerPage}${after}`;
      const page = await this.client.get<Page<DeviceView>>(path);
      all.push(...page.items);
      if (page.next === null) return all;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  }

  createRollout(wanted: NewRolloutBody): Promise<RolloutView> {
    return this.client.post("/rollouts", { start: true, ...wanted });
  }

  rollout(id: number): Promise<RolloutView> {
    return this.client.get(`/rollouts/${id}`);
  }

  /**
   * Lets virtual time pass until `done`, asked every `everyMs`; false when the limit comes first.
   */
  async until(limitMs: number, everyMs: number, done: () => Promise<boolean>): Promise<boolean> {
    const { scheduler } = this.world;
    const endMs = scheduler.nowMs + limitMs;
    while (scheduler.nowMs < endMs) {
      const wakeMs = scheduler.nowMs + everyMs;
      scheduler.after(everyMs, () => {});
      await scheduler.runUntil(() => scheduler.nowMs >= wakeMs, wakeMs);
      if (await done()) return true;
    }
    return false;
  }

  private get client(): FleetClient {
    if (this.#client === null) throw new Error("the session is not open");
    return this.#client;
  }
}

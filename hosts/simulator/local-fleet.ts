import { createServer } from "node:net";
import { join } from "node:path";
import { createFleet, type FleetServer } from "../fleet/app.ts";
import type { FleetClock } from "../fleet/time/clock.ts";
import type { FleetTrustOptions } from "../fleet/trust/fleet-trust.ts";
import type { Scheduler } from "./scheduler.ts";

export interface LocalFleetOptions {
  /** Holds the database and the images. */
  readonly directory: string;
  readonly scheduler: Scheduler;
  readonly pollSeconds: number;
  /** Public keys in PEM. */
  readonly imageKeys: readonly string[];
  readonly tenant: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The scheduler's when absent: another one is wrong. */
  readonly clock?: FleetClock;
  /** Signed metadata and the online key, for devices that go by them. */
  readonly trust?: FleetTrustOptions;
}

/** How often the server looks at its rollouts, in virtual time. */
const tickMs = 300_000;

/** The real fleet server on loopback, living in the virtual time of a simulation. */
export class LocalFleet {
  readonly url: string;
  readonly #server: FleetServer;
  readonly #stopTicking: () => void;

  static async start(options: LocalFleetOptions): Promise<LocalFleet> {
    const port = options.port === 0 ? await freePort() : options.port;
    const url = `http://127.0.0.1:${port}`;
    const server = await createFleet({
      databaseFile: join(options.directory, "fleet.sqlite"),
      durability: "off", // nothing but this process can fail here, and thousands of devices write much
      artifactsFolder: join(options.directory, "artifacts"),
      clock: options.clock ?? options.scheduler,
      simulatedTime: true,
      pollSeconds: options.pollSeconds,
      tenant: options.tenant,
      imageKeys: options.imageKeys,
      externalUrl: url,
      ...(options.trust && { trust: options.trust }),
    });
    await server.app.listen({ port, host: "127.0.0.1" });
    return new LocalFleet(url, server, options.scheduler);
  }

  private constructor(url: string, server: FleetServer, scheduler: Scheduler) {
    this.url = url;
    this.#server = server;
    let ticking = true;
    const tick = async (): Promise<void> => {
      if (!ticking) return;
      await server.tick();
      scheduler.after(tickMs, tick);
    };
    scheduler.after(tickMs, tick);
    this.#stopTicking = () => {
      ticking = false;
    };
  }

  /** Lets rollouts go on as far as the virtual clock says. */
  tick(): Promise<void> {
    return this.#server.tick();
  }

  async close(): Promise<void> {
    this.#stopTicking();
    await this.#server.close();
  }
}

/** Devices get absolute addresses, so the port must be known before the server listens on it. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        resolve(address !== null && typeof address === "object" ? address.port : 0),
      );
    });
  });
}

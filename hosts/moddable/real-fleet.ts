import { mkdirSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { createServer as createSecureServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createFleet, type FleetServer } from "../fleet/app.ts";
import { systemClock } from "../fleet/time/clock.ts";
import type { FleetTrustOptions } from "../fleet/trust/fleet-trust.ts";

/** What a device asked for, as the wire showed it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
}

/** What the management API tells, as far as it is looked at here. */
export interface FleetDevice {
  readonly running: { readonly version: string } | null;
  readonly state: string;
  readonly reason: string | null;
  readonly attributes: Readonly<Record<string, string>>;
}

/** In PEM: what the server shows, and whose certificates it asks of devices. */
export type SecureServerOptions = Pick<
  ServerOptions,
  "cert" | "key" | "ca" | "requestCert" | "rejectUnauthorized"
>;

interface Rollout {
  readonly id: number;
  readonly stages: readonly { readonly counts: Readonly<Record<string, number>> }[];
}

/** What node says of a connection that ended without a word about TLS. */
const connectionIsGone: readonly string[] = ["ECONNRESET", "EPIPE"];
const pollSeconds = 1;
const tickMs = 500;
const lookMs = 200;
/** More signs of progress than any update gives. */
const renewalsMax = 10_000;

/** The real fleet server in real time, behind a proxy that writes down what devices ask. */
export class RealFleet {
  readonly url: string;
  readonly requests: SeenRequest[] = [];
  /** What devices get for their next requests in place of an answer, byte by byte. */
  readonly insteadOfAnswers: string[] = [];
  /** Handshakes that one side refused, and why. */
  readonly refusedHandshakes: string[] = [];
  /** Handshakes that nobody refused: a device that restarts leaves one where it was. */
  cutHandshakes = 0;
  /** Answers with 429: the device tells more, and for longer, than the server takes of one. */
  pausedAnswers = 0;
  readonly #api: string;
  readonly #server: FleetServer;
  readonly #proxy: Server;
  readonly #ticking: NodeJS.Timeout;

  static async start(
    directory: string,
    publicPem: string,
    secure?: SecureServerOptions,
    trust?: FleetTrustOptions,
  ): Promise<RealFleet> {
    mkdirSync(directory, { recursive: true });
    const proxy = secure === undefined ? createServer() : createSecureServer(secure);
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const scheme = secure === undefined ? "http" : "https";
    const url = `${scheme}://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const server = await createFleet({
      databaseFile: join(directory, "fleet.sqlite"),
      artifactsFolder: join(directory, "artifacts"),
      clock: systemClock,
      pollSeconds,
      imageKeys: [publicPem],
      externalUrl: url,
      ...(trust && { trust }),
    });
    await server.app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = server.app.server.address() as AddressInfo;
    return new RealFleet(url, server, proxy, port);
  }

  private constructor(url: string, server: FleetServer, proxy: Server, port: number) {
    this.url = url;
    this.#api = `http://127.0.0.1:${port}`;
    this.#server = server;
    this.#proxy = proxy;
    this.#ticking = setInterval(() => void server.tick(), tickMs);
    proxy.on("tlsClientError", (error: NodeJS.ErrnoException) => {
      if (connectionIsGone.includes(error.code ?? "")) this.cutHandshakes += 1;
      else this.refusedHandshakes.push(error.message);
    });
    proxy.on("request", (incoming, outgoing) => {
      const instead = this.#note(incoming) ? this.insteadOfAnswers.shift() : undefined;
      if (instead !== undefined) {
        incoming.socket.end(instead);
        return;
      }
      const { method, url: path, headers } = incoming;
      const forward = request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
        if (answer.statusCode === 429) this.pausedAnswers += 1;
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      // A device that was switched off, or a server that is closing: the other side hears of it the
      // same way.
      forward.on("error", () => outgoing.destroy());
      outgoing.on("close", () => forward.destroy());
      incoming.pipe(forward);
    });
  }

  /** Where operators ask. */
  get managementUrl(): string {
    return this.#api;
  }

  async addDevice(id: string, hardware: string): Promise<string> {
    return (await this.#post<{ token: string }>("/devices", { id, hardware })).token;
  }

  async publish(image: Uint8Array): Promise<void> {
    await this.#call("/releases/images", {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: image as Uint8Array<ArrayBuffer>,
    });
  }

  /** A rollout to everybody at once, without a soak. */
  async rollOut(releaseVersion: string): Promise<number> {
    const { id } = await this.#post<Rollout>("/rollouts", {
      name: `to ${releaseVersion}`,
      releaseVersion,
      start: true,
      stages: [{ percent: 100, soakSeconds: 0 }],
      haltThreshold: { rolledBackShare: 1, failedShare: 1 },
    });
    return id;
  }

  device(id: string): Promise<FleetDevice> {
    return this.#call(`/devices/${id}`, {});
  }

  /** How many devices of a rollout are in a state. */
  async count(rollout: number, state: string): Promise<number> {
    const { stages } = await this.#call<Rollout>(`/rollouts/${rollout}`, {});
    return stages.reduce((sum, stage) => sum + (stage.counts[state] ?? 0), 0);
  }

  /** The ranges of images that were asked for, oldest first. */
  get ranges(): string[] {
    return this.requests.flatMap(({ range }) => (range === null ? [] : [range]));
  }

  async close(): Promise<void> {
    clearInterval(this.#ticking);
    this.#proxy.closeAllConnections();
    await new Promise((resolve) => this.#proxy.close(resolve));
    await this.#server.close();
  }

  #post<T>(path: string, body: object): Promise<T> {
    const headers = { "content-type": "application/json" };
    return this.#call(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async #call<T>(path: string, request: RequestInit): Promise<T> {
    const response = await fetch(`${this.#api}/api/v1${path}`, request);
    const text = await response.text();
    if (!response.ok) throw new Error(`the fleet answers ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  /** Answers whether a device asks, and not an operator. */
  #note(incoming: IncomingMessage): boolean {
    const { method = "", url: path = "", headers } = incoming;
    if (path.startsWith("/api/")) return false;
    this.requests.push({ method, path, range: headers.range ?? null });
    return true;
  }
}

/**
 * Looks until `done` says so; throws with what it waited for when the limit comes first. The limit
 * begins anew whenever
 * `progress` answers something else: a busy machine makes a device slow, and never silent.
 */
export async function until(
  what: string,
  limitSeconds: number,
  done: () => boolean | Promise<boolean>,
  progress: () => number = () => 0,
): Promise<void> {
  let seen = progress();
  let renewals = 0;
  let endMs = performance.now() + limitSeconds * 1000;
  while (performance.now() < endMs) {
    if (await done()) return;
    await sleep(lookMs);
    if (progress() === seen || renewals === renewalsMax) continue;
    seen = progress();
    renewals += 1;
    endMs = performance.now() + limitSeconds * 1000;
  }
  throw new Error(`waited ${limitSeconds} s for: ${what}`);
}

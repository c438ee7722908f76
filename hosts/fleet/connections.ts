import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server, Socket } from "node:net";

/** How long clients may take over what, and how many there may be. */
export interface ConnectionLimits {
  /** From the first moment of a connection, or of a request on it, to the end of its headers. */
  readonly headersMs: number;
  /** To the end of its body: an image of 16 MiB at 0.5 Mbit/s. */
  readonly requestMs: number;
  /** For the next request; longer than common proxies keep a connection that they do not use. */
  readonly keepAliveMs: number;
  /** Nothing comes and nothing of an answer is taken. */
  readonly idleMs: number;
  readonly tlsHandshakeMs: number;
  /** How often connections are looked through. */
  readonly checkEveryMs: number;
  readonly connectionsMax: number;
  /** A server that stops lets requests end for so long, then ends their connections. */
  readonly drainMs: number;
  /** All of a stop. */
  readonly stopMs: number;
}

export const connectionLimits: ConnectionLimits = {
  headersMs: 20_000,
  requestMs: 300_000,
  keepAliveMs: 65_000,
  idleMs: 75_000,
  tlsHandshakeMs: 20_000,
  checkEveryMs: 5_000,
  connectionsMax: 20_000,
  drainMs: 5_000,
  stopMs: 9_500,
};

/** What Node's servers take when they are made. */
export function serverOptions(limits: ConnectionLimits) {
  return {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkEveryMs,
    keepAliveTimeout: limits.keepAliveMs,
  } as const;
}

/** Every connection of a server, also those that have not asked for anything yet. */
export class Connections {
  /** By the other end, since a request over TLS has another socket than its connection. */
  readonly #open = new Map<string, Socket>();
  readonly #underWay = new Map<string, number>();
  #isDraining = false;

  constructor(server: Server, limits: ConnectionLimits) {
    server.maxConnections = limits.connectionsMax;
    server.on("connection", (socket: Socket) => {
      const end = otherEnd(socket);
      this.#open.set(end, socket);
      socket.once("close", () => {
        this.#open.delete(end);
        this.#underWay.delete(end);
      });
    });
    server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
      const end = otherEnd(socket);
      this.#count(end, 1);
      response.once("close", () => this.#count(end, -1));
    });
  }

  /** Ends every connection as soon as no request is under way on it. */
  drain(): void {
    this.#isDraining = true;
    for (const [end, socket] of this.#open) if (!this.#underWay.has(end)) socket.destroy();
  }

  get count(): number {
    return this.#open.size;
  }

  destroyAll(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  #count(end: string, change: number): void {
    const underWay = (this.#underWay.get(end) ?? 0) + change;
    if (underWay > 0) this.#underWay.set(end, underWay);
    else this.#underWay.delete(end);
    if (underWay <= 0 && this.#isDraining) this.#open.get(end)?.destroySoon();
  }
}

function otherEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

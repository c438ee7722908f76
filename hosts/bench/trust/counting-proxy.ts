import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * Hands connections on to a port of this machine and counts what crosses them, in both directions.
 */
export class CountingProxy {
  bytes = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async to(port: number): Promise<CountingProxy> {
    const proxy = new CountingProxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      this.#carry(near, far);
      this.#carry(far, near);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Waits until every connection has ended, so that all of it is counted. */
  async settled(): Promise<void> {
    for (const socket of this.#sockets) if (!socket.closed) await once(socket, "close");
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on("data", (piece) => {
      this.bytes += piece.length;
    });
    // A side that breaks off takes the other one with it; the exchange fails at its own end.
    from.on("error", () => to.destroy());
    from.on("close", () => this.#sockets.delete(from));
    from.pipe(to);
  }
}

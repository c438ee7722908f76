import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { ServerTrust } from "../../src/tls/server-certificate.ts";
import type { TlsRefusal } from "../../src/tls/server-flight.ts";
import { ServerRecords } from "../../src/tls/server-records.ts";

/**
 * Heads of a record and of its message, and the version; then comes the random of a client's hello.
 */
const randomOffsetBytes = 11;
const randomBytes = 32;

/**
 * The connection below node's TLS, with the server's part of the handshake under the eyes of the
 * firmware's own judge, byte for byte as it was sent: node puts a chain in order before it shows
 * it. A server that is refused ends with `RefusedServer`, and node's TLS sees nothing of its last
 * words.
 */
export class JudgedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #records: ServerRecords;
  #clientRandom = new Uint8Array(0);

  constructor(socket: Socket, trust: ServerTrust) {
    super();
    this.#socket = socket;
    this.#records = new ServerRecords(trust);
    socket.on("data", (bytes: Buffer) => {
      const refusal = this.#judge(bytes);
      if (refusal !== null) this.destroy(new RefusedServer(refusal));
      else if (!this.push(bytes)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#clientRandom.length === 0)
      this.#clientRandom = Uint8Array.from(
        bytes.subarray(randomOffsetBytes, randomOffsetBytes + randomBytes),
      );
    this.#socket.write(bytes, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  /** Until the server's last plain message: what follows is encrypted, or between it and node. */
  #judge(bytes: Buffer): TlsRefusal | null {
    let at = 0;
    const from = {
      readable: bytes.length,
      read(into: Uint8Array): void {
        into.set(bytes.subarray(at, at + into.length));
        at += into.length;
      },
    };
    while (this.#records.flight.isPlain) {
      const taken = this.#records.take(from, this.#clientRandom);
      if (typeof taken === "string") return taken;
      if (taken === null) return null;
    }
    return null;
  }
}

/** The message is the reason. */
export class RefusedServer extends Error {
  readonly reason: TlsRefusal;

  constructor(reason: TlsRefusal) {
    super(reason);
    this.reason = reason;
  }
}

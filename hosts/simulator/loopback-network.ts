import { connect, type Socket } from "node:net";
import { ResponseReader } from "../../src/protocol/http-response.ts";
import type { HttpCall } from "./board/host-calls.ts";
import { requestText } from "./http-text.ts";
import type { Network, NetworkAnswer } from "./network.ts";
import { secureConnection } from "./secure-connection.ts";

/** More than any image: an answer beyond it is cut as by a broken connection. */
const answerBytesMax = 32 * 1024 * 1024;
const pieceBytes = 8192;

/** Real HTTP and HTTPS to servers on this machine, a connection per request, as on a board. */
export class LoopbackNetwork implements Network {
  readonly #open = new Set<Socket>();
  readonly #silenceMsMax: number;

  /** A server that says nothing for so long of this machine's time counts as gone. */
  constructor(silenceMsMax = 30_000) {
    this.#silenceMsMax = silenceMsMax;
  }

  async exchange(call: HttpCall, body: Uint8Array): Promise<NetworkAnswer> {
    const connected = await this.#connected(call);
    if ("kind" in connected) return connected;
    this.#open.add(connected);
    try {
      return await asked(connected, call, body, this.#silenceMsMax);
    } finally {
      this.#open.delete(connected);
      connected.destroy();
    }
  }

  close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    return Promise.resolve();
  }

  #connected(call: HttpCall): Promise<Socket | NetworkAnswer> {
    if (call.secure !== null) return secureConnection(call, call.secure);
    const { host, port } = call;
    return new Promise((resolve) => {
      const socket = connect({ host, port });
      socket.once("connect", () => resolve(socket));
      socket.once("error", () => resolve({ kind: "unreachable" }));
    });
  }
}

/**
 * Sends the request and collects what comes until the answer is whole or the connection over. The
 * reader only tells when to stop: the device gets the bytes as they came.
 */
function asked(
  socket: Socket,
  call: HttpCall,
  body: Uint8Array,
  silenceMsMax: number,
): Promise<NetworkAnswer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const reader = new ResponseReader(call.method, { head: () => true, body: () => true });
    const ended = (closes: boolean): void => {
      const segments = inPieces(Buffer.concat(parts));
      resolve(segments.length === 0 ? { kind: "unreachable" } : { kind: "raw", segments, closes });
    };
    socket.on("data", (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      if (reader.take(part) !== "reading" || bytes > answerBytesMax) ended(bytes > answerBytesMax);
    });
    socket.on("error", () => ended(true));
    socket.on("close", () => ended(true));
    socket.setTimeout(silenceMsMax, () => ended(true));
    socket.write(Buffer.concat([Buffer.from(requestText(call), "latin1"), body]));
  });
}

function inPieces(whole: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < whole.length; offset += pieceBytes)
    pieces.push(whole.subarray(offset, offset + pieceBytes));
  return pieces;
}

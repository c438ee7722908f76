import { type HttpCall, hostEvent, message, type SocketCall } from "./board/host-calls.ts";
import type { OpenHandles } from "./board/open-handles.ts";
import { answerBytes } from "./http-text.ts";
import type { Network, NetworkAnswer } from "./network.ts";
import { RequestCollector } from "./request-collector.ts";

/** One way over the network, and what it carries in a second. */
const latencyMs = 40;
const bytesPerSecond = 100_000;
/** Delivered at a time where an answer does not say otherwise. */
const pieceBytes = 8192;

export interface SocketTools {
  readonly network: Network;
  readonly open: OpenHandles;
  schedule(delayMs: number, run: () => void | Promise<void>): void;
  turn(event: Uint8Array): Promise<void>;
}

/**
 * The sockets of one boot: what the firmware writes is collected to requests, and the network's
 * answers come back as bytes, in pieces and at the pace of a slow link.
 */
export class BoardSockets {
  readonly #tools: SocketTools;
  readonly #open = new Map<number, RequestCollector>();

  constructor(tools: SocketTools) {
    this.#tools = tools;
  }

  get count(): number {
    return this.#open.size;
  }

  open(id: number, call: SocketCall): void {
    const collector = new RequestCollector(call);
    this.#open.set(id, collector);
    this.#tools.open.opened("socket");
    // The way to the server and back is counted with the request.
    this.#deliver(id, 0, message(hostEvent.socketWritable, [["u32", id]]));
  }

  write(id: number, bytes: Uint8Array): void {
    const request = this.#open.get(id)?.take(bytes);
    if (request === undefined || request === null) return;
    const { call, body } = request;
    const sendMs = latencyMs + (1000 * body.length) / bytesPerSecond;
    this.#tools.schedule(sendMs, async () => {
      const answer = await this.#tools.network.exchange(call, body);
      this.#answer(id, call, answer);
    });
  }

  close(id: number): void {
    if (this.#open.delete(id)) this.#tools.open.closed("socket");
  }

  /** With the boot that it belongs to. */
  end(): void {
    this.#open.clear();
  }

  #answer(id: number, call: HttpCall, answer: NetworkAnswer): void {
    const over = message(hostEvent.socketOver, [["u32", id]]);
    if (answer.kind === "unreachable") {
      this.#deliver(id, latencyMs, over);
      return;
    }
    if (answer.kind === "untrusted") {
      const reason = new TextEncoder().encode(answer.reason);
      const event = message(hostEvent.socketUntrusted, [["u32", id]], reason);
      this.#deliver(id, latencyMs, event);
      return;
    }
    const pieces = piecesOf(call, answer);
    const pace = (answer.kind === "response" ? answer.bytesPerSecond : null) ?? bytesPerSecond;
    let delayMs = latencyMs;
    for (const [index, piece] of pieces.bytes.entries()) {
      delayMs += (1000 * piece.length) / pace;
      const isLast = pieces.closes && index === pieces.bytes.length - 1;
      const fields = [["u32", id] as const, ["u8", isLast ? 1 : 0] as const];
      this.#deliver(id, delayMs, message(hostEvent.socketReadable, fields, piece));
    }
    if (pieces.bytes.length === 0 && pieces.closes) this.#deliver(id, delayMs, over);
  }

  /** One turn for a socket that is still open at that time. */
  #deliver(id: number, delayMs: number, event: Uint8Array): void {
    this.#tools.schedule(delayMs, () => {
      if (!this.#open.has(id)) return undefined;
      return this.#tools.turn(event);
    });
  }
}

interface Pieces {
  readonly bytes: readonly Uint8Array[];
  /** The connection ends behind the last. */
  readonly closes: boolean;
}

function piecesOf(
  call: HttpCall,
  answer: Extract<NetworkAnswer, { kind: "response" | "raw" }>,
): Pieces {
  if (answer.kind === "raw") return { bytes: answer.segments, closes: answer.closes };
  const whole = answerBytes(call.method, answer);
  const bytes: Uint8Array[] = [];
  for (let offset = 0; offset < whole.length; offset += pieceBytes)
    bytes.push(whole.subarray(offset, offset + pieceBytes));
  return { bytes, closes: true };
}

import type { ServerTrust } from "./server-certificate.ts";
import { contentType, ServerFlight, type TlsRefusal } from "./server-flight.ts";

/** Where a server's bytes are read from; who reads counts down what is left. */
export interface Readable {
  readable: number;
  read(into: Uint8Array): void;
}

const recordHeadBytes = 5;
const messageHeadBytes = 4;
/** Content of a record (RFC 5246, 6.2.3), or less where the server grants what this client asks. */
const recordBytesMax = 16_384 + 256;
/**
 * The longest message of the handshake, or several in one record: a chain of certificates is the
 * most.
 */
export const messageBytesMax = 8192;

/**
 * The records of a server, one by one and each judged by the flight. Messages of a handshake that
 * are spread over several records, which the SDK does not read, become one record.
 */
export class ServerRecords {
  readonly flight: ServerFlight;
  readonly #head = new Uint8Array(recordHeadBytes);
  /** The one that comes in, head included; null between two. */
  #record: Uint8Array | null = null;
  /** How much of the head, or then of the record, was read. */
  #filled = 0;
  /**
   * Records of which the last message is not whole, as one; its first `#joined` bytes are there.
   */
  #begun: Uint8Array | null = null;
  #joined = 0;

  constructor(trust: ServerTrust) {
    this.flight = new ServerFlight(trust);
  }

  /** The next record with its head, why it was refused, or null while it is not whole. */
  take(from: Readable, clientRandom: Uint8Array): Uint8Array | TlsRefusal | null {
    // Bounded by what arrived.
    for (;;) {
      const record = this.#takeRecord(from);
      if (record === null || typeof record === "string") return record;
      const whole = this.#withWholeMessages(record);
      if (whole === null) continue;
      if (typeof whole === "string") return whole;
      const [type = 0] = whole;
      return this.flight.take(type, whole.subarray(recordHeadBytes), clientRandom) ?? whole;
    }
  }

  #takeRecord(from: Readable): Uint8Array | TlsRefusal | null {
    if (this.#record === null) {
      if (!this.#fill(from, this.#head)) return null;
      const [, major = 0, , high = 0, low = 0] = this.#head;
      const contentBytes = high * 256 + low;
      if (major !== 3 || contentBytes > recordBytesMax) return "handshake-malformed";
      if (this.flight.isPlain && contentBytes > messageBytesMax) return "handshake-too-large";
      this.#record = new Uint8Array(recordHeadBytes + contentBytes);
      this.#record.set(this.#head);
    }
    const record = this.#record;
    if (!this.#fill(from, record)) return null;
    this.#record = null;
    this.#filled = 0;
    return record;
  }

  /** Answers whether it is full. */
  #fill(from: Readable, into: Uint8Array): boolean {
    const bytes = Math.min(into.length - this.#filled, from.readable);
    if (bytes > 0) {
      from.read(into.subarray(this.#filled, this.#filled + bytes));
      from.readable -= bytes;
      this.#filled += bytes;
    }
    return this.#filled === into.length;
  }

  /** Null while a message goes on in the next record. */
  #withWholeMessages(record: Uint8Array): Uint8Array | TlsRefusal | null {
    const isOfMessages = record[0] === contentType.handshake && this.flight.isPlain;
    if (!isOfMessages) return this.#begun === null ? record : "handshake-malformed";
    const more = this.#begun === null ? record : record.subarray(recordHeadBytes);
    const joinedBytes = this.#joined + more.length;
    const begun = withRoom(this.#begun ?? record, joinedBytes);
    begun.set(more, this.#joined);
    const wantedBytes = endOfMessages(begun.subarray(0, joinedBytes));
    if (wantedBytes > recordHeadBytes + messageBytesMax) return "handshake-too-large";
    const isWhole = wantedBytes === joinedBytes;
    this.#begun = isWhole ? null : withRoom(begun, wantedBytes);
    this.#joined = isWhole ? 0 : joinedBytes;
    if (isWhole) setContentBytes(begun, joinedBytes - recordHeadBytes);
    return isWhole ? begun : null;
  }
}

function withRoom(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

/** Where the last message of a record ends, or at least its head. */
function endOfMessages(record: Uint8Array): number {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  let offset = recordHeadBytes;
  // Bounded: a message has four bytes at least.
  while (offset + messageHeadBytes <= record.length)
    offset += messageHeadBytes + (view.getUint32(offset) & 0xff_ffff);
  return offset < record.length ? offset + messageHeadBytes : offset;
}

function setContentBytes(record: Uint8Array, contentBytes: number): void {
  record[3] = contentBytes >> 8;
  record[4] = contentBytes & 0xff;
}

import Curve from "curve";
import ECDSA from "ecdsa";
import ECPoint from "ecp";
import rng from "rng";
import board from "sluice/board";
import type { SecureOptions } from "sluice/secure-socket";
import handshake from "ssl/handshake";
import Session, { type Link } from "ssl/session";
import SSLStream from "ssl/stream";
import { isOf } from "../image/text-parts.ts";
import { contentType, ServerFlight, type TlsRefusal } from "../tls/server-flight.ts";
import { integerOf, nativeCrypto, p256Order } from "./crypto.ts";

/** A handshake that was refused; the message is the reason. */
export class TlsError extends Error {
  override readonly name = "TlsError";

  constructor(reason: TlsRefusal) {
    super(reason);
  }
}

const recordHeadBytes = 5;
const messageHeadBytes = 4;
/** Content of a record (RFC 5246, 6.2.3), or less where the server grants what this client asks. */
const recordBytesMax = 16_384 + 256;
/** Small, since a record is held as a whole. */
const wantedRecordBytesMax = 1024;
/** Of messages that are spread over records: a chain of certificates is the most. */
const messagesBytesMax = 8192;
const scalarBytes = 32;
/** Of the SDK's session; it deletes others itself. */
const handshakeProperties = [
  "options",
  "dhparams",
  "clientRandom",
  "serverRandom",
  "masterSecret",
  "handshakeDigests",
] as const;

/** Draws until a number fits; one in 2^32 does not. */
const drawsMax = 4;

/**
 * The SDK's TLS session under guard. It computes; what it is given and what it believes is decided
 * here and in `ServerFlight`, because by itself it
 * - takes the first certificate of a chain without a proof when another one in it is good,
 * - takes a key exchange without a signature, messages in any order, and a session as established
 *   when the server says goodbye in plain text,
 * - draws its keys from a generator that starts the same at each boot,
 * - signs with RSA alone.
 */
export class SecureSession extends Session {
  readonly #flight: ServerFlight;
  #client: SecureOptions["client"];
  readonly #head = new Uint8Array(recordHeadBytes);
  #record: Uint8Array | null = null;
  /** Records of which the last message is not whole, as one. */
  #begun: Uint8Array | null = null;
  #filled = 0;

  constructor(secure: SecureOptions) {
    super({
      protocolVersion: 0x303,
      cache: false,
      tls_max_fragment_length: wantedRecordBytesMax,
      ...(isAddress(secure.serverName) ? {} : { serverName: secure.serverName }),
    });
    const { authorities, serverName, unixMs, client } = secure;
    this.#flight = new ServerFlight({ authorities, serverName, unixMs, crypto: nativeCrypto });
    this.#client = client;
    this.certificateManager = new FlightCertificates(this.#flight, client);
    this.initiateHandshake();
  }

  get isEstablished(): boolean {
    return this.#flight.isEstablished;
  }

  /** One step of the handshake; false when it waits for the server. Throws `TlsError`. */
  step(link: Link): boolean {
    const readableBefore = link.readable;
    const processBefore = this.handshakeProcess;
    rng.init(board.entropy(scalarBytes));
    const isOver = this.handshake(link);
    if (this.alert !== undefined) throw new TlsError("refused-by-server");
    // The session answers "over" only behind the server's finished message; the flight knows better.
    if (isOver) this.#established();
    return isOver || link.readable !== readableBefore || this.handshakeProcess !== processBefore;
  }

  /** Gives back what only the handshake needed; the session keeps it as long as it lives. */
  #established(): void {
    this.#flight.established();
    this.#client = null;
    for (const name of handshakeProperties) delete this[name];
  }

  /**
   * In place of the SDK's: bounded, every record goes by the flight first, and messages that are
   * spread over several records, which the SDK does not read, become one.
   */
  override readPacket(link: Link): ArrayBuffer | undefined {
    // Bounded by what arrived.
    for (let record = this.#takeRecord(link); record !== null; record = this.#takeRecord(link)) {
      const whole = this.#withWholeMessages(record);
      if (whole === null) continue;
      const random = new Uint8Array(this.clientRandom ?? new ArrayBuffer(0));
      const refusal = this.#flight.take(whole[0] ?? 0, whole.subarray(recordHeadBytes), random);
      if (refusal !== null) throw new TlsError(refusal);
      return whole.buffer as ArrayBuffer;
    }
    return undefined;
  }

  /** The next record, or null while it is not whole. */
  #takeRecord(link: Link): Uint8Array | null {
    if (this.#record === null) {
      if (!this.#fill(link, this.#head)) return null;
      const [, major = 0, , high = 0, low = 0] = this.#head;
      const contentBytes = high * 256 + low;
      if (major !== 3 || contentBytes > recordBytesMax) throw new TlsError("handshake-malformed");
      this.#record = new Uint8Array(recordHeadBytes + contentBytes);
      this.#record.set(this.#head);
    }
    const record = this.#record;
    if (!this.#fill(link, record)) return null;
    this.#record = null;
    this.#filled = 0;
    return record;
  }

  /** Null while a message goes on in the next record. */
  #withWholeMessages(record: Uint8Array): Uint8Array | null {
    const begun = this.#begun;
    const isOfMessages = record[0] === contentType.handshake && this.#flight.isPlain;
    if (!isOfMessages) {
      if (begun !== null) throw new TlsError("handshake-malformed");
      return record;
    }
    const joined = begun === null ? record : join(begun, record.subarray(recordHeadBytes));
    if (joined.length > messagesBytesMax) throw new TlsError("handshake-malformed");
    const isWhole = endsWithMessage(joined);
    this.#begun = isWhole ? null : joined;
    return isWhole ? joined : null;
  }

  override doProtocol(link: Link, protocol: object, first?: unknown, second?: unknown): void {
    if (protocol === handshake.certificateVerify) link.write(this.#certificateVerify());
    else super.doProtocol(link, protocol, first, second);
  }

  /** Answers whether it is full. */
  #fill(link: Link, into: Uint8Array): boolean {
    const bytes = Math.min(into.length - this.#filled, link.readable);
    if (bytes > 0) {
      link.read(into.subarray(this.#filled, this.#filled + bytes));
      link.readable -= bytes;
      this.#filled += bytes;
    }
    return this.#filled === into.length;
  }

  /** CertificateVerify (RFC 5246, 7.4.8) with ECDSA and SHA-256. */
  #certificateVerify(): Uint8Array {
    const digest = this.handshakeDigests?.SHA256.close(true);
    if (digest === undefined || this.#client === null) throw new TlsError("handshake-malformed");
    const secret = integerOf(this.#client.privateKey);
    // The SDK's class takes the private key where it takes the point of a public one.
    const signer = new ECDSA(secret as unknown as ECPoint, new Curve("secp256r1"));
    signer.k = drawScalar();
    const signature = signer.sign(digest, true);
    const body = new SSLStream();
    body.writeChars(0x0403, 2);
    body.writeChars(signature.byteLength, 2);
    body.writeChunk(signature);
    return handshake.packetize(this, handshake.certificateVerify.msgType, body);
  }
}

/** What the session asks of its certificates, once the flight has judged them. */
class FlightCertificates {
  readonly #flight: ServerFlight;
  readonly #client: SecureOptions["client"];

  constructor(flight: ServerFlight, client: SecureOptions["client"]) {
    this.#flight = flight;
    this.#client = client;
  }

  verify(): boolean {
    return this.#flight.publicKey !== null;
  }

  register(): void {}

  getKey(): object {
    const point = this.#flight.publicKey;
    if (point === null) throw new TlsError("certificate-untrusted");
    const [x, y] = [integerOf(point.subarray(1, 33)), integerOf(point.subarray(33))];
    return { pub: new ECPoint(x, y), curve: new Curve("secp256r1") };
  }

  findPreferredCert(): readonly Uint8Array[] {
    return this.#client?.certificates ?? [];
  }
}

/** A record with more content. */
function join(record: Uint8Array, more: Uint8Array): Uint8Array {
  const joined = new Uint8Array(record.length + more.length);
  joined.set(record);
  joined.set(more, record.length);
  const contentBytes = joined.length - recordHeadBytes;
  joined[3] = contentBytes >> 8;
  joined[4] = contentBytes & 0xff;
  return joined;
}

/** Whether the last message of a record ends where the record does. */
function endsWithMessage(record: Uint8Array): boolean {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  let offset = recordHeadBytes;
  // Bounded: a message has four bytes at least.
  while (offset + messageHeadBytes <= record.length)
    offset += messageHeadBytes + (view.getUint32(offset) & 0xff_ffff);
  return offset === record.length;
}

function drawScalar(): bigint {
  for (let draws = 0; draws < drawsMax; draws += 1) {
    const value = integerOf(new Uint8Array(board.entropy(scalarBytes)));
    if (value > 0n && value < p256Order) return value;
  }
  throw new Error("the board's random generator gives the same numbers again and again");
}

function isAddress(serverName: string): boolean {
  return isOf(serverName, "0-9.", 1, serverName.length);
}

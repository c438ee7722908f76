import Curve from "curve";
import ECDSA from "ecdsa";
import ECPoint from "ecp";
import rng from "rng";
import board from "sluice/board";
import type { SecureOptions } from "sluice/secure-socket";
import handshake from "ssl/handshake";
import Session, { type Link } from "ssl/session";
import SSLStream from "ssl/stream";
import type { ServerFlight, TlsRefusal } from "../tls/server-flight.ts";
import { toldServerName } from "../tls/server-name.ts";
import { ServerRecords } from "../tls/server-records.ts";
import { integerOf, nativeCrypto, p256Order } from "./crypto.ts";

/** A handshake that was refused; the message is the reason. */
export class TlsError extends Error {
  override readonly name = "TlsError";

  constructor(reason: TlsRefusal) {
    super(reason);
  }
}

/** Small, since a record is held as a whole. */
const wantedRecordBytesMax = 1024;
const scalarBytes = 32;
/** Properties of the SDK's session that we delete after the handshake; it deletes others itself. */
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
  readonly #records: ServerRecords;
  readonly #flight: ServerFlight;
  #client: SecureOptions["client"];

  constructor(secure: SecureOptions) {
    const { authorities, serverName, unixMs, client } = secure;
    const told = toldServerName(serverName);
    super({
      protocolVersion: 0x303,
      cache: false,
      tls_max_fragment_length: wantedRecordBytesMax,
      ...(told === null ? {} : { serverName: told }),
    });
    this.#records = new ServerRecords({ authorities, serverName, unixMs, crypto: nativeCrypto });
    this.#flight = this.#records.flight;
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
    // The session answers "over" only behind the server's finished message; the flight knows
    // better.
    if (isOver) this.#established();
    return isOver || link.readable !== readableBefore || this.handshakeProcess !== processBefore;
  }

  /** Gives back what only the handshake needed; the session keeps it as long as it lives. */
  #established(): void {
    this.#flight.established();
    this.#client = null;
    for (const name of handshakeProperties) delete this[name];
  }

  /** In place of the SDK's: bounded, and every record goes by the flight first. */
  override readPacket(link: Link): ArrayBuffer | undefined {
    const random = new Uint8Array(this.clientRandom ?? new ArrayBuffer(0));
    const record = this.#records.take(link, random);
    if (typeof record === "string") throw new TlsError(record);
    return record === null ? undefined : (record.buffer as ArrayBuffer);
  }

  override doProtocol(link: Link, protocol: object, first?: unknown, second?: unknown): void {
    if (protocol === handshake.certificateVerify) link.write(this.#certificateVerify());
    else super.doProtocol(link, protocol, first, second);
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

function drawScalar(): bigint {
  for (let draws = 0; draws < drawsMax; draws += 1) {
    const value = integerOf(new Uint8Array(board.entropy(scalarBytes)));
    if (value > 0n && value < p256Order) return value;
  }
  throw new Error("the board's random generator gives the same numbers again and again");
}

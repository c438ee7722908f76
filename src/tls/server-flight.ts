import { signatureFromDer } from "../image/signature.ts";
import { digestOf } from "../ports/crypto.ts";
import {
  type CertificateRefusal,
  chainCertificatesMax,
  judgeServer,
  type ServerTrust,
} from "./server-certificate.ts";

/** Why a handshake of TLS ended. */
export type TlsRefusal =
  | CertificateRefusal
  /** The server does not prove that it holds the certificate's key. */
  | "key-exchange-unproven"
  /** The server refused this device: it wants a client certificate, or another one. */
  | "refused-by-server"
  /** Not the one way in which a handshake may go, or not within the bounds of this device. */
  | "handshake-malformed";

/** What a record carries (RFC 5246, 6.2.1). */
export const contentType = {
  changeCipherSpec: 20,
  alert: 21,
  handshake: 22,
  applicationData: 23,
} as const;

/** HandshakeType (RFC 5246, 7.4) */
const message = {
  serverHello: 2,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
} as const;

/**
 * What comes next. A server sends hello, certificate, key exchange, maybe a certificate request,
 * and done; then the client has its say; then come the change to encryption and what is encrypted.
 */
type Stage =
  | "hello"
  | "certificate"
  | "key-exchange"
  | "request-or-done"
  | "done"
  | "cipher-change"
  | "finished"
  | "established";

const tls12 = 0x0303;
/** TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289, 3.1) */
const cipherSuite = 0xc02b;
/** secp256r1 (RFC 8422, 5.1.1) */
const namedCurve = 23;
const pointBytes = 65;
const randomBytes = 32;

/**
 * Watches over the server's side of a TLS 1.2 handshake, record by record, before the SDK's session
 * sees them. That session takes messages in any order, a key exchange without a signature and a
 * chain whose first certificate nobody vouches for, so all of what makes a server the right one is
 * decided here: one cipher suite, one curve, one order of messages, a chain that leads from the
 * server's own name to an enrolled authority, and a key exchange that this certificate's key
 * signed.
 */
export class ServerFlight {
  /** Null once it was decided. */
  #trust: ServerTrust | null;
  #stage: Stage = "hello";
  #serverRandom: Uint8Array = new Uint8Array(0);
  #publicKey: Uint8Array | null = null;

  constructor(trust: ServerTrust) {
    this.#trust = trust;
  }

  /** The key of the server's certificate, once it was found good. */
  get publicKey(): Uint8Array | null {
    return this.#publicKey;
  }

  /** Messages still come in plain text. */
  get isPlain(): boolean {
    return !["cipher-change", "finished", "established"].includes(this.#stage);
  }

  get isEstablished(): boolean {
    return this.#stage === "established";
  }

  /**
   * Judges one record. `fragment` is its content, which is encrypted from the cipher change on; the
   * client's random is known once its hello was made.
   */
  take(type: number, fragment: Uint8Array, clientRandom: Uint8Array): TlsRefusal | null {
    if (this.#stage === "established") {
      const isExpected = type === contentType.applicationData || type === contentType.alert;
      return isExpected ? null : "handshake-malformed";
    }
    if (type === contentType.alert) return "refused-by-server";
    if (this.#stage === "finished")
      return type === contentType.handshake ? null : "handshake-malformed";
    if (this.#stage === "cipher-change") {
      this.#stage = "finished";
      const isChange = type === contentType.changeCipherSpec;
      return isChange && fragment.length === 1 && fragment[0] === 1 ? null : "handshake-malformed";
    }
    if (type !== contentType.handshake || fragment.length === 0) return "handshake-malformed";
    return this.#takeMessages(new Fields(fragment), clientRandom);
  }

  /** The server's finished message was read and found right. */
  established(): void {
    if (this.#stage !== "finished") throw new Error(`established at the stage ${this.#stage}`);
    this.#stage = "established";
    this.#trust = null;
    this.#publicKey = null;
  }

  /** Messages may share a record; one that is spread over several must have been put together. */
  #takeMessages(record: Fields, clientRandom: Uint8Array): TlsRefusal | null {
    while (!record.atEnd) {
      const type = record.number(1);
      const body = new Fields(record.bytes(record.number(3)));
      if (record.failed) return "handshake-malformed";
      const refusal = this.#takeMessage(type, body, clientRandom);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  #takeMessage(type: number, body: Fields, clientRandom: Uint8Array): TlsRefusal | null {
    switch (this.#stage) {
      case "hello":
        this.#stage = "certificate";
        return type === message.serverHello ? this.#hello(body) : "handshake-malformed";
      case "certificate":
        this.#stage = "key-exchange";
        return type === message.certificate ? this.#certificate(body) : "handshake-malformed";
      case "key-exchange":
        this.#stage = "request-or-done";
        return type === message.serverKeyExchange
          ? this.#keyExchange(body, clientRandom)
          : "handshake-malformed";
      case "request-or-done":
        this.#stage = type === message.certificateRequest ? "done" : "cipher-change";
        return type === message.certificateRequest ? null : this.#done(type, body);
      case "done":
        this.#stage = "cipher-change";
        return this.#done(type, body);
      default:
        return "handshake-malformed"; // a message behind done
    }
  }

  /** ServerHello (RFC 5246, 7.4.1.3) */
  #hello(body: Fields): TlsRefusal | null {
    const version = body.number(2);
    this.#serverRandom = body.bytes(randomBytes).slice();
    body.bytes(body.number(1)); // a session to take up again; this client takes up none
    const suite = body.number(2);
    const compression = body.number(1);
    if (!body.atEnd) body.bytes(body.number(2)); // extensions
    const isOurs = version === tls12 && suite === cipherSuite && compression === 0;
    return isOurs && body.ended ? null : "handshake-malformed";
  }

  /** Certificate (RFC 5246, 7.4.2) */
  #certificate(body: Fields): TlsRefusal | null {
    const list = new Fields(body.bytes(body.number(3)));
    const chain: Uint8Array[] = [];
    while (!list.atEnd) {
      if (chain.length === chainCertificatesMax) return "handshake-too-large";
      chain.push(list.bytes(list.number(3)));
    }
    if (!body.ended || !list.ended) return "handshake-malformed";
    if (this.#trust === null) return "handshake-malformed";
    const judged = judgeServer(chain, this.#trust);
    if (!judged.ok) return judged.reason;
    this.#publicKey = judged.publicKey;
    return null;
  }

  /** ServerKeyExchange with a named curve and an ECDSA signature over SHA-256 (RFC 8422, 5.4). */
  #keyExchange(body: Fields, clientRandom: Uint8Array): TlsRefusal | null {
    const parameters = body.peek(4 + pointBytes);
    const curveType = body.number(1);
    const curve = body.number(2);
    const point = body.bytes(body.number(1));
    const algorithms = body.number(2);
    const signature = signatureFromDer(body.bytes(body.number(2)));
    const isNamed = curveType === 3 && curve === namedCurve && point.length === pointBytes;
    if (!body.ended || !isNamed || point[0] !== 4) return "handshake-malformed";
    if (algorithms !== 0x0403 || !signature.ok || !this.#publicKey || !this.#trust)
      return "key-exchange-unproven";
    const { crypto } = this.#trust;
    const digest = digestOf(crypto, clientRandom, this.#serverRandom, parameters);
    const isProven = crypto.verifyP256(this.#publicKey, digest, signature.raw);
    return isProven ? null : "key-exchange-unproven";
  }

  #done(type: number, body: Fields): TlsRefusal | null {
    return type === message.serverHelloDone && body.ended ? null : "handshake-malformed";
  }
}

/** Big-endian fields of a message; what lies behind its end fails for good. */
class Fields {
  readonly #bytes: Uint8Array;
  #offset = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.failed || this.#offset === this.#bytes.length;
  }

  /** Everything was read, and nothing behind it was asked for. */
  get ended(): boolean {
    return !this.failed && this.atEnd;
  }

  number(byteLength: number): number {
    let value = 0;
    for (const byte of this.bytes(byteLength)) value = value * 256 + byte;
    return value;
  }

  bytes(byteLength: number): Uint8Array {
    const part = this.peek(byteLength);
    this.failed ||= part.length !== byteLength;
    if (this.failed) return new Uint8Array(0);
    this.#offset += byteLength;
    return part;
  }

  peek(byteLength: number): Uint8Array {
    return this.#bytes.subarray(this.#offset, this.#offset + byteLength);
  }
}

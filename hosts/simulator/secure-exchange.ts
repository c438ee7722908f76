import { createPrivateKey, X509Certificate } from "node:crypto";
import { request } from "node:https";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { fromHex } from "../../src/image/hex.ts";
import { chainCertificatesMax, judgeServer } from "../../src/tls/server-certificate.ts";
import type { TlsRefusal } from "../../src/tls/server-flight.ts";
import { certificatePem } from "../release/certificates.ts";
import { nodeCrypto } from "../release/node-crypto.ts";
import type { HttpCall, SecureCall } from "./board/host-calls.ts";
import type { NetworkAnswer } from "./network.ts";

/**
 * One request over TLS 1.2, which is what the SDK speaks, on a connection of its own, as on a board.
 * The server is judged by the rules of the firmware and at the time of the device, which is not
 * this machine's.
 */
export async function exchangeSecurely(
  call: HttpCall,
  secure: SecureCall,
  body: Uint8Array,
  bodyBytesMax: number,
): Promise<NetworkAnswer> {
  const connected = await secureConnection(call, secure);
  if ("kind" in connected) return connected;
  const judged = judgeServer(chainOf(connected), {
    authorities: secure.authorities.map((hex) => fromHex(hex) ?? new Uint8Array(0)),
    serverName: secure.serverName,
    unixMs: secure.unixMs,
    crypto: nodeCrypto,
  });
  if (judged.ok) return ask(call, connected, body, bodyBytesMax);
  connected.destroy();
  return { kind: "untrusted", reason: judged.reason };
}

function secureConnection(
  { host, port }: HttpCall,
  secure: SecureCall,
): Promise<TLSSocket | NetworkAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...connectionOptions(secure) });
    socket.once("secureConnect", () => resolve(socket));
    // Once connected, an error is the request's, which has it from there on.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const reason = refusalOf(error);
      resolve(reason === null ? { kind: "unreachable" } : { kind: "untrusted", reason });
    });
  });
}

function ask(
  { host, path, method, headers }: HttpCall,
  socket: TLSSocket,
  body: Uint8Array,
  bodyBytesMax: number,
): Promise<NetworkAnswer> {
  return new Promise((resolve) => {
    const outgoing = request({
      createConnection: () => socket,
      path,
      method,
      // The SDK's client names the host without its port; servers must live with that.
      headers: { ...headers, host },
    });
    outgoing.on("response", (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      const answer = (brokenAfterBytes: number | null): void =>
        resolve({
          kind: "response",
          status: response.statusCode ?? 0,
          headers: flattened(response.headers),
          body: Buffer.concat(parts).subarray(0, bodyBytesMax),
          brokenAfterBytes,
        });
      response.on("data", (part: Buffer) => {
        parts.push(part);
        bytes += part.length;
        if (bytes > bodyBytesMax) response.destroy(new Error("the body is too long"));
      });
      response.on("end", () => answer(null));
      response.on("error", () => answer(Math.min(bytes, bodyBytesMax)));
      response.on("close", () => socket.destroy());
    });
    outgoing.on("error", () => resolve({ kind: "unreachable" }));
    outgoing.end(body);
  });
}

/** Node's own judgement is put off: it knows this machine's time alone, and a board's rules are ours. */
function connectionOptions(secure: SecureCall): ConnectionOptions {
  const [own] = secure.certificates;
  const client =
    own === undefined || secure.privateKey === null
      ? {}
      : {
          cert: secure.certificates.map((hex) => certificatePem(Buffer.from(hex, "hex"))).join(""),
          key: privateKeyPem(own, secure.privateKey),
        };
  return {
    rejectUnauthorized: false,
    ca: [],
    // Only names are told to the server (RFC 6066, 3).
    ...(/^[\d.]+$/.test(secure.serverName) ? {} : { servername: secure.serverName }),
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256",
    ...client,
  };
}

/** What the server sent, its own certificate first. */
function chainOf(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let next: X509Certificate | undefined = socket.getPeerX509Certificate();
  while (next !== undefined && chain.length < chainCertificatesMax) {
    chain.push(new Uint8Array(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}

/** Null for what is not about trust. */
function refusalOf({ code = "" }: NodeJS.ErrnoException): TlsRefusal | null {
  if (/ALERT/.test(code)) return "refused-by-server";
  return /^ERR_(SSL|TLS)_|^EPROTO$/.test(code) ? "handshake-malformed" : null;
}

function flattened(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(", ") : value;
  return flat;
}

/** The device keeps the number alone; the point is in its certificate. */
function privateKeyPem(certificateHex: string, numberHex: string): string {
  const { publicKey } = new X509Certificate(Buffer.from(certificateHex, "hex"));
  const d = Buffer.from(numberHex, "hex").toString("base64url");
  const key = createPrivateKey({
    key: { ...publicKey.export({ format: "jwk" }), d },
    format: "jwk",
  });
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

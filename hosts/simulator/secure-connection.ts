import { createPrivateKey, X509Certificate } from "node:crypto";
import { connect as connectPlainly } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { fromHex } from "../../src/image/hex.ts";
import type { TlsRefusal } from "../../src/tls/server-flight.ts";
import { toldServerName } from "../../src/tls/server-name.ts";
import { certificatePem } from "../release/certificates.ts";
import { nodeCrypto } from "../release/node-crypto.ts";
import type { SecureCall, SocketCall } from "./board/host-calls.ts";
import { JudgedSocket, RefusedServer } from "./judged-socket.ts";
import type { NetworkAnswer } from "./network.ts";

/**
 * A connection over TLS 1.2, which is what the SDK speaks. The server is judged by the firmware's
 * own code, by what it sends, and at the time of the device, which is not this machine's.
 */
export function secureConnection(
  { host, port }: SocketCall,
  secure: SecureCall,
): Promise<TLSSocket | NetworkAnswer> {
  return new Promise((resolve) => {
    const judged = new JudgedSocket(connectPlainly({ host, port }), {
      authorities: secure.authorities.map((hex) => fromHex(hex) ?? new Uint8Array(0)),
      serverName: secure.serverName,
      unixMs: secure.unixMs,
      crypto: nodeCrypto,
    });
    const socket = connect({ socket: judged, ...connectionOptions(secure) });
    socket.once("secureConnect", () => resolve(socket));
    // Once connected, an error is for the one who asks.
    const failed = (error: NodeJS.ErrnoException) => {
      const reason = refusalOf(error);
      resolve(reason === null ? { kind: "unreachable" } : { kind: "untrusted", reason });
    };
    judged.on("error", failed);
    socket.on("error", failed);
    socket.on("close", () => resolve({ kind: "unreachable" }));
  });
}

/** Node does not judge: it knows this machine's time alone, and a board's rules are ours. */
function connectionOptions(secure: SecureCall): ConnectionOptions {
  const [own] = secure.certificates;
  const client =
    own === undefined || secure.privateKey === null
      ? {}
      : {
          cert: secure.certificates.map((hex) => certificatePem(Buffer.from(hex, "hex"))).join(""),
          key: privateKeyPem(own, secure.privateKey),
        };
  const servername = toldServerName(secure.serverName);
  return {
    rejectUnauthorized: false,
    ca: [],
    ...(servername !== null && { servername }),
    // What a board offers in its hello.
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256",
    ecdhCurve: "prime256v1",
    sigalgs: "ECDSA+SHA256:RSA+SHA256",
    ...client,
  };
}

/** Null for what is not about trust. */
function refusalOf(error: NodeJS.ErrnoException): TlsRefusal | null {
  if (error instanceof RefusedServer) return error.reason;
  const { code = "" } = error;
  if (/ALERT/.test(code)) return "refused-by-server";
  return /^ERR_(SSL|TLS)_|^EPROTO$/.test(code) ? "handshake-malformed" : null;
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

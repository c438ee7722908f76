import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { parseCertificate } from "../../../src/tls/certificate.ts";
import type { ClientCredentials, TlsCredentials } from "../../../src/tls/credentials.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { refuseWithoutPrivateKey } from "./signing-keys.ts";

/** What a device is enrolled with for https, as files in PEM. */
export interface TlsFlags {
  readonly ca: readonly string[];
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** Null without any. Refuses what the device could not read, and a key of another certificate. */
export function readTlsFiles({ ca, clientCert, clientKey }: TlsFlags): TlsCredentials | null {
  const hasClient = clientCert !== undefined || clientKey !== undefined;
  if (ca.length === 0 && !hasClient) return null;
  if (ca.length === 0)
    throw new CommandError(
      "a client certificate is for https: give --ca too, which the server is known by",
      exitCodes.usage,
    );
  const authorities = ca.flatMap((file) => certificatesIn(file, "--ca"));
  for (const { raw, subject } of authorities)
    if (parseCertificate(raw) === null)
      throw new CommandError(
        `--ca: "${subject}" is no version 3 certificate of a P-256 key, signed with SHA-256: a device cannot read it`,
      );
  return {
    authorities: authorities.map(({ raw }) => new Uint8Array(raw)),
    client: hasClient ? readClient(clientCert, clientKey) : null,
  };
}

function readClient(certificate: string | undefined, key: string | undefined): ClientCredentials {
  if (certificate === undefined || key === undefined)
    throw new CommandError("give --client-cert and --client-key together", exitCodes.usage);
  const chain = certificatesIn(certificate, "--client-cert");
  const privateKey = privateKeyIn(key);
  if (chain[0]?.checkPrivateKey(privateKey) !== true)
    throw new CommandError(`--client-key ${key}: is not the key of ${certificate}`);
  const { d = "" } = privateKey.export({ format: "jwk" });
  return {
    certificates: chain.map(({ raw }) => new Uint8Array(raw)),
    privateKey: Uint8Array.from(Buffer.from(d, "base64url")),
  };
}

/** One or more, in the order of the file. */
function certificatesIn(file: string, flag: string): X509Certificate[] {
  const text = Buffer.from(readInput(file, flag)).toString("latin1");
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0)
    throw new CommandError(`${flag} ${file}: holds no certificate in PEM ("BEGIN CERTIFICATE")`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new CommandError(`${flag} ${file}: ${(error as Error).message}`);
  }
}

function privateKeyIn(file: string): KeyObject {
  const pem = Buffer.from(readInput(file, "--client-key")).toString("latin1");
  refuseWithoutPrivateKey("--client-key", file, pem);
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new CommandError(
      `--client-key ${file}: ${(error as Error).message}; give a private key in PEM without a passphrase`,
    );
  }
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  throw new CommandError(`--client-key ${file}: is no P-256 key, which is what devices sign with`);
}

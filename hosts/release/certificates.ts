import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";

/** A certificate and the key that it is about. */
export interface Identity {
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
  readonly subject: Uint8Array;
}

export interface CertificateOptions {
  readonly commonName: string;
  /** `server` and `client` are for one side of TLS, `authority` issues the others. */
  readonly purpose: "server" | "client" | "authority";
  /** The names of a server: host names, a leading `*.` allowed, and IPv4 addresses. */
  readonly hosts?: readonly string[];
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  /** Who signs the certificate; it signs itself when absent. */
  readonly issuer?: Identity;
  /** The key of the certificate that this one renews; a new key when absent. */
  readonly privateKey?: KeyObject;
  /** In place of a name in UTF-8 with `commonName` alone: DER. */
  readonly subject?: Uint8Array;
  /** How many authorities may follow below this one; as many as like to, when absent. */
  readonly authoritiesBelowMax?: number;
  /** Take the place of the profile's of the same id, or stand behind them. */
  readonly extensions?: readonly ExtensionOptions[];
}

export interface ExtensionOptions {
  /** The object identifier's bytes. */
  readonly id: readonly number[];
  readonly critical?: boolean;
  /** In DER; null leaves the profile's out. */
  readonly value: Uint8Array | null;
}

/** An X.509 certificate (RFC 5280) of a new P-256 key, with the profile that devices read. */
export function issueCertificate(options: CertificateOptions): Identity {
  const privateKey =
    options.privateKey ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const subject = options.subject ?? nameOf(options.commonName);
  const issuer = options.issuer ?? { privateKey, subject };
  const issuerKey = createPublicKey(issuer.privateKey).export({ type: "spki", format: "der" });
  const signed = element(
    0x30,
    element(0xa0, element(0x02, Uint8Array.of(2))),
    element(0x02, serialNumber()),
    ecdsaWithSha256,
    issuer.subject,
    element(0x30, timeOf(options.notBeforeUnixMs), timeOf(options.notAfterUnixMs)),
    subject,
    publicKey,
    element(0xa3, element(0x30, ...extensionsOf(options, publicKey, issuerKey))),
  );
  const signature = sign("sha256", signed, issuer.privateKey);
  const bits = element(0x03, Uint8Array.of(0), signature);
  return { certificate: element(0x30, signed, ecdsaWithSha256, bits), privateKey, subject };
}

/** `CERTIFICATE` in PEM. */
export function certificatePem(certificate: Uint8Array): string {
  const lines = Buffer.from(certificate)
    .toString("base64")
    .replaceAll(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

export function privateKeyPem({ privateKey }: Identity): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** The number d of the private key, 32 bytes: the form that a device's credentials hold. */
export function privateKeyNumber({ privateKey }: Identity): Uint8Array {
  const { d = "" } = privateKey.export({ format: "jwk" });
  return Uint8Array.from(Buffer.from(d, "base64url"));
}

export const objectIds = {
  commonName: [0x55, 0x04, 0x03],
  basicConstraints: [0x55, 0x1d, 0x13],
  keyUsage: [0x55, 0x1d, 0x0f],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  subjectAlternativeName: [0x55, 0x1d, 0x11],
  subjectKeyId: [0x55, 0x1d, 0x0e],
  authorityKeyId: [0x55, 0x1d, 0x23],
  server: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  client: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
} as const;

/** AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758, 3.2) */
const ecdsaWithSha256 = element(0x30, objectId([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
const isTrue = element(0x01, Uint8Array.of(0xff));
/** BIT STRING of keyUsage: digitalSignature; keyCertSign and cRLSign. */
const usageOfPeer = element(0x03, Uint8Array.of(7, 0x80));
const usageOfAuthority = element(0x03, Uint8Array.of(1, 0x06));

function extensionsOf(
  options: CertificateOptions,
  publicKey: Uint8Array,
  issuerKey: Uint8Array,
): Uint8Array[] {
  const { purpose, hosts = [], authoritiesBelowMax, extensions = [] } = options;
  const isAuthority = purpose === "authority";
  const constraints = isAuthority ? [isTrue] : [];
  if (authoritiesBelowMax !== undefined)
    constraints.push(element(0x02, Uint8Array.of(authoritiesBelowMax)));
  const profile: ExtensionOptions[] = [
    { id: objectIds.basicConstraints, value: element(0x30, ...constraints), critical: true },
    {
      id: objectIds.keyUsage,
      value: isAuthority ? usageOfAuthority : usageOfPeer,
      critical: true,
    },
    { id: objectIds.subjectKeyId, value: element(0x04, keyId(publicKey)) },
    { id: objectIds.authorityKeyId, value: element(0x30, element(0x80, keyId(issuerKey))) },
  ];
  if (!isAuthority)
    profile.push({
      id: objectIds.extendedKeyUsage,
      value: element(0x30, objectId(objectIds[purpose])),
    });
  if (hosts.length > 0)
    profile.push({
      id: objectIds.subjectAlternativeName,
      value: element(0x30, ...hosts.map((host) => hostName(host))),
    });
  const isReplaced = ({ id }: ExtensionOptions) =>
    extensions.some((one) => String(one.id) === String(id));
  return [...profile.filter((one) => !isReplaced(one)), ...extensions].flatMap(extension);
}

function extension({ id, critical = false, value }: ExtensionOptions): Uint8Array[] {
  if (value === null) return [];
  return [element(0x30, objectId(id), ...(critical ? [isTrue] : []), element(0x04, value))];
}

/** GeneralName (RFC 5280, 4.2.1.6) */
function hostName(host: string): Uint8Array {
  return /^[\d.]+$/.test(host)
    ? element(0x87, Uint8Array.from(host.split(".").map(Number)))
    : element(0x82, Buffer.from(host, "ascii"));
}

/** Method 1 of RFC 5280, 4.2.1.2: over the key's bits, which are the last 65 bytes. */
function keyId(publicKeyInfo: Uint8Array): Uint8Array {
  return createHash("sha1").update(publicKeyInfo.subarray(-65)).digest();
}

/** `stringTag` is of UTF8String, or of another string type. */
export function nameOf(commonName: string, stringTag = 0x0c): Uint8Array {
  const text = element(stringTag, Buffer.from(commonName, "utf8"));
  return element(0x30, element(0x31, element(0x30, objectId(objectIds.commonName), text)));
}

/** Positive, in 16 bytes. */
function serialNumber(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes;
}

/** UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280, 4.1.2.5) */
function timeOf(unixMs: number): Uint8Array {
  const date = new Date(unixMs);
  const text = date
    .toISOString()
    .replaceAll(/[-:T]/g, "")
    .replace(/\.\d+Z$/, "Z");
  return date.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(text.slice(2), "ascii"))
    : element(0x18, Buffer.from(text, "ascii"));
}

export function objectId(bytes: readonly number[]): Uint8Array {
  return element(0x06, Uint8Array.from(bytes));
}

/** Tag, length and content in DER. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Uint8Array.from(Buffer.concat([Uint8Array.from(head), content]));
}

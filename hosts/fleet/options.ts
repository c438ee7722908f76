import { isHardwareId } from "../../src/image/hardware.ts";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import { ServerNames } from "./access/server-names.ts";
import { type FleetTls, tlsProblem } from "./access/tls-options.ts";
import { tokenSha256 } from "./access/tokens.ts";
import { type ConnectionLimits, connectionLimits } from "./connections.ts";
import { parseImageKey } from "./operations/image-check.ts";
import type { Durability } from "./storage/database.ts";
import { limits } from "./terms/limits.ts";
import type { FleetClock } from "./time/clock.ts";
import type { FleetTrustOptions } from "./trust/fleet-trust.ts";

export interface FleetOptions {
  /** The SQLite file, made when it is not there; `:memory:` for a server that forgets. */
  readonly databaseFile: string;
  /** `full` when absent: what is acknowledged is on the disk. `off` is for simulations. */
  readonly durability?: Durability;
  /** Where the images are kept. */
  readonly artifactsFolder: string;
  /** The server's only source of time; may be a virtual one. */
  readonly clock: FleetClock;
  /**
   * How often the caller ticks: a tick that comes much later means that the server was late with
   * everything. When absent, no tick is late.
   */
  readonly ticksEveryMs?: number;
  /** How often devices are told to poll; 300 when absent. */
  readonly pollSeconds?: number;
  /** `DEFAULT` when absent; requests may write it in any case. */
  readonly tenant?: string;
  /** Lets a gateway speak for its devices and register them; none may when absent. */
  readonly gatewayToken?: string;
  /** What the management API asks for as `Authorization: Bearer`; open when absent. */
  readonly adminToken?: string;
  /** Public keys in PEM; one of them must have signed every image. */
  readonly imageKeys?: readonly string[];
  /**
   * Public keys in PEM; one of them must have signed every configuration. Those of the images when
   * absent.
   */
  readonly configurationKeys?: readonly string[];
  /**
   * The largest image in bytes, header to end of TLVs, that the slots of a hardware take, by
   * hardware id.
   */
  readonly imageBytesMax?: Readonly<Record<string, number>>;
  /** What devices reach the server at; else the Host that they ask. */
  readonly externalUrl?: string;
  /**
   * What people and programs reach the page and the management API at, besides loopback and
   * `listenHost`.
   */
  readonly publicUrls?: readonly string[];
  /** The address that the caller listens on. */
  readonly listenHost?: string;
  /** Serves https; http when absent. */
  readonly tls?: FleetTls;
  /** Signed metadata and the online key; without it devices go by images alone. */
  readonly trust?: FleetTrustOptions;
  /** What is not given, is as in connections.ts. */
  readonly connections?: Partial<ConnectionLimits>;
  /** How often it is looked whether devices would be served whole; 10,000 when absent. */
  readonly readinessEveryMs?: number;
  /** The clock is that of a simulation, which the page says beside its dates. False when absent. */
  readonly simulatedTime?: boolean;
  /** `silent` when absent. */
  readonly logLevel?: "silent" | "error" | "warn" | "info" | "debug";
}

/** The options once they were read and found right. */
export interface FleetSettings {
  readonly tenant: string;
  readonly pollSeconds: number;
  readonly gatewayTokenSha256: string | null;
  readonly adminTokenSha256: string | null;
  readonly imageKeys: readonly TrustedImageKey[];
  /** Uncompressed points. */
  readonly configurationKeys: readonly Uint8Array[];
  readonly imageBytesMax: ReadonlyMap<string, number>;
  readonly externalUrl: string | null;
  readonly simulatedTime: boolean;
  readonly names: ServerNames;
  readonly connections: ConnectionLimits;
  readonly tls: FleetTls | null;
}

const pollSecondsDefault = 300;

/** An option that the server cannot start with. */
export class FleetOptionError extends Error {
  override readonly name = "FleetOptionError";
}

/** Throws `FleetOptionError` with the option, its value and what it may be. */
export function readOptions(options: FleetOptions): FleetSettings {
  const { pollSeconds = pollSecondsDefault, tenant = "DEFAULT", externalUrl } = options;
  if (!Number.isInteger(pollSeconds) || pollSeconds < 1 || pollSeconds > limits.pollSecondsMax)
    throw new FleetOptionError(
      `poll seconds of ${pollSeconds}: give a whole number from 1 to ${limits.pollSecondsMax}`,
    );
  if (!/^[A-Za-z0-9_-]{1,16}$/.test(tenant))
    throw new FleetOptionError(`tenant "${tenant}": give 1 to 16 letters, digits, "-" or "_"`);
  return {
    tenant: tenant.toUpperCase(),
    pollSeconds,
    gatewayTokenSha256: digestOf("gateway token", options.gatewayToken),
    adminTokenSha256: digestOf("admin token", options.adminToken),
    imageKeys: (options.imageKeys ?? []).map((pem, index) => readKey("image", pem, index)),
    configurationKeys: (options.configurationKeys ?? options.imageKeys ?? []).map(
      (pem, index) => readKey("configuration", pem, index).publicKey,
    ),
    imageBytesMax: readImageBytesMax(options.imageBytesMax ?? {}),
    simulatedTime: options.simulatedTime ?? false,
    externalUrl: externalUrl === undefined ? null : readUrl("external", externalUrl),
    names: readNames(options),
    connections: { ...connectionLimits, ...options.connections },
    tls: options.tls === undefined ? null : readTls(options.tls),
  };
}

function readTls(tls: FleetTls): FleetTls {
  const { clientAuthorities, certificateIsEnough = false, gatewayNames = [] } = tls;
  if (clientAuthorities === undefined && (certificateIsEnough || gatewayNames.length > 0))
    throw new FleetOptionError(
      "certificates of devices or gateways without an authority: give the one that issues them",
    );
  const problem = tlsProblem(tls);
  if (problem === null) return tls;
  throw new FleetOptionError(
    `TLS certificate, key or client authority (${problem}): give PEM files of which the key fits the certificate`,
  );
}

function readImageBytesMax(byHardware: Readonly<Record<string, number>>): Map<string, number> {
  const entries = Object.entries(byHardware);
  for (const [hardware, bytesMax] of entries) {
    if (!isHardwareId(hardware))
      throw new FleetOptionError(`"${hardware}" is no hardware id such as esp32c3-b`);
    if (!Number.isInteger(bytesMax) || bytesMax < 1 || bytesMax > limits.imageBytesMax)
      throw new FleetOptionError(
        `images for ${hardware} of at most ${bytesMax} bytes: give 1 to ${limits.imageBytesMax}`,
      );
  }
  return new Map(entries);
}

function digestOf(name: string, token: string | undefined): string | null {
  if (token === undefined) return null;
  const { tokenCharactersMin: min, tokenCharactersMax: max } = limits;
  if (token.length < min || token.length > max || !/^[!-~]+$/.test(token))
    throw new FleetOptionError(
      `${name} of ${token.length} characters: give ${min} to ${max} printable ones without spaces`,
    );
  return tokenSha256(token);
}

function readKey(what: string, pem: string, index: number): TrustedImageKey {
  const key = parseImageKey(pem);
  if (key === null)
    throw new FleetOptionError(
      `${what} key ${index + 1} is no ECDSA P-256 public key in PEM ("BEGIN PUBLIC KEY")`,
    );
  return key;
}

function readNames({ externalUrl, publicUrls = [], listenHost }: FleetOptions): ServerNames {
  const urls = publicUrls.map((url) => readUrl("public", url));
  return new ServerNames(externalUrl === undefined ? urls : [...urls, externalUrl], listenHost);
}

function readUrl(what: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "")
    throw new FleetOptionError(`${what} URL "${text}": give http(s)://host[:port][/path]`);
  return text.replace(/\/+$/, "");
}

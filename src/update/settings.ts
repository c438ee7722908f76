import { hardwareIdCharactersMax } from "../image/hardware.ts";
import type { TrustedImageKey } from "../image/keys.ts";
import { isOf, lowerHex } from "../image/text-parts.ts";
import { type ImageVersion, parseVersion } from "../image/version.ts";
import { defaultHealthSettings, type HealthSettings } from "../policy/health.ts";
import { defaultPowerPolicy, type PowerPolicy } from "../policy/power.ts";
import { type Backoff, defaultBackoff } from "../policy/retry.ts";
import { defaultStabilitySettings, type StabilitySettings } from "../policy/stability-settings.ts";
import type { KeyValue } from "../ports/board.ts";
import { arrayAt, type JsonObject, parseJsonObject, stringAt } from "../protocol/json.ts";
import type { UnknownBootloader } from "../slots/bootloader.ts";
import { type DownloadSettings, defaultDownloadSettings } from "../transfer/download.ts";

/** Who the device is and whom it obeys: written once, at enrolment, under the key `config`. */
export interface Identity {
  /** `http://host:port` or `https://host`, without a path. */
  readonly serverUrl: string;
  readonly tenant: string;
  readonly deviceId: string;
  readonly token: string;
  /** `family-revision`. */
  readonly hardware: string;
  readonly imageKeys: readonly TrustedImageKey[];
  /**
   * A second address of the service, asked only whether it is there: see
   * `StabilitySettings.noServerMs`.
   */
  readonly otherServerUrl: string | null;
  /**
   * The version of the bootloader, which is never updated over the air; null when enrolment did not
   * say.
   */
  readonly bootloaderVersion: ImageVersion | null;
  /** `tuf`: nothing is installed that signed metadata does not name. Null goes by images alone. */
  readonly trust: "tuf" | null;
}

export interface Settings {
  readonly power: PowerPolicy;
  readonly download: DownloadSettings;
  /**
   * When a trial boot is good. One that is not healthy after `health.trialMs` restarts; the
   * bootloader counts the boots.
   */
  readonly health: HealthSettings;
  /** How many boots the bootloader grants a trial: for the estimate of its energy alone. */
  readonly trialBoots: number;
  /** Less free memory than this fails a trial, on boards that tell it; 0 switches it off. */
  readonly memoryFloorBytes: number;
  /** When a confirmed image is rolled back all the same. */
  readonly stability: StabilitySettings;
  /** Schemas of configuration documents that this firmware can read, both ends included. */
  readonly configurationSchemas: { readonly min: number; readonly max: number };
  /** A configuration has to prove itself this long, under the same health checks. */
  readonly configurationTrialMs: number;
  /** An install waits until the application calls `approve`. */
  readonly askBeforeInstall: boolean;
  readonly requestTimeoutMs: number;
  /** Before the first answer tells the interval. */
  readonly firstPollMsMax: number;
  readonly pollBackoff: Backoff;
  /** How long a device that sleeps does so between two parts of a download. */
  readonly downloadPauseMs: number;
  /**
   * Whether to install under a bootloader that does not say how it swaps, on boards that ship ours.
   * `accept` is for fleets whose bootloaders are older and known to swap using move.
   */
  readonly unknownBootloader: UnknownBootloader;
  /**
   * Other hosts than the one that was asked to which a server may redirect a GET, by their whole
   * names. What they serve is held against the same signatures and hashes; they never hear the
   * token.
   */
  readonly redirectHosts: readonly string[];
  /** Lets the device speak plain HTTP to other machines too, tokens included: for trials only. */
  readonly plainHttp: boolean;
}

export const defaultSettings: Settings = {
  power: defaultPowerPolicy,
  download: defaultDownloadSettings,
  health: defaultHealthSettings,
  trialBoots: 3,
  memoryFloorBytes: 4096,
  stability: defaultStabilitySettings,
  configurationSchemas: { min: 0, max: 65_535 },
  configurationTrialMs: 60_000,
  askBeforeInstall: false,
  requestTimeoutMs: 15_000,
  firstPollMsMax: 10_000,
  pollBackoff: defaultBackoff,
  downloadPauseMs: 30_000,
  unknownBootloader: "refuse",
  redirectHosts: [],
  plainHttp: false,
};

/**
 * For devices that sleep most of the time: a trial that nothing speaks against is confirmed without
 * the server when that cannot be reached at all, and small blocks lose little at the end of a wake.
 */
export const sleepySettings: Settings = {
  ...defaultSettings,
  download: { ...defaultDownloadSettings, blockBytes: 16_384 },
  health: { ...defaultHealthSettings, confirmWithoutServer: true, serverPatienceMs: 30_000 },
};

export const identityKey = "config";

/** What `readIdentity` takes; whatever enrols a device refuses more. */
export const identityLimits = {
  /** The most bytes of the whole identity, as JSON. */
  bytesMax: 1024,
  serverUrlLengthMax: 256,
  tenantLengthMax: 64,
  deviceIdLengthMax: 64,
  tokenLengthMax: 128,
  imageKeysMax: 4,
} as const;

/**
 * Reads what enrolment wrote; null when it is missing or malformed: such a device must be enrolled
 * first.
 */
export function readIdentity(keyValue: KeyValue): Identity | null {
  const bytes = keyValue.read(identityKey);
  const root = bytes === null ? null : parseJsonObject(bytes, identityLimits.bytesMax);
  if (root === null) return null;
  const serverUrl = baseUrlAt(root, "server");
  const tenant = stringAt(root, "tenant", identityLimits.tenantLengthMax);
  const deviceId = stringAt(root, "id", identityLimits.deviceIdLengthMax);
  const token = stringAt(root, "token", identityLimits.tokenLengthMax);
  const hardware = stringAt(root, "hardware", hardwareIdCharactersMax);
  const keys = arrayAt(root, "imageKeys", identityLimits.imageKeysMax);
  if (serverUrl === null || tenant === null || deviceId === null) return null;
  if (token === null || hardware === null || keys === null) return null;
  const imageKeys = keys.map((key) => parsePoint(key)).filter((key) => key !== null);
  if (imageKeys.length === 0 || imageKeys.length !== keys.length) return null;
  const otherServerUrl = baseUrlAt(root, "server2");
  const bootloaderVersion = parseVersion(stringAt(root, "bootloader", 64) ?? "");
  const trust = stringAt(root, "trust", 16);
  // What this firmware does not know must not become the absence of trust.
  if (trust !== "tuf" && Object.hasOwn(root, "trust")) return null;
  return {
    serverUrl,
    tenant,
    deviceId,
    token,
    hardware,
    imageKeys,
    otherServerUrl,
    bootloaderVersion,
    trust: trust === "tuf" ? trust : null,
  };
}

/** Without slashes at its end. */
function baseUrlAt(root: JsonObject, name: string): string | null {
  const url = stringAt(root, name, identityLimits.serverUrlLengthMax);
  if (url === null) return null;
  let end = url.length;
  while (url.charAt(end - 1) === "/") end -= 1; // bounded by the text's length
  return url.slice(0, end);
}

/** An uncompressed P-256 point in hex. */
function parsePoint(value: unknown): TrustedImageKey | null {
  if (typeof value !== "string" || !isOf(value, lowerHex, 130) || !value.startsWith("04"))
    return null;
  const publicKey = new Uint8Array(65);
  for (let index = 0; index < publicKey.length; index += 1)
    publicKey[index] = Number.parseInt(value.slice(2 * index, 2 * index + 2), 16);
  return { algorithm: "ecdsa-p256", publicKey };
}

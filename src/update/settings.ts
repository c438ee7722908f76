import type { TrustedImageKey } from "../image/keys.ts";
import { defaultPowerThresholds, type PowerThresholds } from "../policy/power.ts";
import { type Backoff, defaultBackoff } from "../policy/retry.ts";
import type { KeyValue } from "../ports/board.ts";
import { arrayAt, parseJsonObject, stringAt } from "../protocol/json.ts";
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
}

export interface Settings {
  readonly power: PowerThresholds;
  readonly download: DownloadSettings;
  /** A trial boot that is not healthy after this restarts; the bootloader counts the boots. */
  readonly trialMs: number;
  readonly requestTimeoutMs: number;
  /** Before the first answer tells the interval. */
  readonly firstPollMsMax: number;
  readonly pollBackoff: Backoff;
  /** Lets the device speak plain HTTP to other machines too, tokens included: for trials only. */
  readonly plainHttp: boolean;
}

export const defaultSettings: Settings = {
  power: defaultPowerThresholds,
  download: defaultDownloadSettings,
  trialMs: 60_000,
  requestTimeoutMs: 15_000,
  firstPollMsMax: 10_000,
  pollBackoff: defaultBackoff,
  plainHttp: false,
};

export const identityKey = "config";
const identityBytesMax = 1024;
const imageKeysMax = 4;

/**
 * Reads what enrolment wrote; null when it is missing or malformed: such a device must be enrolled
 * first.
 */
export function readIdentity(keyValue: KeyValue): Identity | null {
  const bytes = keyValue.read(identityKey);
  const root = bytes === null ? null : parseJsonObject(bytes, identityBytesMax);
  if (root === null) return null;
  const serverUrl = stringAt(root, "server", 256)?.replace(/\/+$/, "") ?? null;
  const tenant = stringAt(root, "tenant", 64);
  const deviceId = stringAt(root, "id", 64);
  const token = stringAt(root, "token", 128);
  const hardware = stringAt(root, "hardware", 32);
  const keys = arrayAt(root, "imageKeys", imageKeysMax);
  if (serverUrl === null || tenant === null || deviceId === null) return null;
  if (token === null || hardware === null || keys === null) return null;
  const imageKeys = keys.map((key) => parsePoint(key)).filter((key) => key !== null);
  if (imageKeys.length === 0 || imageKeys.length !== keys.length) return null;
  return { serverUrl, tenant, deviceId, token, hardware, imageKeys };
}

/** An uncompressed P-256 point in hex. */
function parsePoint(value: unknown): TrustedImageKey | null {
  if (typeof value !== "string" || !/^04[0-9a-f]{128}$/.test(value)) return null;
  const publicKey = new Uint8Array(65);
  for (let index = 0; index < publicKey.length; index += 1)
    publicKey[index] = Number.parseInt(value.slice(2 * index, 2 * index + 2), 16);
  return { algorithm: "ecdsa-p256", publicKey };
}

import { type Backoff, backoffMs } from "../policy/retry.ts";
import type { Random } from "../ports/board.ts";
import type { Crypto, Hasher } from "../ports/crypto.ts";
import { FlashError } from "../ports/flash.ts";
import type { Http } from "../ports/http.ts";
import { digestHex } from "../protocol/digest.ts";
import type { StagingSlot } from "../slots/staging.ts";
import type { FailureReason, Release } from "../update/release.ts";
import type { LongWork } from "./long-work.ts";
import { fetchRange, type RangeFailure, type RangeResult } from "./range.ts";

export interface DownloadSettings {
  /** Asked for per request. A link that drops costs none of it, a reset at most one sector. */
  readonly blockBytes: number;
  readonly timeoutMs: number;
  /** Between two requests, for the application's sake. */
  readonly pauseMs: number;
  readonly backoff: Backoff;
  /** Failures in a row after which the download ends for now; the slot keeps what it has. */
  readonly failuresMax: number;
}

export const defaultDownloadSettings: DownloadSettings = {
  blockBytes: 65_536,
  timeoutMs: 60_000,
  pauseMs: 0,
  backoff: { firstMs: 1000, capMs: 60_000 },
  failuresMax: 8,
};

export interface DownloadTools {
  readonly http: Http;
  readonly random: Random;
  readonly crypto: Crypto;
  /** Once it is given up the download ends at the next step. */
  readonly work: LongWork;
  headers(url: string): Readonly<Record<string, string>>;
}

export type DownloadResult =
  | { readonly ok: true }
  /** `passing` failures may be gone later: what is in the slot stays good. */
  | { readonly ok: false; readonly reason: FailureReason; readonly passing: boolean };

/**
 * Streams the rest of a release into a prepared slot, block by block, and hashes the file as it lands.
 * Nothing of the image is kept in memory but one sector. After a power cut the same call goes on where the slot ends.
 */
export async function download(
  release: Release,
  slot: StagingSlot,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<DownloadResult> {
  const hasher = tools.crypto.sha256();
  let failure: DownloadResult | null;
  try {
    slot.resume();
    await hashPrefix(slot, hasher, tools);
    failure = await fetchRest(release, slot, hasher, settings, tools);
  } catch (error) {
    if (!(error instanceof FlashError)) throw error;
    failure = { ok: false, reason: "flash-error", passing: false };
  }
  const digest = hasher.digest(); // in every case: a native hasher is freed by it
  if (failure !== null) return failure;
  if (digestHex(digest) === release.fileHash) return { ok: true };
  return { ok: false, reason: "hash-mismatch", passing: false };
}

/** Null when every byte of the file is in the slot. */
async function fetchRest(
  release: Release,
  slot: StagingSlot,
  hasher: Hasher,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<DownloadResult | null> {
  let failures = 0;
  // Bounded: every turn either brings the download forward or counts towards `failuresMax`.
  while (slot.receivedBytes < release.fileBytes) {
    if (tools.work.abandoned) return ending("network");
    const before = slot.receivedBytes;
    const result = await fetchBlock(release, slot, hasher, settings, tools);
    if (result.ok) {
      failures = 0;
      if (settings.pauseMs > 0) await tools.work.pause(settings.pauseMs);
      continue;
    }
    if (!isWorthRepeating(result.failure)) return ending(result.failure);
    failures = slot.receivedBytes > before ? 1 : failures + 1;
    if (failures >= settings.failuresMax) return ending(result.failure);
    await tools.work.pause(retryWaitMs(failures, result.retryAfterMs, settings, tools.random));
  }
  return null;
}

/** What was withdrawn or cannot be fetched is not there a second later either: the next poll may know better. */
export function isWorthRepeating(failure: RangeFailure): boolean {
  return failure !== "artifact-missing" && failure !== "unsupported-url";
}

/** The words of the server's reports for a transfer that ended, and whether a later one may go better. */
export function transferEnded(failure: RangeFailure): {
  readonly reason: FailureReason;
  readonly passing: boolean;
} {
  const reason = failure === "refused" ? "network" : failure;
  return { reason, passing: failure !== "unsupported-url" };
}

/** Not before the server's own time, and spread behind it. */
export function retryWaitMs(
  failures: number,
  retryAfterMs: number | null,
  settings: DownloadSettings,
  random: Random,
): number {
  return (retryAfterMs ?? 0) + backoffMs(failures, settings.backoff, random);
}

async function fetchBlock(
  release: Release,
  slot: StagingSlot,
  hasher: Hasher,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<RangeResult> {
  let flashError: unknown = null;
  const fromBytes = slot.receivedBytes;
  const result = await fetchRange(
    tools.http,
    {
      url: release.url,
      headers: tools.headers(release.url),
      fromBytes,
      toBytes: Math.min(fromBytes + settings.blockBytes, release.fileBytes),
      totalBytes: release.fileBytes,
      timeoutMs: settings.timeoutMs,
    },
    (bytes) => {
      if (tools.work.abandoned) return false;
      try {
        if (!slot.append(bytes)) return false;
        hasher.update(bytes);
        return true;
      } catch (error) {
        flashError = error;
        return false;
      }
    },
  );
  if (flashError !== null) throw flashError;
  return result;
}

/** Hashes what an earlier boot left in the slot. */
async function hashPrefix(slot: StagingSlot, hasher: Hasher, tools: DownloadTools): Promise<void> {
  const block = new Uint8Array(4096);
  for (let offsetBytes = 0; offsetBytes < slot.receivedBytes; offsetBytes += block.length) {
    if (tools.work.abandoned) return;
    const part = block.subarray(0, Math.min(block.length, slot.receivedBytes - offsetBytes));
    slot.read(offsetBytes, part);
    hasher.update(part);
    await tools.work.pause(0);
  }
}

function ending(failure: RangeFailure): DownloadResult {
  return { ok: false, ...transferEnded(failure) };
}

import { type Backoff, backoffMs } from "../policy/retry.ts";
import type { Clock, Random } from "../ports/board.ts";
import type { Crypto, Hasher } from "../ports/crypto.ts";
import { FlashError } from "../ports/flash.ts";
import type { Http } from "../ports/http.ts";
import { digestHex } from "../protocol/digest.ts";
import type { StagingSlot } from "../slots/staging.ts";
import type { FailureReason, Release } from "../update/release.ts";
import { fetchRange, type RangeFailure } from "./range.ts";

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
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  headers(): Readonly<Record<string, string>>;
  /** True once the work was given up; the download then ends at the next step. */
  abandoned(): boolean;
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
  try {
    slot.resume();
    const hasher = await hashOfPrefix(slot, tools);
    return await fetchRest(release, slot, hasher, settings, tools);
  } catch (error) {
    if (error instanceof FlashError) return { ok: false, reason: "flash-error", passing: false };
    throw error;
  }
}

async function fetchRest(
  release: Release,
  slot: StagingSlot,
  hasher: Hasher,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<DownloadResult> {
  let failures = 0;
  // Bounded: every turn either brings the download forward or counts towards `failuresMax`.
  while (slot.receivedBytes < release.fileBytes) {
    if (tools.abandoned()) return { ok: false, reason: "network", passing: true };
    const before = slot.receivedBytes;
    const result = await fetchBlock(release, slot, hasher, settings, tools);
    if (result.ok) {
      failures = 0;
      if (settings.pauseMs > 0) await pause(tools.clock, settings.pauseMs);
      continue;
    }
    failures = slot.receivedBytes > before ? 1 : failures + 1;
    if (failures >= settings.failuresMax) return ending(result.failure);
    const waitMs = backoffMs(failures, settings.backoff, tools.random);
    await pause(tools.clock, Math.max(waitMs, result.retryAfterMs ?? 0));
  }
  if (digestHex(hasher.digest()) === release.fileHash) return { ok: true };
  return { ok: false, reason: "hash-mismatch", passing: false };
}

async function fetchBlock(
  release: Release,
  slot: StagingSlot,
  hasher: Hasher,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<Awaited<ReturnType<typeof fetchRange>>> {
  let flashError: unknown = null;
  const fromBytes = slot.receivedBytes;
  const result = await fetchRange(
    tools.http,
    {
      url: release.url,
      headers: tools.headers(),
      fromBytes,
      toBytes: Math.min(fromBytes + settings.blockBytes, release.fileBytes),
      totalBytes: release.fileBytes,
      timeoutMs: settings.timeoutMs,
    },
    (bytes) => {
      if (tools.abandoned()) return false;
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

/** The hash so far of what an earlier boot left in the slot. */
async function hashOfPrefix(slot: StagingSlot, tools: DownloadTools): Promise<Hasher> {
  const hasher = tools.crypto.sha256();
  const block = new Uint8Array(4096);
  for (let offsetBytes = 0; offsetBytes < slot.receivedBytes; offsetBytes += block.length) {
    const part = block.subarray(0, Math.min(block.length, slot.receivedBytes - offsetBytes));
    slot.read(offsetBytes, part);
    hasher.update(part);
    await pause(tools.clock, 0);
  }
  return hasher;
}

function ending(failure: RangeFailure): DownloadResult {
  const reasons: Record<RangeFailure, FailureReason> = {
    network: "network",
    "server-error": "server-error",
    "artifact-missing": "artifact-missing",
    "response-invalid": "response-invalid",
    refused: "network",
  };
  return { ok: false, reason: reasons[failure], passing: true };
}

export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

import type { BlockHashes } from "../image/block-hashes.ts";
import type { FailureReason } from "../offer/failure-reasons.ts";
import type { AcceptedOffer } from "../offer/offer.ts";
import { type Backoff, backoffMs } from "../policy/retry.ts";
import type { Random } from "../ports/board.ts";
import type { Crypto } from "../ports/crypto.ts";
import { FlashError } from "../ports/flash.ts";
import type { Http } from "../ports/http.ts";
import type { FileSink } from "./file-sink.ts";
import { BlockLanding, FileLanding, type Landing } from "./landing.ts";
import type { LongWork } from "./long-work.ts";
import { fetchRange, type RangeFailure, type RangeResult } from "./range.ts";

export interface DownloadSettings {
  /** Asked for per request. A link that drops costs none of it, a reset at most one sector. */
  readonly blockBytes: number;
  readonly timeoutMs: number;
  /** Between two requests, for the application's sake. */
  readonly pauseMs: number;
  readonly backoff: Backoff;
  /** Failures in a row after which the download ends for now; the sink keeps what it has. */
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
  /** A block is taken, and good as far as that can be told. */
  landed?(): void;
  /** A request is about to be made again. */
  repeated?(): void;
}

export type DownloadResult =
  | { readonly ok: true }
  /** `passing` failures may be gone later: what was taken stays good. */
  | { readonly ok: false; readonly reason: FailureReason; readonly passing: boolean };

/**
 * A block that came spoilt this often in a row ends the download: the server's copy may be the
 * spoilt one.
 */
const badBlocksMax = 3;

/**
 * Streams the rest of a file into where it goes, block by block, and judges it as it lands:
 * each block by its hash where the image brings them, else the whole file at its end. Nothing of
 * the file is kept in memory but one sector. After a power cut the same call goes on where the
 * sink ends.
 */
export async function download(
  offer: AcceptedOffer,
  blocks: BlockHashes | null,
  sink: FileSink,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<DownloadResult> {
  const landing =
    blocks === null
      ? new FileLanding(tools.crypto, offer.fileHash, settings.blockBytes)
      : new BlockLanding(tools.crypto, blocks);
  try {
    sink.resume();
    await keepWholeBlock(sink, landing, tools);
    const failure = await fetchRest(offer, sink, landing, settings, tools);
    if (failure !== null) return failure;
    return landing.fileEnded() ? { ok: true } : spoilt;
  } catch (error) {
    if (!(error instanceof FlashError)) throw error;
    return { ok: false, reason: "flash-error", passing: false };
  } finally {
    landing.close();
  }
}

const spoilt: DownloadResult = { ok: false, reason: "hash-mismatch", passing: false };

/** Null when every byte of the file is in the sink. */
async function fetchRest(
  offer: AcceptedOffer,
  sink: FileSink,
  landing: Landing,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<DownloadResult | null> {
  let failures = 0;
  let badBlocks = 0;
  // Bounded: every turn brings the download forward, or counts towards `failuresMax` or
  // `badBlocksMax`.
  while (sink.receivedBytes < offer.fileBytes) {
    if (tools.work.abandoned) return ending("network");
    await catchUp(sink, landing, tools);
    const before = sink.receivedBytes;
    const { result, isBad } = await fetchBlock(offer, sink, landing, settings, tools);
    if (tools.work.abandoned) return ending("network"); // the sink may be another's by now
    const isUnproven = !result.ok && result.isUnproven === true;
    if (isBad) sink.rewind(blockStart(sink.receivedBytes - 1, landing.blockBytes));
    else if (isUnproven && sink.receivedBytes > before) takeBack(sink, landing, before);
    if (sink.receivedBytes > before) failures = badBlocks = 0;
    if (isBad && !isUnproven) {
      badBlocks += 1;
      if (badBlocks >= badBlocksMax) return spoilt;
      tools.repeated?.();
    } else if (!result.ok) {
      const failure = isBad ? "response-invalid" : result.failure;
      // What had to be taken back was written for nothing: flash does not take that often.
      const isWear = isUnproven && failures > 0;
      if (isWear || !isWorthRepeating(failure)) return ending(failure);
      failures += 1;
      if (failures >= settings.failuresMax) return ending(failure);
      tools.repeated?.();
      await tools.work.pause(retryWaitMs(failures, result.retryAfterMs, settings, tools.random));
      continue;
    }
    if (settings.pauseMs > 0) await tools.work.pause(settings.pauseMs);
  }
  return null;
}

/** Takes back what nobody vouches for; blocks stay that have their hash. */
function takeBack(sink: FileSink, landing: Landing, beforeBytes: number): void {
  const judged = blockStart(sink.receivedBytes, landing.blockBytes);
  const keptBytes = landing.judgesBlockEndingAt(judged)
    ? Math.max(judged, beforeBytes)
    : beforeBytes;
  landing.close();
  sink.rewind(blockStart(keptBytes, sink.rewindBytes));
}

/**
 * What was withdrawn or cannot be fetched is not there a second later either: the next poll may
 * know better.
 */
export function isWorthRepeating(failure: RangeFailure): boolean {
  return (
    failure !== "artifact-missing" &&
    failure !== "artifact-denied" &&
    failure !== "redirect-refused" &&
    !isAddressRefused(failure)
  );
}

/**
 * The words of the server's reports for a transfer that ended, and whether a later one may go
 * better.
 */
export function transferEnded(failure: RangeFailure): {
  readonly reason: FailureReason;
  readonly passing: boolean;
} {
  const reason = failure === "refused" ? "network" : failure;
  return { reason, passing: !isAddressRefused(failure) };
}

function isAddressRefused(failure: RangeFailure): boolean {
  return (
    failure === "unsupported-url" ||
    failure === "url-too-long" ||
    failure === "url-ipv6" ||
    failure === "http-not-allowed"
  );
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

/**
 * Fetches up to the end of the block that the download stands in, or up to the end of the file from
 * a server that sends all of it whatever is asked for. Blocks are judged as they end.
 */
async function fetchBlock(
  offer: AcceptedOffer,
  sink: FileSink,
  landing: Landing,
  settings: DownloadSettings,
  tools: DownloadTools,
): Promise<{ readonly result: RangeResult; readonly isBad: boolean }> {
  let flashError: unknown = null;
  let isBad = false;
  const fromBytes = sink.receivedBytes;
  const toBytes = Math.min(blockEnd(fromBytes, landing), offer.fileBytes);
  /** False when the rest is not wanted: nobody waits for it, or a block is spoilt. */
  const taken = (bytes: Uint8Array): boolean => {
    // Bounded by the bytes: each turn takes some of them, to the end of a block at most.
    for (let at = 0; at < bytes.length && !isBad; ) {
      if (tools.work.abandoned) return false;
      const endBytes = Math.min(blockEnd(sink.receivedBytes, landing), offer.fileBytes);
      const part = bytes.subarray(at, at + endBytes - sink.receivedBytes);
      if (part.length === 0 || !sink.append(part)) return false;
      landing.update(part);
      at += part.length;
      if (sink.receivedBytes < endBytes) continue;
      isBad = landing.blockEnded() === "bad";
      if (isBad) return false;
      tools.landed?.();
      if (endBytes < offer.fileBytes) landing.catchUpFrom(endBytes); // from here, where the next begins
    }
    return !isBad;
  };
  const result = await fetchRange(
    tools.http,
    {
      url: offer.source.url,
      headers: tools.headers(offer.source.url),
      fromBytes,
      toBytes,
      totalBytes: offer.fileBytes,
      timeoutMs: settings.timeoutMs,
      isRestWelcome: true,
    },
    (bytes) => {
      try {
        return taken(bytes);
      } catch (error) {
        flashError = error;
        return false;
      }
    },
  );
  sink.release();
  if (flashError !== null) throw flashError;
  // A link that breaks behind the last byte has brought the block.
  const isWhole = sink.receivedBytes === toBytes && !isBad && !("isUnproven" in result);
  return { result: isWhole ? { ok: true } : result, isBad };
}

/**
 * What may be torn is fetched again, unless a block ends with it and has its hash: a device that
 * was reset between two blocks then asks for nothing twice.
 */
async function keepWholeBlock(
  sink: FileSink,
  landing: Landing,
  tools: DownloadTools,
): Promise<void> {
  const endBytes = sink.suspectEndBytes;
  if (endBytes === null || !landing.judgesBlockEndingAt(endBytes)) return;
  const fromBytes = landing.catchUpFrom(endBytes - 1);
  if (fromBytes === null) return;
  await readBack(sink, landing, tools, { fromBytes, toBytes: endBytes });
  if (tools.work.abandoned) return; // not all of it was read, and nobody goes on with it
  if (landing.blockEnded() === "good") sink.keepSuspect();
}

/** Gives the landing what the sink already holds of the block, or of the file. */
async function catchUp(sink: FileSink, landing: Landing, tools: DownloadTools): Promise<void> {
  const fromBytes = landing.catchUpFrom(sink.receivedBytes);
  if (fromBytes === null || fromBytes === sink.receivedBytes) return;
  await readBack(sink, landing, tools, { fromBytes, toBytes: sink.receivedBytes });
}

async function readBack(
  sink: FileSink,
  landing: Landing,
  tools: DownloadTools,
  { fromBytes, toBytes }: { fromBytes: number; toBytes: number },
): Promise<void> {
  const piece = new Uint8Array(4096);
  for (let offset = fromBytes; offset < toBytes; offset += piece.length) {
    if (tools.work.abandoned) return;
    const part = piece.subarray(0, Math.min(piece.length, toBytes - offset));
    sink.read(offset, part);
    landing.update(part);
    await tools.work.pause(0);
  }
}

function blockEnd(offsetBytes: number, { blockBytes }: Landing): number {
  return blockStart(offsetBytes, blockBytes) + blockBytes;
}

function blockStart(offsetBytes: number, blockBytes: number): number {
  return offsetBytes - (offsetBytes % blockBytes);
}

function ending(failure: RangeFailure): DownloadResult {
  return { ok: false, ...transferEnded(failure) };
}

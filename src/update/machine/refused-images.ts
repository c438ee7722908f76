import {
  type Clock,
  type KeyValue,
  type Log,
  type ResetReason,
  StorageError,
} from "../../ports/board.ts";
import { parseActionId } from "../../protocol/ddi.ts";
import { type DigestHex, parseDigestHex } from "../../protocol/digest.ts";
import { arrayAt, encodeJson, type JsonValue, parseJsonObject } from "../../protocol/json.ts";

const refusedKey = "refused";
const refusedBytesMax = 1024;
/** Images remembered as rolled back; the oldest is forgotten first. */
export const refusedMax = 8;

/**
 * How long an image waits after its first, second and third rollback for silence; the fourth is for
 * good.
 */
const silencePausesSeconds = [3600, 6 * 3600, 24 * 3600] as const;
/**
 * A boot counts as so long in a pause, so that resets in quick order cannot hold it up for ever.
 */
const bootSeconds = 60;
/** A pause is stored in so many parts: a reset loses no more than one. */
const pauseParts = 12;
/** The longest sleep that is believed. */
const sleepSecondsMax = 24 * 3600;

/** Why an image was rolled back. */
export interface RefusalCause {
  /** Nobody answered, and nothing else spoke against the image. */
  readonly isSilence: boolean;
  /** Under which action, or null when that is not known. */
  readonly actionId: string | null;
}

export interface RefusedImage {
  readonly imageHash: DigestHex;
  /** How long it waits until it may be tried again: 0 for now, null for good. */
  readonly waitSeconds: number | null;
}

/** Rollbacks for no other reason than silence. */
interface Silence {
  readonly actionId: string;
  readonly count: number;
  /** How much of the pause after the last rollback has passed. */
  readonly waitedSeconds: number;
}

interface RefusedPorts {
  readonly keyValue: KeyValue;
  readonly clock: Pick<Clock, "uptimeMs">;
  readonly log: Log;
}

interface Entry {
  readonly imageHash: DigestHex;
  readonly silence: Silence | null;
}

/**
 * The images that were rolled back here, one value of the storage: `{ hashes, silence }`, of the
 * same length; earlier firmware knows `hashes` alone and refuses them all for good.
 *
 * A pause after silence is measured by the uptime, by sleeps as they were announced, and by a
 * minute for each boot; the wall clock does not count, as it may step. A power cut loses up to a
 * twelfth of the pause. Nothing of it is written while no image waits; a write that fails is logged
 * and lost.
 */
export class RefusedImages {
  readonly #ports: RefusedPorts;
  /** The uptime up to which the stored pauses count. */
  #storedUptimeSeconds = 0;

  constructor(ports: RefusedPorts) {
    this.#ports = ports;
  }

  list(): readonly RefusedImage[] {
    const sinceSeconds = this.#sinceSeconds();
    return this.#read().map(({ imageHash, silence }) => ({
      imageHash,
      waitSeconds: silence && Math.max(0, restOf(silence) - sinceSeconds),
    }));
  }

  /** The same rollback may be told again after a reset, and counts once. */
  refuse(imageHash: DigestHex, cause: RefusalCause): void {
    const entries = this.#read();
    const known = entries.find((entry) => entry.imageHash === imageHash);
    const silence = cause.isSilence ? silenceAfter(known, cause.actionId) : null;
    const isTold = known !== undefined && silence === known.silence;
    if (isTold && (silence !== null || entries.at(-1) === known)) return;
    const others = this.#aged(entries.filter((entry) => entry !== known));
    this.#write([...others, { imageHash, silence }].slice(-refusedMax));
  }

  /** */
  pardon(imageHash: DigestHex): void {
    const entries = this.#read();
    const others = entries.filter((entry) => entry.imageHash !== imageHash);
    if (others.length < entries.length) this.#write(this.#aged(others));
  }

  /** The firmware started. A sleep was counted before it began. */
  booted(reason: ResetReason): void {
    if (reason !== "deep-sleep") this.#advance(bootSeconds);
  }

  /** Time passed: due at each poll. */
  passed(): void {
    const sinceSeconds = this.#sinceSeconds();
    const isDue = ({ silence }: Entry): boolean =>
      silence !== null &&
      restOf(silence) > 0 &&
      sinceSeconds >= Math.min(restOf(silence), pauseOf(silence) / pauseParts);
    if (sinceSeconds > 0 && this.#read().some(isDue)) this.#advance(0);
  }

  /** The device is about to restart, or to sleep so long. */
  leaving(sleepMs: number): void {
    this.#advance(Math.min(Math.max(0, Math.floor(sleepMs / 1000)), sleepSecondsMax));
  }

  #advance(bySeconds: number): void {
    const entries = this.#read();
    const waits = entries.some(({ silence }) => silence !== null && restOf(silence) > 0);
    if (waits && this.#sinceSeconds() + bySeconds > 0) this.#write(this.#aged(entries, bySeconds));
  }

  /** Awake since the pauses were stored. */
  #sinceSeconds(): number {
    return Math.max(0, Math.floor(this.#ports.clock.uptimeMs() / 1000) - this.#storedUptimeSeconds);
  }

  #aged(entries: readonly Entry[], bySeconds = 0): Entry[] {
    const passedSeconds = this.#sinceSeconds() + bySeconds;
    return entries.map(({ imageHash, silence }) => {
      if (silence === null) return { imageHash, silence };
      const waitedSeconds = Math.min(pauseOf(silence), silence.waitedSeconds + passedSeconds);
      return { imageHash, silence: { ...silence, waitedSeconds } };
    });
  }

  #read(): readonly Entry[] {
    const bytes = this.#ports.keyValue.read(refusedKey);
    const root = bytes === null ? null : parseJsonObject(bytes, refusedBytesMax);
    const hashes = root === null ? null : arrayAt(root, "hashes", refusedMax);
    if (root === null || hashes === null) return [];
    const silences = arrayAt(root, "silence", refusedMax);
    return hashes.flatMap((hash, index) => {
      const imageHash = parseDigestHex(typeof hash === "string" ? hash : null);
      const silence = decodeSilence(silences?.[index] ?? null);
      return imageHash === null ? [] : [{ imageHash, silence }];
    });
  }

  #write(entries: readonly Entry[]): void {
    const hashes = entries.map(({ imageHash }) => imageHash);
    const silence = entries.map((entry) => encodeSilence(entry.silence));
    const isForGood = silence.every((value) => value === null);
    const { keyValue, clock, log } = this.#ports;
    try {
      keyValue.write(refusedKey, encodeJson(isForGood ? { hashes } : { hashes, silence }));
      this.#storedUptimeSeconds = Math.floor(clock.uptimeMs() / 1000);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      log.write("error", `cannot remember the refused images: ${error.message}`);
    }
  }
}

/** One more rollback for silence, or the same again; null is for good. */
function silenceAfter(known: Entry | undefined, actionId: string | null): Silence | null {
  if (known === undefined) return { actionId: actionId ?? "", count: 1, waitedSeconds: 0 };
  const { silence } = known;
  if (silence === null || (actionId !== null && silence.actionId === actionId)) return silence;
  if (silence.count >= silencePausesSeconds.length) return null;
  return { actionId: actionId ?? "", count: silence.count + 1, waitedSeconds: 0 };
}

function pauseOf({ count }: Silence): number {
  return silencePausesSeconds[count - 1] ?? 0;
}

function restOf(silence: Silence): number {
  return pauseOf(silence) - silence.waitedSeconds;
}

function encodeSilence(silence: Silence | null): JsonValue {
  return silence && [silence.actionId, silence.count, silence.waitedSeconds];
}

/** Null for anything else: such an image is refused for good. */
function decodeSilence(value: JsonValue): Silence | null {
  if (!Array.isArray(value) || value.length !== 3) return null;
  const [action, count, waitedSeconds] = value as readonly JsonValue[];
  const actionId = action === "" ? "" : parseActionId(typeof action === "string" ? action : null);
  if (actionId === null || !isWithin(count, 1, silencePausesSeconds.length)) return null;
  const pauseSeconds = silencePausesSeconds[count - 1] ?? 0;
  return isWithin(waitedSeconds, 0, pauseSeconds) ? { actionId, count, waitedSeconds } : null;
}

function isWithin(value: JsonValue | undefined, min: number, max: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max;
}

import { failureReasons } from "../../offer/failure-reasons.ts";
import { type AcceptedOffer, accepted, addressNotKept, type Offer } from "../../offer/offer.ts";
import type { KeyValue } from "../../ports/board.ts";
import { parseActionId, parseUrl } from "../../protocol/ddi.ts";
import { parseDigestHex } from "../../protocol/digest.ts";
import {
  encodeJson,
  integerAt,
  type JsonObject,
  objectAt,
  parseJsonObject,
  stringAt,
} from "../../protocol/json.ts";
import { deferralReasons, rollbackReasons } from "./reasons.ts";
import {
  type CheckingState,
  type DownloadingState,
  offerOf,
  type StagedState,
  type State,
} from "./state.ts";

/** A value of the key-value storage holds no more. */
const journalBytesMax = 1024;
/** A longer one would not fit beside the rest of the offer: `addressNotKept` then stands for it. */
export const keptUrlLengthMax = 512;
const journalFormat = 2;
/** Bounds each counter in a state; all of them stop at 3. */
const countMax = 16;
/**
 * States that one attempt (an action's work on one file) may store; more would be a loop. A release
 * of the largest image without faults takes 10.
 */
export const attemptWritesMax = 60;
/**
 * The part of an attempt's writes that a wait or a pause may take, which can come and go for as
 * long as it likes.
 */
const waitWritesMax = 32;
/** Kept for the end of the attempt: its failure, or the way through swap and trial. */
const reservedWrites = 12;
const stateKey = "update";

/**
 * The stored state of the update, one value under one key, so that a power cut leaves the old one
 * or the new one. Whatever cannot be read, from another format or a lost storage, counts as idle:
 * the flash then tells the rest.
 *
 * An attempt stores at most `attemptWritesMax` states, counted across resets. A wait or a pause
 * that comes and goes uses up a part of them and is then kept in memory only: after a reset the
 * device finds out again that it has to wait.
 */
export class Journal {
  readonly #keyValue: KeyValue;
  #stored: string | null = null;
  /** The attempt that `#attemptWrites` counts, and what it stored so far. */
  #attempt: string | null = null;
  #attemptWrites = 0;
  /** Writes since this boot, for the bound of the design. */
  writes = 0;

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  /** Whether this state is stored but for its address, which the next poll tells after a reset. */
  #isStored(inner: JsonObject): boolean {
    const stored = this.#stored === null ? null : (JSON.parse(this.#stored) as JsonObject);
    return stored !== null && unaddressed(stored) === unaddressed(inner);
  }

  read(): State {
    const bytes = this.#keyValue.read(stateKey);
    const root = bytes === null ? null : parseJsonObject(bytes, journalBytesMax);
    const state = root === null ? null : decodeRoot(root);
    if (root === null || state === null) return { kind: "idle" };
    this.#stored = JSON.stringify(encodeInner(state));
    this.#attempt = attemptOf(state);
    this.#attemptWrites = integerAt(root, "n", 0, attemptWritesMax) ?? 0;
    return state;
  }

  /**
   * Stores a state that differs from the stored one. False when the attempt has stored too many: it
   * is to be given up, and the old state stands. Throws `StorageError`; the old state then stands.
   */
  write(state: State): boolean {
    const inner = encodeInner(state);
    const text = JSON.stringify(inner);
    if (text === this.#stored) return true;
    const attempt = attemptOf(state);
    const writes = attempt !== null && attempt === this.#attempt ? this.#attemptWrites : 0;
    if (writes >= waitWritesMax && (isWait(state) || this.#isStored(inner))) return true;
    const room = isOfWork(state) ? attemptWritesMax - reservedWrites : attemptWritesMax;
    if (writes >= room && attempt !== null) return false;
    this.#keyValue.write(stateKey, encodeJson({ v: journalFormat, n: writes + 1, s: inner }));
    this.#stored = text;
    this.#attempt = attempt;
    this.#attemptWrites = writes + 1;
    this.writes += 1;
    return true;
  }
}

/** Without the address of the file, which each offer may tell anew. */
function unaddressed(inner: JsonObject): string {
  const of = objectAt(inner, acceptedKey) ?? objectAt(inner, "offer");
  return JSON.stringify({ ...inner, [acceptedKey]: null, offer: { ...of, u: null } });
}

/** The same work on the same file for the same order. */
function attemptOf(state: State): string | null {
  const offer = offerOf(state);
  return offer === null ? null : `${offer.source.actionId} ${offer.fileHash}`;
}

/** Whether the state is a wait, which a device finds out again after a reset. */
function isWait(state: State): boolean {
  return state.kind === "deferred" || (state.kind === "failed" && state.resume !== null);
}

/** A state that can lead back to an earlier one. */
function isOfWork({ kind }: State): boolean {
  return kind === "checking" || kind === "downloading" || kind === "verifying" || kind === "staged";
}

/** The stored form: `{ v, n: writes of the attempt, s: state }`. Exported for its tests. */
export function encodeState(state: State): JsonObject {
  return { v: journalFormat, n: 0, s: encodeInner(state) };
}

function encodeInner(state: State): JsonObject {
  switch (state.kind) {
    case "idle":
      return { kind: state.kind };
    case "checking":
      return { kind: state.kind, offer: encodeOffer(state.offer) };
    case "deferred": {
      const { kind, reason, untilUnixMs, resume } = state;
      return { kind, reason, at: untilUnixMs, resume: encodeInner(resume) };
    }
    case "failed": {
      const { kind, reason, retryAtUnixMs, offer, resume } = state;
      // A value holds one offer, not two: the offer of a failure that can pass is the one of what
      // it goes on with.
      return resume === null
        ? { kind, reason, offer: encodeOffer(offer) }
        : { kind, reason, at: retryAtUnixMs, resume: encodeInner(resume) };
    }
    default: {
      const { offer, ...fields } = state;
      return { ...fields, [acceptedKey]: offer === null ? null : encodeOffer(offer) };
    }
  }
}

/** What an offer says with yes or no. */
const offerFlags = { a: "approved", f: "forced", r: "retry", w: "overridesWindows" } as const;

/** The member of a stored state that holds its accepted offer; journals in the field have it. */
export const acceptedKey = "release";

/** With names of one letter, so that the longest offer fits a value. */
export function encodeOffer(offer: Offer | AcceptedOffer): JsonObject {
  const { version: v, fileHash: f, fileBytes: b, imageHash: i } = offer;
  const { actionId: a, url } = offer.source;
  const u = url.length > keptUrlLengthMax ? addressNotKept : url;
  const said = { overridesWindows: false, ...offer };
  const letters = Object.entries(offerFlags).filter(([, name]) => said[name]);
  return { a, v, f, b, u, i, x: letters.map(([letter]) => letter).join("") };
}

/** Null for anything that is not exactly a state of this format. */
export function decodeState(bytes: Uint8Array): State | null {
  const root = parseJsonObject(bytes, journalBytesMax);
  return root === null ? null : decodeRoot(root);
}

function decodeRoot(root: JsonObject): State | null {
  if (integerAt(root, "v", journalFormat, journalFormat) === null) return null;
  const inner = objectAt(root, "s");
  return inner === null ? null : decodeInner(inner);
}

function decodeInner(object: JsonObject): State | null {
  const kind = stringAt(object, "kind", 16);
  if (kind === "idle") return { kind };
  if (kind === "deferred") return decodeDeferred(object);
  if (kind === "failed") return decodeFailed(object);
  if (kind === "trial") return decodeTrial(object);
  if (kind === "rollingBack") return decodeRollingBack(object);
  if (kind === "checking") {
    const offer = decodeOffer(objectAt(object, "offer"));
    return offer === null ? null : { kind, offer };
  }
  const offer = decodeAccepted(object);
  if (offer === null) return null;
  const hashFailures = integerAt(object, "hashFailures", 0, countMax);
  const requests = integerAt(object, "requests", 0, countMax);
  switch (kind) {
    case "downloading": {
      const prepared = booleanAt(object, "prepared");
      if (hashFailures === null || prepared === null) return null;
      return { kind, offer, hashFailures, prepared };
    }
    case "verifying":
      return hashFailures === null ? null : { kind, offer, hashFailures };
    case "staged":
      return requests === null ? null : { kind, offer, requests };
    case "activating": {
      const requested = booleanAt(object, "requested");
      const networkWasDown = booleanAt(object, "networkWasDown") ?? false;
      return requests === null || requested === null
        ? null
        : { kind, offer, requests, requested, networkWasDown };
    }
    case "confirmed":
      return { kind, offer };
    case "rolledBack": {
      const reason = wordAt(object, "reason", rollbackReasons);
      return reason === null ? null : { kind, offer, reason };
    }
    default:
      return null;
  }
}

function decodeTrial(object: JsonObject): State | null {
  const lastFailure = wordAt(object, "lastFailure", rollbackReasons);
  const networkWasDown = booleanAt(object, "networkWasDown") ?? false;
  return { kind: "trial", offer: decodeAccepted(object), lastFailure, networkWasDown };
}

function decodeRollingBack(object: JsonObject): State | null {
  const reason = wordAt(object, "reason", rollbackReasons);
  const waitsForPower = booleanAt(object, "waitsForPower") ?? false;
  return reason === null
    ? null
    : { kind: "rollingBack", offer: decodeAccepted(object), reason, waitsForPower };
}

function decodeDeferred(object: JsonObject): State | null {
  const resume = decodeResumable(object);
  const reason = wordAt(object, "reason", deferralReasons);
  const untilUnixMs = integerAt(object, "at", 0, Number.MAX_SAFE_INTEGER);
  return resume === null || reason === null
    ? null
    : { kind: "deferred", reason, untilUnixMs, resume };
}

function decodeFailed(object: JsonObject): State | null {
  const resume = decodeResumable(object);
  if (resume?.kind === "staged") return null;
  const offer = resume === null ? decodeOffer(objectAt(object, "offer")) : offerOf(resume);
  const reason = wordAt(object, "reason", failureReasons);
  const retryAtUnixMs = integerAt(object, "at", 0, Number.MAX_SAFE_INTEGER);
  return offer === null || reason === null
    ? null
    : { kind: "failed", offer, reason, resume, retryAtUnixMs };
}

function decodeResumable(
  object: JsonObject,
): CheckingState | DownloadingState | StagedState | null {
  const resume = objectAt(object, "resume");
  const state = resume === null ? null : decodeInner(resume);
  return state?.kind === "checking" || state?.kind === "downloading" || state?.kind === "staged"
    ? state
    : null;
}

/** The accepted offer of a state, or null. */
export function decodeAccepted(object: JsonObject): AcceptedOffer | null {
  const inner = objectAt(object, acceptedKey);
  const read = decodeOffer(inner);
  const offer = read === null ? null : accepted(read);
  return offer && { ...offer, overridesWindows: flagsOf(inner).includes("w") };
}

function flagsOf(object: JsonObject | null): string {
  return (object && stringAt(object, "x", 8)) ?? "";
}

function decodeOffer(object: JsonObject | null): Offer | null {
  if (object === null) return null;
  const actionId = parseActionId(stringAt(object, "a", 20));
  const version = stringAt(object, "v", 64);
  const fileHash = parseDigestHex(stringAt(object, "f", 64));
  const fileBytes = integerAt(object, "b", 1, 0xffff_ffff);
  const url = parseUrl(stringAt(object, "u", keptUrlLengthMax), keptUrlLengthMax);
  const imageHash = parseDigestHex(stringAt(object, "i", 64));
  if (actionId === null || version === null || fileHash === null) return null;
  if (fileBytes === null || url === null) return null;
  const flags = flagsOf(object);
  return {
    source: { by: "server", actionId, url },
    version,
    fileHash,
    fileBytes,
    imageHash,
    approved: flags.includes("a"),
    forced: flags.includes("f"),
    retry: flags.includes("r"),
  };
}

function booleanAt(object: JsonObject, key: string): boolean | null {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === "boolean" ? value : null;
}

/** The member when it is one of the words, else null. */
function wordAt<Word extends string>(
  object: JsonObject,
  key: string,
  words: readonly Word[],
): Word | null {
  const text = stringAt(object, key, 32);
  return words.find((word) => word === text) ?? null;
}

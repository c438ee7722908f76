import type { KeyValue } from "../ports/board.ts";
import { artifactUrlLengthMax, parseActionId, parseUrl } from "../protocol/ddi.ts";
import { type DigestHex, parseDigestHex } from "../protocol/digest.ts";
import {
  arrayAt,
  encodeJson,
  integerAt,
  type JsonObject,
  objectAt,
  parseJsonObject,
  stringAt,
} from "../protocol/json.ts";
import {
  asRelease,
  deferralReasons,
  failureReasons,
  type Offer,
  rollbackReasons,
} from "./release.ts";
import {
  type CheckingState,
  type DownloadingState,
  offerOf,
  type StagedState,
  type State,
} from "./state.ts";

/** A value of the key-value storage holds no more. */
const journalBytesMax = 1024;
const journalFormat = 1;
/** Of the counters in a state; all of them stop at 3. */
const countMax = 16;
const stateKey = "update";
const refusedKey = "refused";
/** Images remembered as rolled back; the oldest is forgotten first. */
export const refusedMax = 8;

/**
 * The stored state of the update, one value under one key, so that a power cut leaves the old one
 * or the new one. Whatever cannot be read, from another format or a lost storage, counts as idle:
 * the flash then tells the rest.
 */
export class Journal {
  readonly #keyValue: KeyValue;
  #stored: string | null = null;
  /** Writes since this boot, for the bound of the design. */
  writes = 0;

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  read(): State {
    const bytes = this.#keyValue.read(stateKey);
    const root = bytes === null ? null : parseJsonObject(bytes, journalBytesMax);
    const state = root === null ? null : decodeRoot(root);
    if (state === null) return { kind: "idle" };
    this.#stored = JSON.stringify(encodeState(state));
    return state;
  }

  /**
   * Stores a state that differs from the stored one. Throws `StorageError`; the old state then
   * stands.
   */
  write(state: State): void {
    const encoded = encodeState(state);
    const text = JSON.stringify(encoded);
    if (text === this.#stored) return;
    this.#keyValue.write(stateKey, encodeJson(encoded));
    this.#stored = text;
    this.writes += 1;
  }

  readRefused(): readonly DigestHex[] {
    const bytes = this.#keyValue.read(refusedKey);
    const root = bytes === null ? null : parseJsonObject(bytes, journalBytesMax);
    const hashes = root === null ? null : arrayAt(root, "hashes", refusedMax);
    return (hashes ?? [])
      .map((hash) => parseDigestHex(typeof hash === "string" ? hash : null))
      .filter((hash) => hash !== null);
  }

  /** Throws `StorageError`. */
  refuse(imageHash: DigestHex): void {
    const others = this.readRefused().filter((hash) => hash !== imageHash);
    const hashes = [...others, imageHash].slice(-refusedMax);
    this.#keyValue.write(refusedKey, encodeJson({ hashes }));
    this.writes += 1;
  }
}

/** The stored form: `{ v, s: state }`. Exported for its tests. */
export function encodeState(state: State): JsonObject {
  return { v: journalFormat, s: encodeInner(state) };
}

function encodeInner(state: State): JsonObject {
  if (state.kind === "deferred")
    return { kind: state.kind, reason: state.reason, resume: encodeInner(state.resume) };
  // A value holds one offer, not two: the offer of a failure that can pass is the one of what it
  // goes on with.
  if (state.kind === "failed" && state.resume !== null)
    return { kind: state.kind, reason: state.reason, resume: encodeInner(state.resume) };
  const { ...fields } = state as unknown as Record<string, never>;
  return fields;
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
  const offer = decodeOffer(objectAt(object, kind === "checking" ? "offer" : "release"));
  if (offer === null) return null;
  if (kind === "checking") return { kind, offer };
  const release = asRelease(offer);
  if (release === null) return null;
  const hashFailures = integerAt(object, "hashFailures", 0, countMax);
  const requests = integerAt(object, "requests", 0, countMax);
  switch (kind) {
    case "downloading": {
      const prepared = booleanAt(object, "prepared");
      if (hashFailures === null || prepared === null) return null;
      return { kind, release, hashFailures, prepared };
    }
    case "verifying":
      return hashFailures === null ? null : { kind, release, hashFailures };
    case "staged":
      return requests === null ? null : { kind, release, requests };
    case "activating": {
      const requested = booleanAt(object, "requested");
      return requests === null || requested === null
        ? null
        : { kind, release, requests, requested };
    }
    case "confirmed":
      return { kind, release };
    case "rolledBack": {
      const reason = wordAt(object, "reason", rollbackReasons);
      return reason === null ? null : { kind, release, reason };
    }
    default:
      return null;
  }
}

function decodeTrial(object: JsonObject): State | null {
  const offer = decodeOffer(objectAt(object, "release"));
  const lastFailure = wordAt(object, "lastFailure", rollbackReasons);
  return { kind: "trial", release: offer === null ? null : asRelease(offer), lastFailure };
}

function decodeDeferred(object: JsonObject): State | null {
  const resume = decodeResumable(object);
  const reason = wordAt(object, "reason", deferralReasons);
  return resume === null || reason === null ? null : { kind: "deferred", reason, resume };
}

function decodeFailed(object: JsonObject): State | null {
  const resume = decodeResumable(object);
  if (resume?.kind === "staged") return null;
  const offer = resume === null ? decodeOffer(objectAt(object, "offer")) : offerOf(resume);
  const reason = wordAt(object, "reason", failureReasons);
  return offer === null || reason === null ? null : { kind: "failed", offer, reason, resume };
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

function decodeOffer(object: JsonObject | null): Offer | null {
  if (object === null) return null;
  const actionId = parseActionId(stringAt(object, "actionId", 20));
  const version = stringAt(object, "version", 64);
  const fileHash = parseDigestHex(stringAt(object, "fileHash", 64));
  const fileBytes = integerAt(object, "fileBytes", 1, 0xffff_ffff);
  const url = parseUrl(stringAt(object, "url", artifactUrlLengthMax), artifactUrlLengthMax);
  const imageHash = parseDigestHex(stringAt(object, "imageHash", 64));
  if (actionId === null || version === null || fileHash === null) return null;
  if (fileBytes === null || url === null) return null;
  return { actionId, version, fileHash, fileBytes, url, imageHash };
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

import type { KeyValue } from "../ports/board.ts";
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
import type { DeferralReason, FailureReason, Offer, Release, RollbackReason } from "./release.ts";
import type { CheckingState, DownloadingState, StagedState, State } from "./state.ts";

/** A value of the key-value storage holds no more. */
const journalBytesMax = 1024;
const journalFormat = 1;
const stateKey = "update";
const refusedKey = "refused";
/** Images remembered as rolled back; the oldest is forgotten first. */
export const refusedMax = 8;

/**
 * The stored state of the update, one value under one key, so that a power cut leaves the old one or the new one.
 * Whatever cannot be read, from another format or a lost storage, counts as idle: the flash then tells the rest.
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

  /** Stores a state that differs from the stored one. Throws `StorageError`; the old state then stands. */
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
  if (state.kind === "failed")
    return {
      kind: state.kind,
      offer: { ...state.offer },
      reason: state.reason,
      resume: state.resume === null ? null : encodeInner(state.resume),
    };
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
  const hashFailures = integerAt(object, "hashFailures", 0, 16);
  switch (kind) {
    case "downloading":
      return hashFailures === null
        ? null
        : { kind, release, hashFailures, prepared: object["prepared"] === true };
    case "verifying":
      return hashFailures === null ? null : { kind, release, hashFailures };
    case "staged":
    case "confirmed":
      return { kind, release };
    case "activating": {
      const requests = integerAt(object, "requests", 0, 16);
      if (requests === null) return null;
      return { kind, release, requests, requested: object["requested"] === true };
    }
    case "rolledBack": {
      const reason = stringAt(object, "reason", 32);
      return reason === null ? null : { kind, release, reason: reason as RollbackReason };
    }
    default:
      return null;
  }
}

function decodeTrial(object: JsonObject): State | null {
  const offer = decodeOffer(objectAt(object, "release"));
  const lastFailure = stringAt(object, "lastFailure", 32) as RollbackReason | null;
  return { kind: "trial", release: offer === null ? null : asRelease(offer), lastFailure };
}

function decodeDeferred(object: JsonObject): State | null {
  const resume = decodeResumable(objectAt(object, "resume"));
  const reason = stringAt(object, "reason", 32);
  if (resume === null || reason === null) return null;
  return { kind: "deferred", reason: reason as DeferralReason, resume };
}

function decodeFailed(object: JsonObject): State | null {
  const offer = decodeOffer(objectAt(object, "offer"));
  const reason = stringAt(object, "reason", 32);
  const resume = decodeResumable(objectAt(object, "resume"));
  if (offer === null || reason === null || resume?.kind === "staged") return null;
  return { kind: "failed", offer, reason: reason as FailureReason, resume };
}

function decodeResumable(
  object: JsonObject | null,
): CheckingState | DownloadingState | StagedState | null {
  const state = object === null ? null : decodeInner(object);
  return state?.kind === "checking" || state?.kind === "downloading" || state?.kind === "staged"
    ? state
    : null;
}

function decodeOffer(object: JsonObject | null): Offer | null {
  if (object === null) return null;
  const actionId = stringAt(object, "actionId", 20);
  const version = stringAt(object, "version", 64);
  const fileHash = parseDigestHex(stringAt(object, "fileHash", 64));
  const fileBytes = integerAt(object, "fileBytes", 1, 0xffff_ffff);
  const url = stringAt(object, "url", 512);
  const imageHash = parseDigestHex(stringAt(object, "imageHash", 64));
  if (actionId === null || version === null || fileHash === null) return null;
  if (fileBytes === null || url === null) return null;
  return { actionId, version, fileHash, fileBytes, url, imageHash };
}

function asRelease(offer: Offer): Release | null {
  return offer.imageHash === null ? null : { ...offer, imageHash: offer.imageHash };
}

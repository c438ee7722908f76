import { type KeyValue, StorageError } from "../ports/board.ts";
import type { Crypto } from "../ports/crypto.ts";
import { integerAt, type JsonObject, objectAt, stringAt } from "../protocol/json.ts";
import {
  type ConfigurationDocument,
  type DocumentRefusal,
  parseConfigurationDocument,
} from "./configuration-document.ts";
import {
  documentOf,
  type EnvelopeRefusal,
  openConfigurationEnvelope,
} from "./configuration-envelope.ts";
import { DocumentSlots, otherSlot, parseSlot, type Slot } from "./document-slots.ts";
import { isFlagOn } from "./feature-flag.ts";

/** Bytes of an envelope unless told otherwise; the storage then holds up to three of them. */
export const configurationBytesMax = 4096;
export const configurationKeysMax = 4;
/** Boots in which a trial has to prove itself unless told otherwise. */
const trialBootsMax = 3;
const recordFormat = 1;
const bootsLimit = 255;

export interface ConfigurationOptions {
  readonly keyValue: KeyValue;
  readonly crypto: Crypto;
  /** Uncompressed P-256 points that may sign configurations, 1 to `configurationKeysMax`. */
  readonly keys: readonly Uint8Array[];
  /** Schemas that this firmware understands, both ends included. */
  readonly schemas: { readonly min: number; readonly max: number };
  /** In the key-value storage; at most 25 characters. */
  readonly name?: string;
  readonly bytesMax?: number;
  readonly trialBootsMax?: number;
}

/** What the storage holds. A version is null when its document cannot be read any more. */
export type ConfigurationState =
  | { readonly kind: "empty" }
  | { readonly kind: "stable"; readonly version: number }
  /** A document waits for `activate`; the active one, if any, is in effect. */
  | { readonly kind: "offered"; readonly version: number | null; readonly candidate: number | null }
  /** The candidate is in effect and has to prove itself; the previous one is kept. */
  | {
      readonly kind: "trial";
      readonly candidate: number | null;
      readonly previous: number | null;
      readonly boots: number;
    };

export type OfferRefusal =
  | EnvelopeRefusal
  | DocumentRefusal
  | "schema-unsupported"
  | "version-not-newer"
  | "trial-running"
  | "storage-error";

export type OfferResult =
  | { readonly ok: true; readonly version: number }
  | { readonly ok: false; readonly reason: OfferRefusal };

export type ChangeResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason:
        | "no-candidate"
        | "candidate-unreadable"
        | "trial-running"
        | "no-trial"
        | "storage-error";
    };

interface Active {
  readonly slot: Slot;
  readonly version: number;
}

/** The stored record; the documents are in the slots that it names. */
interface Stored {
  readonly active: Active | null;
  readonly candidate: Slot | null;
  /** Boots of the trial so far; null when there is none. */
  readonly boots: number | null;
  /** The highest version that ever was in effect. */
  readonly floor: number;
}

const nothingStored: Stored = { active: null, candidate: null, boots: null, floor: 0 };

/**
 * The device's configuration: signed documents, of which one is in effect and one may be on trial.
 *
 *   empty/stable --offer--> offered --activate--> trial --prove--> stable (the new one)
 *                                                       --revert-> stable/empty (the old one)
 *
 * Each arrow is one atomic write of the record, so a power cut leaves the state before it or the
 * state after it; a document that it leaves without a name is deleted at the next open. The state
 * is what the storage says, nothing else. A version at or below one that was ever in effect, or
 * waits, is refused, so that an old document that somebody kept cannot be played back; only the
 * revert itself goes back, and the reverted version is not taken again.
 */
export class Configuration {
  readonly #options: Required<ConfigurationOptions>;
  readonly #slots: DocumentSlots;
  #stored: Stored;
  /** This boot could not be counted, so it must not run on the candidate. */
  #uncounted = false;
  /** What is in effect, once it was read; undefined until then. */
  #inEffect: ConfigurationDocument | null | undefined;

  constructor(options: ConfigurationOptions) {
    const name = "configuration";
    this.#options = { name, bytesMax: configurationBytesMax, trialBootsMax, ...options };
    checkOptions(this.#options);
    const { keyValue, bytesMax } = this.#options;
    this.#slots = new DocumentSlots(keyValue, this.#options.name, { bytesMax });
    const record = this.#slots.readRecord();
    const stored = typeof record === "string" ? null : decodeStored(record);
    this.#stored = stored ?? nothingStored;
    // A record that this firmware cannot read may be a later firmware's: its documents stay.
    if (stored !== null || record === "absent") this.#deleteUnnamed();
  }

  get state(): ConfigurationState {
    const { active, candidate, boots } = this.#stored;
    const version = active?.version ?? null;
    if (candidate === null)
      return version === null ? { kind: "empty" } : { kind: "stable", version };
    const offered = this.#document(candidate)?.version ?? null;
    if (boots === null) return { kind: "offered", version, candidate: offered };
    return { kind: "trial", candidate: offered, previous: version, boots };
  }

  /**
   * Call once in each boot, before `read`: counts the boots of a trial, and reverts one that has
   * used them up or whose document is damaged, so that a configuration that crashes the device
   * cannot do so for ever. A boot that cannot be counted runs on the previous document.
   */
  booted(): "settled" | "trial" | "reverted" {
    const { candidate, boots } = this.#stored;
    if (boots === null || candidate === null) return "settled";
    const isOver = boots >= this.#options.trialBootsMax || this.#document(candidate) === null;
    if (!isOver && this.#store({ ...this.#stored, boots: boots + 1 })) return "trial";
    if (!this.revert().ok) this.#uncounted = true;
    this.#inEffect = undefined;
    return "reverted";
  }

  /** The document in effect; null when there is none that this firmware can use. */
  read(): ConfigurationDocument | null {
    if (this.#inEffect === undefined) {
      const { active, candidate, boots } = this.#stored;
      const slot = boots !== null && !this.#uncounted ? candidate : (active?.slot ?? null);
      this.#inEffect = slot === null ? null : this.#document(slot);
    }
    return this.#inEffect;
  }

  /** A flag that the document does not have is off. */
  flag(name: string, deviceId: string): boolean {
    const flag = this.read()?.flags.get(name);
    return flag !== undefined && isFlagOn(flag, deviceId, this.#options.crypto);
  }

  /**
   * Takes an envelope as the candidate, in place of one that waits. What is in effect does not
   * change. A cut leaves the earlier candidate, if any, or this one.
   */
  offer(envelope: Uint8Array): OfferResult {
    if (this.#stored.boots !== null) return { ok: false, reason: "trial-running" };
    const opened = openConfigurationEnvelope(envelope, this.#options);
    if (!opened.ok) return opened;
    const parsed = parseConfigurationDocument(opened.document, this.#options.bytesMax);
    if (!parsed.ok) return parsed;
    const { version, schema } = parsed.value;
    if (!this.#understands(schema)) return { ok: false, reason: "schema-unsupported" };
    if (!this.#isNewer(version)) return { ok: false, reason: "version-not-newer" };
    const { active, candidate } = this.#stored;
    const slot = candidate ?? otherSlot(active?.slot ?? null);
    try {
      this.#slots.write(slot, envelope);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return { ok: false, reason: "storage-error" };
    }
    if (slot === candidate || this.#store({ ...this.#stored, candidate: slot }))
      return { ok: true, version };
    this.#deleteUnnamed();
    return { ok: false, reason: "storage-error" };
  }

  /** Puts the candidate into effect, on trial. A cut leaves it waiting, or in effect. */
  activate(): ChangeResult {
    const { candidate, boots, floor } = this.#stored;
    if (boots !== null) return { ok: false, reason: "trial-running" };
    if (candidate === null) return { ok: false, reason: "no-candidate" };
    const document = this.#document(candidate);
    if (document === null) return { ok: false, reason: "candidate-unreadable" };
    return this.#change({
      ...this.#stored,
      boots: 0,
      floor: Math.max(floor, document.version),
    });
  }

  /**
   * The document on trial is good: the previous one is deleted. A cut leaves the trial, or that.
   */
  prove(): ChangeResult {
    const { candidate, boots, floor } = this.#stored;
    if (boots === null || candidate === null) return { ok: false, reason: "no-trial" };
    if (this.#uncounted) return { ok: false, reason: "storage-error" };
    const document = this.#document(candidate);
    if (document === null) return { ok: false, reason: "candidate-unreadable" };
    const active = { slot: candidate, version: document.version };
    return this.#change({ active, candidate: null, boots: null, floor });
  }

  /**
   * The document on trial is bad: the previous one is in effect. A cut leaves the trial, or that.
   */
  revert(): ChangeResult {
    if (this.#stored.boots === null) return { ok: false, reason: "no-trial" };
    return this.#change({ ...this.#stored, candidate: null, boots: null });
  }

  #change(next: Stored): ChangeResult {
    if (!this.#store(next)) return { ok: false, reason: "storage-error" };
    this.#uncounted = false;
    this.#deleteUnnamed();
    return { ok: true };
  }

  /** False when the storage refuses; the old record then stands. */
  #store(next: Stored): boolean {
    try {
      this.#slots.writeRecord({
        v: recordFormat,
        ...next,
        active: next.active && { ...next.active },
      });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return false;
    }
    this.#stored = next;
    this.#inEffect = undefined;
    return true;
  }

  #deleteUnnamed(): void {
    this.#slots.keepOnly([this.#stored.active?.slot ?? null, this.#stored.candidate]);
  }

  /** The active version itself counts as newer when its document was lost. */
  #isNewer(version: number): boolean {
    const { active, candidate, floor } = this.#stored;
    const waiting = candidate === null ? null : this.#document(candidate);
    if (version > Math.max(floor, waiting?.version ?? 0)) return true;
    if (candidate !== null || version !== active?.version) return false;
    return this.#slots.read(active.slot) === null;
  }

  #understands(schema: number): boolean {
    return schema >= this.#options.schemas.min && schema <= this.#options.schemas.max;
  }

  /**
   * Reads a document that was verified before it was stored. Null when it is damaged, or not for
   * this firmware.
   */
  #document(slot: Slot): ConfigurationDocument | null {
    const envelope = this.#slots.read(slot);
    const bytes = envelope === null ? null : documentOf(envelope);
    const parsed =
      bytes === null ? null : parseConfigurationDocument(bytes, this.#options.bytesMax);
    return parsed?.ok && this.#understands(parsed.value.schema) ? parsed.value : null;
  }
}

function decodeStored(record: JsonObject): Stored | null {
  if (integerAt(record, "v", recordFormat, recordFormat) === null) return null;
  const floor = integerAt(record, "floor", 0, Number.MAX_SAFE_INTEGER);
  if (floor === null) return null;
  const activeMember = objectAt(record, "active");
  const active = activeMember === null ? null : decodeActive(activeMember);
  if (activeMember !== null && active === null) return null;
  const candidate = parseSlot(stringAt(record, "candidate", 1));
  const boots = candidate === null ? null : integerAt(record, "boots", 0, bootsLimit);
  return candidate !== null && candidate === active?.slot
    ? null
    : { active, candidate, boots, floor };
}

function decodeActive(member: JsonObject): Active | null {
  const slot = parseSlot(stringAt(member, "slot", 1));
  const version = integerAt(member, "version", 1, Number.MAX_SAFE_INTEGER);
  return slot === null || version === null ? null : { slot, version };
}

function checkOptions(options: Required<ConfigurationOptions>): void {
  const { keys, trialBootsMax: boots } = options;
  if (keys.length === 0 || keys.length > configurationKeysMax)
    throw new RangeError(`${keys.length} configuration keys, must be 1 to ${configurationKeysMax}`);
  if (!Number.isInteger(boots) || boots < 1 || boots > bootsLimit)
    throw new RangeError(`trialBootsMax is ${boots}, must be 1 to ${bootsLimit}`);
}

import type { KeyValue } from "../ports/board.ts";
import {
  integerAt,
  type JsonObject,
  objectAt,
  parseJsonObject,
  stringAt,
} from "../protocol/json.ts";
import { DocumentSlots, otherSlot, parseSlot, type Slot } from "./document-slots.ts";

/** Bytes of the application's data as JSON, unless told otherwise; a trial holds them twice. */
const dataBytesMax = 4096;
export const dataSchemaMax = 0xffff;
const recordFormat = 1;

/** One version of the data; without a slot there is no data yet. */
export interface DataVersion {
  readonly schema: number;
  readonly slot: Slot | null;
}

/** Which versions of the data the storage holds; the first named is the one in effect. */
export type DataState =
  | { readonly kind: "empty" }
  | { readonly kind: "stable"; readonly data: DataVersion }
  /** A firmware on trial works on the copy; the original is as its firmware left it. */
  | { readonly kind: "trial"; readonly copy: DataVersion; readonly original: DataVersion }
  /** The firmware on trial was confirmed; the original waits for a late rollback. */
  | { readonly kind: "committed"; readonly data: DataVersion; readonly original: DataVersion }
  /** The record is damaged, or of a later firmware; nothing is deleted. */
  | { readonly kind: "unreadable" };

/**
 * The application's data in up to two versions, so that a firmware on trial never touches what the
 * one before it may have to go on with. Every change of state is one atomic write of the record; a
 * power cut leaves the state before it or after it, and a document without a name in the record is
 * deleted at the next open. All writes throw `StorageError`, and then the old state stands.
 */
export class DataStore {
  readonly #slots: DocumentSlots;
  #state: DataState;

  constructor(
    keyValue: KeyValue,
    { name = "data", bytesMax = dataBytesMax }: { name?: string; bytesMax?: number } = {},
  ) {
    this.#slots = new DocumentSlots(keyValue, name, { bytesMax });
    const record = this.#slots.readRecord();
    if (record === "absent") this.#state = { kind: "empty" };
    else this.#state = record === "unreadable" ? { kind: record } : decodeState(record);
    this.#deleteUnnamed();
  }

  get state(): DataState {
    return this.#state;
  }

  get bytesMax(): number {
    return this.#slots.bytesMax;
  }

  /** Null when the version holds no data; `damaged` when it cannot be read any more. */
  read(version: DataVersion): JsonObject | null | "damaged" {
    if (version.slot === null) return null;
    const bytes = this.#slots.read(version.slot);
    return (bytes === null ? null : parseJsonObject(bytes, this.bytesMax)) ?? "damaged";
  }

  /** The version that the application reads and writes. */
  get inEffect(): DataVersion | null {
    switch (this.#state.kind) {
      case "stable":
      case "committed":
        return this.#state.data;
      case "trial":
        return this.#state.copy;
      case "empty":
      case "unreadable":
        return null;
      default:
        return this.#state satisfies never;
    }
  }

  /** Replaces the data in effect. A cut leaves the old data or the new. */
  write(bytes: Uint8Array): void {
    const version = this.inEffect;
    if (version === null) throw new Error("data is written before its schema is known");
    if (version.slot !== null) this.#slots.write(version.slot, bytes);
    else this.#writeFirst(version, bytes);
  }

  /** No data yet, of this schema; whatever there was is forgotten, readable or not. */
  adopt(schema: number): void {
    this.#change({ kind: "stable", data: { schema, slot: null } });
  }

  /** Puts a copy beside the data in effect, which becomes the original. Null copies no data. */
  startTrial(schema: number, copy: Uint8Array | null): void {
    const original = this.inEffect;
    if (original === null) throw new Error("a trial starts beside data of a known schema");
    if (this.#state.kind !== "stable") this.#change({ kind: "stable", data: original });
    const slot = copy === null ? null : otherSlot(original.slot);
    if (slot !== null && copy !== null) this.#slots.write(slot, copy);
    this.#change({ kind: "trial", copy: { schema, slot }, original });
  }

  commit(): void {
    if (this.#state.kind !== "trial") return;
    const { copy, original } = this.#state;
    this.#change({ kind: "committed", data: copy, original });
  }

  /** Back to the original, where there is one. */
  discard(): void {
    if (this.#state.kind !== "trial" && this.#state.kind !== "committed") return;
    this.#change({ kind: "stable", data: this.#state.original });
  }

  /** Forgets the original of a committed version. */
  release(): void {
    if (this.#state.kind !== "committed") return;
    this.#change({ kind: "stable", data: this.#state.data });
  }

  #writeFirst(version: DataVersion, bytes: Uint8Array): void {
    const state = this.#state;
    const other = state.kind === "trial" || state.kind === "committed" ? state.original.slot : null;
    const slot = otherSlot(other);
    const written = { schema: version.schema, slot };
    this.#slots.write(slot, bytes);
    if (state.kind === "trial") this.#change({ ...state, copy: written });
    else if (state.kind === "committed") this.#change({ ...state, data: written });
    else this.#change({ kind: "stable", data: written });
  }

  #change(next: NamedState): void {
    try {
      this.#slots.writeRecord(encodeState(next));
      this.#state = next;
    } finally {
      this.#deleteUnnamed(); // of either record, what it does not name
    }
  }

  #deleteUnnamed(): void {
    const state = this.#state;
    if (state.kind === "unreadable") return;
    const original = state.kind === "trial" || state.kind === "committed" ? state.original : null;
    this.#slots.keepOnly([this.inEffect?.slot ?? null, original?.slot ?? null]);
  }
}

type NamedState = Exclude<DataState, { kind: "empty" | "unreadable" }>;

function encodeState(state: NamedState): JsonObject {
  const { kind } = state;
  const record = { v: recordFormat, kind };
  if (kind === "stable") return { ...record, data: { ...state.data } };
  const original = { ...state.original };
  if (kind === "trial") return { ...record, copy: { ...state.copy }, original };
  return { ...record, data: { ...state.data }, original };
}

function decodeState(record: JsonObject): DataState {
  const unreadable = { kind: "unreadable" } as const;
  if (integerAt(record, "v", recordFormat, recordFormat) === null) return unreadable;
  const kind = stringAt(record, "kind", 16);
  const inEffect = decodeVersion(objectAt(record, kind === "trial" ? "copy" : "data"));
  if (inEffect === null) return unreadable;
  if (kind === "stable") return { kind, data: inEffect };
  const original = decodeVersion(objectAt(record, "original"));
  if (original === null || (original.slot !== null && original.slot === inEffect.slot))
    return unreadable;
  if (kind === "trial") return { kind, copy: inEffect, original };
  return kind === "committed" ? { kind, data: inEffect, original } : unreadable;
}

function decodeVersion(member: JsonObject | null): DataVersion | null {
  const schema = member === null ? null : integerAt(member, "schema", 0, dataSchemaMax);
  if (member === null || schema === null) return null;
  return { schema, slot: parseSlot(stringAt(member, "slot", 1)) };
}

import { type KeyValue, StorageError } from "../ports/board.ts";
import { encodeJson, type JsonObject, parseJsonObject } from "../protocol/json.ts";
import { DocumentStore } from "./document-store.ts";

export type Slot = "a" | "b";

/** The record is one small value; it names slots and carries numbers. */
const recordBytesMax = 256;

/**
 * Two documents and a record that says what each of them is, so that a new document can be tried
 * while the old one stays untouched:
 *
 *   NAME     the record, JSON, one atomic value
 *   NAME.a   a document
 *   NAME.b   a document
 *
 * A document is written to the slot that the record does not name, then the record is replaced:
 * every step from one state to another is that one write. Whoever holds the slots calls `keepOnly`
 * at each open, so a document that a cut left without a name is deleted.
 */
export class DocumentSlots {
  readonly bytesMax: number;
  readonly #keyValue: KeyValue;
  readonly #name: string;
  readonly #stores: Readonly<Record<Slot, DocumentStore>>;

  constructor(keyValue: KeyValue, name: string, { bytesMax }: { readonly bytesMax: number }) {
    this.bytesMax = bytesMax;
    this.#keyValue = keyValue;
    this.#name = name;
    this.#stores = {
      a: new DocumentStore(keyValue, `${name}.a`, { bytesMax }),
      b: new DocumentStore(keyValue, `${name}.b`, { bytesMax }),
    };
  }

  /** `absent` was never written; `unreadable` is damaged, or of a later firmware. */
  readRecord(): JsonObject | "absent" | "unreadable" {
    const bytes = this.#keyValue.read(this.#name);
    if (bytes === null) return "absent";
    return parseJsonObject(bytes, recordBytesMax) ?? "unreadable";
  }

  /** Throws `StorageError`; a cut leaves the old record or the new one. */
  writeRecord(record: JsonObject): void {
    this.#keyValue.write(this.#name, encodeJson(record));
  }

  read(slot: Slot): Uint8Array | null {
    return this.#stores[slot].read();
  }

  /** Throws `StorageError`; a cut leaves what stood in the slot, or the new document. */
  write(slot: Slot, document: Uint8Array): void {
    this.#stores[slot].write(document);
  }

  /** Deletes the documents in all other slots. */
  keepOnly(kept: readonly (Slot | null)[]): void {
    for (const slot of ["a", "b"] as const) {
      if (kept.includes(slot) || !this.#stores[slot].exists) continue;
      try {
        this.#stores[slot].delete();
      } catch (error) {
        // The record does not name it: it is deleted at the next open, or written over.
        if (!(error instanceof StorageError)) throw error;
      }
    }
  }
}

/** The slot that is not this one; `a` when nothing is stored. */
export function otherSlot(slot: Slot | null): Slot {
  return slot === "a" ? "b" : "a";
}

export function parseSlot(text: string | null): Slot | null {
  return text === "a" || text === "b" ? text : null;
}

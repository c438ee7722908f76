import { StorageError } from "../ports/board.ts";
import { encodeJson, type JsonObject, parseJsonObject } from "../protocol/json.ts";
import { type DataStore, type DataVersion, dataSchemaMax } from "./data-store.ts";

/** Steps that a firmware may declare; a migration runs each at most once. */
export const migrationsMax = 32;

/**
 * One step; `run` gets data of schema `from` and answers data of schema `to`, without side effects.
 */
export interface Migration {
  readonly from: number;
  readonly to: number;
  run(data: JsonObject): JsonObject;
}

export type BeginResult =
  | {
      readonly ok: true;
      /** `restored`: an earlier firmware came back and has the data that it left. */
      readonly outcome: "ready" | "migrated" | "restored";
      readonly data: ApplicationData;
    }
  | MigrationFailure;

/** Nothing in effect was changed; the firmware cannot work on the data that there is. */
export type MigrationFailure = { readonly ok: false } & (
  | { readonly reason: "missing-step"; readonly schema: number }
  | {
      readonly reason: "step-threw";
      readonly from: number;
      readonly to: number;
      readonly message: string;
    }
  /** A step answered something that is no JSON object, or is nested too deep to be read again. */
  | { readonly reason: "step-result"; readonly from: number; readonly to: number }
  | { readonly reason: "too-large"; readonly bytes: number; readonly bytesMax: number }
  /** The data is of a later firmware, and there is no original to go back to. */
  | { readonly reason: "data-too-new"; readonly schema: number }
  | { readonly reason: "data-damaged" }
  | { readonly reason: "storage-error" }
);

export type DataWriteResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** `discarded`: the data of this schema was given up; a restart follows. */
      readonly reason: "too-large" | "not-storable" | "storage-error" | "discarded";
    };

export type MigrationChange =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "storage-error" };

/** The data as the running firmware knows it. */
export interface ApplicationData {
  /** Null before the first write, and when it is damaged. */
  read(): JsonObject | null;
  /** Replaces the data; a power cut leaves the old data or the new. */
  write(data: JsonObject): DataWriteResult;
}

/**
 * Brings the application's data to the schema of the firmware that runs, so that every firmware
 * finds data that it understands, and an earlier one that comes back finds its own, untouched:
 *
 *   begin      in each boot, before the application: on the first boot of a trial with a later
 *              schema the steps run and their result is stored as a copy, which is then in effect
 *   commit     at the confirm: the copy is the data, the original is kept for a late rollback
 *   release    when the soak is over: the original is deleted
 *   discard    at a rollback, before or after the confirm: the original is the data again
 *
 * An earlier firmware that finds a copy of a later schema at its `begin` discards it, so a rollback
 * by the bootloader needs no call. A power cut at any write leaves the state before the call or
 * after it: the steps run again, on the same original.
 */
export class Migrations {
  readonly #store: DataStore;
  readonly #steps = new Map<number, Migration>();
  /** The schema with which `begin` succeeded in this boot. */
  #begun: number | null = null;

  constructor(store: DataStore, declared: readonly Migration[]) {
    if (declared.length > migrationsMax)
      throw new RangeError(`${declared.length} migrations are declared, may be ${migrationsMax}`);
    for (const step of declared) {
      if (!isSchema(step.from) || !isSchema(step.to) || step.to <= step.from)
        throw new RangeError(`a migration from ${step.from} to ${step.to} does not go up`);
      if (this.#steps.has(step.from))
        throw new RangeError(`two migrations are declared from ${step.from}`);
      this.#steps.set(step.from, step);
    }
    this.#store = store;
  }

  begin(runningSchema: number): BeginResult {
    if (!isSchema(runningSchema))
      throw new RangeError(
        `the schema ${runningSchema} is not an integer from 0 to ${dataSchemaMax}`,
      );
    try {
      return this.#begin(runningSchema);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return { ok: false, reason: "storage-error" };
    }
  }

  commit(): MigrationChange {
    if (this.#begun === null || this.#store.inEffect?.schema !== this.#begun)
      throw new Error("commit before begin: this firmware's data is not in effect");
    return changed(() => this.#store.commit());
  }

  discard(): MigrationChange {
    return changed(() => this.#store.discard());
  }

  release(): MigrationChange {
    return changed(() => this.#store.release());
  }

  /** The way out of `data-damaged` and `data-too-new`: all data is given up, the original too. */
  erase(runningSchema: number): MigrationChange {
    return changed(() => this.#store.adopt(runningSchema));
  }

  #begin(schema: number): BeginResult {
    const { state, inEffect } = this.#store;
    if (state.kind === "unreadable") return { ok: false, reason: "data-damaged" };
    if (inEffect === null) {
      this.#store.adopt(schema);
      return this.#ready("ready", schema);
    }
    if (inEffect.schema === schema) return this.#ready("ready", schema);
    const original = state.kind === "trial" || state.kind === "committed" ? state.original : null;
    if (original?.schema === schema) {
      this.#store.discard();
      return this.#ready("restored", schema);
    }
    // A copy that was neither committed nor discarded belongs to no firmware that is left.
    if (state.kind === "trial") this.#store.discard();
    return this.#migrate(this.#store.inEffect ?? inEffect, schema);
  }

  #migrate(from: DataVersion, schema: number): BeginResult {
    if (from.schema === schema) return this.#ready("ready", schema);
    if (from.schema > schema) return { ok: false, reason: "data-too-new", schema: from.schema };
    const data = this.#store.read(from);
    if (data === "damaged") return { ok: false, reason: "data-damaged" };
    if (data === null) {
      this.#store.startTrial(schema, null);
      return this.#ready("migrated", schema);
    }
    const migrated = this.#run(data, from.schema, schema);
    if (!migrated.ok) return migrated;
    this.#store.startTrial(schema, migrated.bytes);
    return this.#ready("migrated", schema);
  }

  /** Runs the steps in memory; bounded, because each goes up to a declared schema. */
  #run(
    original: JsonObject,
    from: number,
    schema: number,
  ): { readonly ok: true; readonly bytes: Uint8Array } | MigrationFailure {
    const { bytesMax } = this.#store;
    let data = original;
    let bytes: Uint8Array = new Uint8Array(0);
    for (let at = from; at < schema; ) {
      const step = this.#steps.get(at);
      if (step === undefined || step.to > schema)
        return { ok: false, reason: "missing-step", schema: at };
      const ran = runStep(step, data, bytesMax);
      if (!ran.ok) return ran;
      ({ data, bytes } = ran);
      at = step.to;
    }
    return { ok: true, bytes };
  }

  #ready(outcome: "ready" | "migrated" | "restored", schema: number): BeginResult {
    this.#begun = schema;
    const store = this.#store;
    const current = (): DataVersion | null =>
      store.inEffect?.schema === schema ? store.inEffect : null;
    return {
      ok: true,
      outcome,
      data: {
        read() {
          const version = current();
          const data = version === null ? null : store.read(version);
          return data === "damaged" ? null : data;
        },
        write: (data) =>
          current() === null ? { ok: false, reason: "discarded" } : writeData(store, data),
      },
    };
  }
}

function runStep(
  step: Migration,
  data: JsonObject,
  bytesMax: number,
): { readonly ok: true; readonly data: JsonObject; readonly bytes: Uint8Array } | MigrationFailure {
  const { from, to } = step;
  let bytes: Uint8Array;
  try {
    bytes = encodeJson(step.run(data));
  } catch (error) {
    // The step is the application's code: whatever it throws ends the migration, and nothing else.
    return { ok: false, reason: "step-threw", from, to, message: messageOf(error) };
  }
  if (bytes.length > bytesMax)
    return { ok: false, reason: "too-large", bytes: bytes.length, bytesMax };
  const result = parseJsonObject(bytes, bytesMax);
  return result === null
    ? { ok: false, reason: "step-result", from, to }
    : { ok: true, data: result, bytes };
}

function writeData(store: DataStore, data: JsonObject): DataWriteResult {
  const bytes = encodeJson(data);
  if (bytes.length > store.bytesMax) return { ok: false, reason: "too-large" };
  // What could be written and never read again is refused now.
  if (parseJsonObject(bytes, store.bytesMax) === null) return { ok: false, reason: "not-storable" };
  return changed(() => store.write(bytes));
}

function changed(change: () => void): MigrationChange {
  try {
    change();
    return { ok: true };
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return { ok: false, reason: "storage-error" };
  }
}

const messageCharactersMax = 128;

function messageOf(error: unknown): string {
  return String(error).slice(0, messageCharactersMax);
}

function isSchema(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= dataSchemaMax;
}

import type { KeyValue } from "../ports/board.ts";
import { canonicalJson } from "./canonical-json.ts";
import { integerAt, textsAt } from "./fields.ts";
import { isJsonObject, parseStrictJson } from "./json.ts";
import type { Role } from "./role.ts";

/** One value of the key-value storage, so that each write is atomic. */
const directorMemoryKey = "tuf.director";
const bytesMax = 1024;
const limits = { jsonDepthMax: 2, jsonNodesMax: 16 };
/** The kept time moves on in steps, to spare the flash. */
const timeStepMs = 10 * 60_000;

export interface DirectorSays {
  readonly version: number;
  readonly trustedUnixMs: number;
}

const nothingSaid: DirectorSays = { version: 0, trustedUnixMs: 0 };

/**
 * The highest version and the latest time that the director said, over restarts. Neither goes back,
 * unless a root takes one of the director's keys away: then nothing counts that it said, as clause
 * 5.3.11 has it for the other online roles. So a fleet recovers from a director that was stolen and
 * ran far ahead.
 */
export class DirectorMemory {
  readonly #keyValue: KeyValue;

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  recall(director: Role): DirectorSays {
    const bytes = this.#keyValue.read(directorMemoryKey);
    const read = bytes === null || bytes.length > bytesMax ? null : parseStrictJson(bytes, limits);
    const stored = read?.ok && isJsonObject(read.value) ? read.value : null;
    if (stored === null) return nothingSaid;
    const version = integerAt(stored, "version", 0);
    const trustedUnixMs = integerAt(stored, "time", 0);
    const keyIds = textsAt(stored, "keys");
    if (version === null || trustedUnixMs === null || keyIds === null) return nothingSaid;
    const lost = keyIds.some((keyId) => !director.keyIds.includes(keyId));
    return lost ? nothingSaid : { version, trustedUnixMs };
  }

  /** Throws `StorageError`; a cut leaves what was kept before. Costs no write without need. */
  keep(director: Role, says: DirectorSays): void {
    const kept = this.recall(director);
    const grown = says.version > kept.version;
    if (!grown && says.trustedUnixMs < kept.trustedUnixMs + timeStepMs) return;
    const keyIds = director.keyIds.slice(0, keyIdsMax);
    const value = { version: says.version, time: says.trustedUnixMs, keys: keyIds };
    this.#keyValue.write(directorMemoryKey, canonicalJson(value));
  }
}

/** 64 digits each; they fit the value. */
const keyIdsMax = 8;

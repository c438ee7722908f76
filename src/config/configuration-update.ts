import { toHex } from "../image/hex.ts";
import { type KeyValue, StorageError } from "../ports/board.ts";
import { type Crypto, digestOf } from "../ports/crypto.ts";
import { type ConfigurationOffer, type Feedback, parseActionId } from "../protocol/ddi.ts";
import {
  encodeJson,
  integerAt,
  type JsonObject,
  objectAt,
  parseJsonObject,
  stringAt,
} from "../protocol/json.ts";
import type { SmallFile } from "../transfer/small-file.ts";
import type { Configuration, OfferRefusal } from "./configuration.ts";
import { parseConfigurationDocument } from "./configuration-document.ts";
import { documentOf } from "./configuration-envelope.ts";
import { windowsOf } from "./windows.ts";

/** How long a trial may go on in one boot before it counts as bad. */
export const configurationTrialMs = 5 * 60_000;
/**
 * Polls in a row at which the file is missing or not what the server announced, before the offer is
 * refused.
 */
const spoiltMax = 3;
const recordKey = "config-update";
const recordBytesMax = 256;

export interface ConfigurationUpdateTools {
  readonly configuration: Configuration;
  readonly keyValue: KeyValue;
  readonly crypto: Crypto;
  /** Longest signed document, as the configuration was given. */
  readonly bytesMax: number;
  fetch(offer: ConfigurationOffer): Promise<SmallFile>;
  /** True once the server took it, or can never take it. */
  report(actionId: string, feedback: Feedback): Promise<boolean>;
  /** Another document is in effect: the application reads its values anew. */
  changed(): void;
}

/** Why a configuration was not kept. The server gets these words. */
export type ConfigurationFailure =
  | Exclude<OfferRefusal, "storage-error" | "trial-running">
  | "storage-error"
  | "hash-mismatch"
  | "offer-mismatch"
  | "windows-invalid"
  | "artifact-missing"
  | "unsupported-url"
  | "http-not-allowed"
  | "health-check"
  | "not-proven";

interface UpdateRecord {
  readonly actionId: string;
  readonly version: number;
  /** What is to be told of it; null while it is on trial. */
  readonly outcome: Outcome | null;
}

type Outcome =
  | { readonly kind: "kept" }
  | { readonly kind: "reverted"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Brings configuration documents from the server into effect: fetch, verify, activate on trial, and
 * prove or revert. The action is stored before the document takes effect and what became of it
 * before it is told, so a power cut anywhere leaves a trial that goes on or an outcome that is told
 * again.
 *
 * | call        | when                                                                         |
 * | `booted`    | once in each boot, before the configuration is read                          |
 * | `offered`   | a poll led to a deployment of a configuration; repeating it changes nothing  |
 * | `polled`    | a poll was answered: what is left to tell is told                            |
 * | `healthy`   | the server answered and all health checks pass                               |
 * | `unhealthy` | health checks fail, as they would of an image                                |
 * | `tick`      | now and then, with the uptime                                                |
 */
export class ConfigurationUpdate {
  readonly #tools: ConfigurationUpdateTools;
  #record: UpdateRecord | null;
  #trialSinceMs: number | null = null;
  #spoilt = 0;
  #busy = false;

  constructor(tools: ConfigurationUpdateTools) {
    this.#tools = tools;
    this.#record = decodeRecord(tools.keyValue.read(recordKey));
  }

  /** What the attribute `configuration` tells the server: the version in effect, "0" for none. */
  get attribute(): string {
    return String(this.#tools.configuration.read()?.version ?? 0);
  }

  get onTrial(): boolean {
    return this.#tools.configuration.state.kind === "trial";
  }

  booted(): void {
    this.#tools.configuration.booted();
    const record = this.#record;
    if (record === null || record.outcome !== null || this.onTrial) return;
    const { state } = this.#tools.configuration;
    const isKept = state.kind === "stable" && state.version === record.version;
    // The power was cut before the document took effect: the next poll offers it once more.
    if (state.kind === "offered") this.#store(null);
    else
      this.#store({
        ...record,
        outcome: isKept ? { kind: "kept" } : { kind: "reverted", reason: "not-proven" },
      });
  }

  async offered(offer: ConfigurationOffer): Promise<void> {
    if (this.#busy || this.onTrial) return;
    this.#busy = true;
    try {
      if (this.#record?.outcome != null && !(await this.#tell())) return;
      await this.#take(offer);
    } finally {
      this.#busy = false;
    }
  }

  async polled(): Promise<void> {
    if (!this.#busy) await this.#tell();
  }

  async healthy(): Promise<void> {
    if (!this.onTrial || !this.#tools.configuration.prove().ok) return;
    this.#trialSinceMs = null;
    await this.#end({ kind: "kept" });
  }

  async unhealthy(): Promise<void> {
    await this.#revert("health-check");
  }

  async tick(uptimeMs: number): Promise<void> {
    if (!this.onTrial) return;
    this.#trialSinceMs ??= uptimeMs;
    if (uptimeMs - this.#trialSinceMs >= configurationTrialMs) await this.#revert("not-proven");
  }

  async #take(offer: ConfigurationOffer): Promise<void> {
    const { actionId, configurationVersion: version } = offer;
    const refuse = (reason: ConfigurationFailure): Promise<void> =>
      this.#end({ kind: "refused", reason }, { actionId, version });
    const { configuration, bytesMax, changed } = this.#tools;
    if (configuration.read()?.version === version)
      return this.#end({ kind: "kept" }, { actionId, version });
    if (!this.#waits(version)) {
      if (offer.fileBytes > bytesMax) return refuse("too-large");
      const file = await this.#tools.fetch(offer);
      const problem = this.#fileProblem(file, offer);
      if (problem === "passes") return;
      this.#spoilt = problem === null ? 0 : this.#spoilt + 1;
      if (problem !== null) return this.#spoilt < spoiltMax ? undefined : refuse(problem);
      if (!file.ok) return; // its problem was handled above
      const content = contentProblem(file.bytes, { version, bytesMax });
      if (content !== null) return refuse(content);
      const taken = configuration.offer(file.bytes);
      if (!taken.ok) return taken.reason === "trial-running" ? undefined : refuse(taken.reason);
    }
    if (!this.#store({ actionId, version, outcome: null })) return refuse("storage-error");
    if (!configuration.activate().ok) return refuse("storage-error");
    this.#trialSinceMs = null;
    changed();
    await this.#tools.report(actionId, progress(version));
  }

  /** A cut came between the offer and its activation: the document is here, verified. */
  #waits(version: number): boolean {
    const { state } = this.#tools.configuration;
    return state.kind === "offered" && state.candidate === version;
  }

  async #revert(reason: "health-check" | "not-proven"): Promise<void> {
    if (!this.onTrial || !this.#tools.configuration.revert().ok) return;
    this.#trialSinceMs = null;
    this.#tools.changed();
    await this.#end({ kind: "reverted", reason });
  }

  async #end(
    outcome: Outcome,
    of: { readonly actionId: string; readonly version: number } | null = this.#record,
  ): Promise<void> {
    if (of === null) return; // a document that was put into effect by hand has no action
    const { actionId, version } = of;
    const record = { actionId, version, outcome };
    if (!this.#store(record)) this.#record = record;
    await this.#tell();
  }

  /** True when nothing is left to tell. */
  async #tell(): Promise<boolean> {
    const record = this.#record;
    if (record === null || record.outcome === null) return true;
    const isTold = await this.#tools.report(record.actionId, final(record.version, record.outcome));
    if (isTold) this.#store(null);
    return isTold;
  }

  /** False when the storage refuses; what was stored before then stands. */
  #store(record: UpdateRecord | null): boolean {
    const { keyValue } = this.#tools;
    try {
      if (record === null) keyValue.delete(recordKey);
      else keyValue.write(recordKey, encodeJson(recordJson(record)));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return false;
    }
    this.#record = record;
    return true;
  }

  /** `passes`: the way to the file is bad, however long that lasts. */
  #fileProblem(
    file: SmallFile,
    offer: ConfigurationOffer,
  ): "hash-mismatch" | Permanent | "passes" | null {
    if (!file.ok) return isForGood(file.failure) ? file.failure : "passes";
    const fileHash = toHex(digestOf(this.#tools.crypto, file.bytes));
    return fileHash === offer.fileHash ? null : "hash-mismatch";
  }
}

type Permanent = "artifact-missing" | "unsupported-url" | "http-not-allowed";

function isForGood(failure: string): failure is Permanent {
  return (
    failure === "artifact-missing" ||
    failure === "unsupported-url" ||
    failure === "http-not-allowed"
  );
}

/** Before the signature is looked at: what this says of an unsigned document only keeps it out. */
function contentProblem(
  envelope: Uint8Array,
  wanted: { readonly version: number; readonly bytesMax: number },
): ConfigurationFailure | null {
  const bytes = documentOf(envelope);
  const parsed = bytes === null ? null : parseConfigurationDocument(bytes, wanted.bytesMax);
  if (parsed?.ok !== true) return null; // `offer` has the better word for it
  if (parsed.value.version !== wanted.version) return "offer-mismatch";
  return windowsOf(parsed.value.values).ok ? null : "windows-invalid";
}

function progress(version: number): Feedback {
  const details = ["state=trial", `version=${version}`];
  return { execution: "proceeding", finished: "none", details };
}

function final(version: number, outcome: Outcome): Feedback {
  const about = `version=${version}`;
  if (outcome.kind === "kept")
    return { execution: "closed", finished: "success", details: ["state=confirmed", about] };
  const state = outcome.kind === "reverted" ? "state=rolledBack" : "state=failed";
  const details = [state, about, `reason=${outcome.reason}`];
  return { execution: "closed", finished: "failure", details };
}

function recordJson({ actionId, version, outcome }: UpdateRecord): JsonObject {
  return { action: actionId, version, outcome: outcome && { ...outcome } };
}

function decodeRecord(bytes: Uint8Array | null): UpdateRecord | null {
  const root = bytes === null ? null : parseJsonObject(bytes, recordBytesMax);
  if (root === null) return null;
  const actionId = parseActionId(stringAt(root, "action", 20));
  const version = integerAt(root, "version", 1, Number.MAX_SAFE_INTEGER);
  if (actionId === null || version === null) return null;
  return { actionId, version, outcome: decodeOutcome(objectAt(root, "outcome")) };
}

function decodeOutcome(member: JsonObject | null): Outcome | null {
  const kind = member === null ? null : stringAt(member, "kind", 16);
  if (member === null || kind === null) return null;
  if (kind === "kept") return { kind };
  const reason = stringAt(member, "reason", 64);
  return reason !== null && (kind === "reverted" || kind === "refused") ? { kind, reason } : null;
}

import type { AcceptedOffer } from "../../offer/offer.ts";
import { failingAfterConfirm } from "../../policy/health.ts";
import {
  beginWatch,
  type StabilityDecision,
  type StabilityEvent,
  watchStability,
} from "../../policy/stability.ts";
import {
  decodeHistory,
  encodeHistory,
  type StabilityHistory,
} from "../../policy/stability-history.ts";
import { StorageError } from "../../ports/board.ts";
import type { Ports } from "../../ports/ports.ts";
import { encodeJson, parseJsonObject } from "../../protocol/json.ts";
import type { SecondaryFacts, SlotFacts } from "../../slots/slots.ts";
import type { Event } from "../machine/event.ts";
import { acceptedKey, decodeAccepted, encodeOffer } from "../machine/journal.ts";
import type { Settings } from "../settings.ts";
import type { HealthChecks } from "./health-checks.ts";

const historyKey = "stability";
const soakKey = "soak";
const soakBytesMax = 1024;

export interface SoakTools {
  readonly ports: Ports;
  readonly settings: Settings;
  /** The facts of the image that runs, as they are now. */
  readonly facts: SlotFacts;
  /** What the other slot holds; null when it cannot be read. */
  secondary(): SecondaryFacts | null;
  happened(event: Event): void;
}

/**
 * The watch over a confirmed image: keeps its history (`policy/stability`) in the storage, under
 * `stability`, and the offer that it is about under `soak`. A power cut leaves the history as it
 * was stored last; what happened since is lost, and never counts against the image.
 */
export class SoakWatch {
  readonly #tools: SoakTools;
  readonly #checks: HealthChecks;
  #history: StabilityHistory | null;
  #soaking: AcceptedOffer | null;

  constructor(tools: SoakTools, checks: HealthChecks) {
    this.#tools = tools;
    this.#checks = checks;
    const bytes = tools.ports.keyValue.read(historyKey);
    this.#history = bytes === null ? null : decodeHistory(bytes);
    this.#soaking = readSoaking(tools.ports);
  }

  /** The offer whose image runs, when its action is known. */
  get offer(): AcceptedOffer | null {
    const { imageHash } = this.#tools.facts;
    return this.#soaking?.imageHash === imageHash ? this.#soaking : null;
  }

  /** Something was counted against the image, or fails now. */
  get isUneasy(): boolean {
    const history = this.#history;
    if (history === null || history.phase === "over") return false;
    const { failingSinceSeconds, noServerSinceSeconds, resets } = history;
    return failingSinceSeconds !== null || noServerSinceSeconds !== null || resets.length > 0;
  }

  get watching(): boolean {
    return this.#history !== null && this.#history.phase !== "over";
  }

  /** The image that runs was just confirmed. */
  begin(offer: AcceptedOffer | null, facts: { readonly serverReached: boolean }): void {
    const { ports, settings } = this.#tools;
    const previousImageHash = this.#tools.secondary()?.imageHash ?? null;
    if (previousImageHash === null || settings.stability.soakMs <= 0) return;
    const { clock, keyValue } = ports;
    const history = beginWatch({
      imageHash: this.#tools.facts.imageHash,
      previousImageHash,
      uptimeMs: clock.uptimeMs(),
      unixMs: clock.unixMs(),
      serverReached: facts.serverReached,
    });
    this.#soaking = offer;
    this.#attempt(() => {
      if (offer === null) keyValue.delete(soakKey);
      else keyValue.write(soakKey, encodeJson({ [acceptedKey]: encodeOffer(offer) }));
    });
    this.#history = history;
    this.#attempt(() => keyValue.write(historyKey, encodeHistory(history)));
  }

  /** Takes an event into the history; a decision is stored before it is told. */
  take(event: StabilityEvent): void {
    const before = this.#history;
    if (before === null || before.phase === "over") return;
    const { ports, settings } = this.#tools;
    const { imageHash, image } = this.#tools.facts;
    const { clock, log } = ports;
    const context = {
      uptimeMs: clock.uptimeMs(),
      unixMs: clock.unixMs(),
      running: { imageHash, securityCounter: image.securityCounter },
      secondary: this.#tools.secondary(),
    };
    const watched = watchStability(before, event, context, settings.stability);
    const { history, decision, store } = watched;
    this.#history = history;
    const isStored = !store || this.#attempt(() => this.#write(history));
    if (decision.kind === "none") return;
    log.write("error", `${decision.kind} for ${decision.trigger}: ${decision.detail}`);
    // A rollback that is not remembered could be decided again for ever.
    if (isStored) this.#tools.happened(eventOf(decision));
  }

  /** What is due every ten seconds. */
  tick(): void {
    if (!this.watching) return;
    this.#checks.ask(() => undefined); // the next tick sees what they answer
    this.take({ kind: "health", failing: failingAfterConfirm(this.#checks.results()) !== null });
    const reading = this.#tools.ports.memory?.read() ?? null;
    if (reading !== null) this.take({ kind: "heap", ...reading });
  }

  #write(history: StabilityHistory): void {
    const { keyValue } = this.#tools.ports;
    if (history.phase === "over") keyValue.delete(historyKey);
    else keyValue.write(historyKey, encodeHistory(history));
  }

  #attempt(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#tools.ports.log.write("error", `the soak is not stored: ${error.message}`);
      return false;
    }
  }
}

function eventOf(decision: Exclude<StabilityDecision, { kind: "none" }>): Event {
  const { trigger } = decision;
  return { kind: decision.kind === "rollback" ? "destabilized" : "rollbackBarred", trigger };
}

function readSoaking({ keyValue }: Ports): AcceptedOffer | null {
  const bytes = keyValue.read(soakKey);
  const root = bytes === null ? null : parseJsonObject(bytes, soakBytesMax);
  return root === null ? null : decodeAccepted(root);
}

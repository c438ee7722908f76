import { DocumentStore } from "../../config/document-store.ts";
import type { FailureReason } from "../../offer/failure-reasons.ts";
import type { Offer } from "../../offer/offer.ts";
import type { Http } from "../../ports/http.ts";
import type { Ports } from "../../ports/ports.ts";
import type { DdiClient } from "../../transfer/ddi-client.ts";
import { type ApprovedRelease, gateMemory, isPassing, TrustGate } from "../../trust/gate.ts";
import { httpSource } from "../../trust/metadata-source.ts";
import { deviceMetadataStore } from "../../trust/metadata-store.ts";
import { p256TrustCrypto } from "../../trust/p256-crypto.ts";
import type { TrustRefusal } from "../../trust/refusal.ts";
import type { Identity, Settings } from "../settings.ts";
import type { TrustedClock } from "./trusted-clock.ts";

export interface ReleaseTrustTools {
  readonly ports: Ports;
  readonly http: Http;
  readonly identity: Identity;
  readonly settings: Settings;
  readonly client: DdiClient;
  readonly time: TrustedClock;
}

export type TrustVerdict =
  | { readonly ok: true; readonly approved: ApprovedRelease }
  | { readonly ok: false; readonly reason: FailureReason; readonly passing: boolean };

/** The trust gate of this device: its metadata in the key-value storage, its server over HTTP. */
export class ReleaseTrust {
  readonly #tools: ReleaseTrustTools;
  readonly #memory = gateMemory();
  /** What is asked now: gates share what is stored, so that one ends before the next begins. */
  #asking: Promise<unknown> = Promise.resolve();

  constructor(tools: ReleaseTrustTools) {
    this.#tools = tools;
  }

  /** Whether the offline keys and the director both name what the server offers. */
  async check(offer: Offer, securityCounter: number | null): Promise<TrustVerdict> {
    const verdict = await this.#inTurn((gate) => gate.check(offer, { securityCounter }));
    if (verdict.ok) return { ok: true, approved: verdict.value };
    const { reason, detail } = verdict;
    this.#tools.ports.log.write("warn", `${offer.version} not trusted: ${reason}: ${detail}`);
    return { ok: false, reason: failureReason(reason), passing: isPassing(reason) };
  }

  /** Learns the time from the director, for a device whose own clock is not set. */
  async askTime(): Promise<void> {
    const verdict = await this.#inTurn((gate) => gate.askTime());
    if (verdict.ok) return;
    const { reason, detail } = verdict;
    this.#tools.ports.log.write("warn", `the director told no time: ${reason}: ${detail}`);
  }

  async #inTurn<T>(ask: (gate: TrustGate) => Promise<T>): Promise<T> {
    const before = this.#asking;
    const asked = before.then(() => ask(this.#open()));
    // Whoever asked hears of the end; what was answered is not kept.
    this.#asking = asked.then(nothing, nothing);
    return asked;
  }

  /** For one check: what it takes is free again when the download begins. */
  #open(): TrustGate {
    const { ports, http, identity, settings, client, time } = this.#tools;
    const timeoutMs = settings.requestTimeoutMs;
    const { serverUrl, deviceId, hardware } = identity;
    const tenant = `${serverUrl}/${encodeURIComponent(identity.tenant)}`;
    const device = `${tenant}/controller/v1/${encodeURIComponent(deviceId)}`;
    const gate = {
      metadata: httpSource(http, { baseUrl: `${tenant}/tuf/`, timeoutMs, headers: () => ({}) }),
      director: httpSource(http, {
        baseUrl: `${device}/`,
        timeoutMs,
        headers: (url) => client.headers(url),
      }),
      store: deviceMetadataStore(
        hardware,
        (name, options) => new DocumentStore(ports.keyValue, name, options),
      ),
      keyValue: ports.keyValue,
      random: ports.random,
      crypto: p256TrustCrypto(ports.crypto),
      heardTime: (unixMs: number) => time.heard(unixMs),
      device: { deviceId, hardware },
    };
    return new TrustGate(gate, this.#memory);
  }
}

function nothing(): void {}

/** The words of the server's reports: what is not of trust has the words that it has elsewhere. */
function failureReason(reason: TrustRefusal): FailureReason {
  switch (reason) {
    case "network":
    case "server-error":
    case "response-malformed":
    case "content-encoded":
    case "storage-error":
    case "hardware-mismatch":
    case "security-counter":
      return reason;
    default:
      return `trust-${reason}`;
  }
}

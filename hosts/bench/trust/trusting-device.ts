import { DocumentStore } from "../../../src/config/document-store.ts";
import type { KeyValue } from "../../../src/ports/board.ts";
import { formatRunning, runningHeader } from "../../../src/protocol/running.ts";
import { TrustGate } from "../../../src/trust/gate.ts";
import { deviceLimits } from "../../../src/trust/limits.ts";
import { httpSource, type MetadataSource } from "../../../src/trust/metadata-source.ts";
import { deviceMetadataStore } from "../../../src/trust/metadata-store.ts";
import { p256TrustCrypto } from "../../../src/trust/p256-crypto.ts";
import { SignatureMemory } from "../../../src/trust/signature-memory.ts";
import type { TrustCrypto } from "../../../src/trust/trust-crypto.ts";
import { TrustUpdater } from "../../../src/trust/updater.ts";
import { nodeCrypto } from "../../release/node-crypto.ts";
import { nodeHttp } from "../../release/trust/node-http.ts";

export interface TrustingDeviceOptions {
  readonly serverUrl: string;
  readonly tenant: string;
  readonly deviceId: string;
  readonly token: string;
  readonly hardware: string;
  readonly firstRoot: Uint8Array;
}

const timeoutMs = 10_000;
const rememberedFiles = 10;

/** The trust of one device, over real HTTP, that counts what it does. */
export class TrustingDevice {
  /** Since it started. */
  readonly counts = { bodyBytes: 0, requests: 0, signatures: 0 };
  readonly gate: TrustGate;
  /** The same without a director: root and timestamp, and what they lead to. */
  readonly updater: TrustUpdater;
  readonly #options: TrustingDeviceOptions;

  readonly #values: Map<string, Uint8Array>;

  constructor(options: TrustingDeviceOptions, values = new Map<string, Uint8Array>()) {
    this.#options = options;
    this.#values = values;
    const { serverUrl, tenant, deviceId, hardware } = options;
    const base = `${serverUrl}/${tenant}`;
    const keyValue: KeyValue = {
      read: (key) => values.get(key) ?? null,
      write: (key, value) => void values.set(key, value.slice()),
      delete: (key) => void values.delete(key),
    };
    const store = deviceMetadataStore(
      hardware,
      (name, bounds) => new DocumentStore(keyValue, name, bounds),
    );
    if (store.read("root") === null) store.write("root", options.firstRoot);
    const crypto = this.#countingCrypto();
    const metadata = this.#source(`${base}/tuf/`, {});
    this.gate = new TrustGate({
      metadata,
      director: this.#source(`${base}/controller/v1/${deviceId}/`, this.headers),
      store,
      keyValue,
      random: { next: Math.random },
      crypto,
      heardTime() {},
      device: { deviceId, hardware },
    });
    const memory = new SignatureMemory({ entriesMax: rememberedFiles });
    const rules = { limits: deviceLimits, crypto, memory };
    this.updater = new TrustUpdater({ source: metadata, store, rules });
  }

  /** The same device after a restart: what it stored is there, what it remembered is not. */
  restarted(): TrustingDevice {
    return new TrustingDevice(this.#options, this.#values);
  }

  /** What every request of this device to its own resources carries. */
  get headers(): Readonly<Record<string, string>> {
    const running = { version: "1.0.0", imageHash: "00".repeat(32), confirmed: true };
    return {
      authorization: `TargetToken ${this.#options.token}`,
      [runningHeader]: formatRunning(running as Parameters<typeof formatRunning>[0]),
    };
  }

  #countingCrypto(): TrustCrypto {
    const crypto = p256TrustCrypto(nodeCrypto);
    return {
      hasher: (algorithm) => crypto.hasher(algorithm),
      verify: (...args) => {
        this.counts.signatures += 1;
        return crypto.verify(...args);
      },
    };
  }

  #source(baseUrl: string, headers: Readonly<Record<string, string>>): MetadataSource {
    const source = httpSource(nodeHttp, { baseUrl, timeoutMs, headers: () => headers });
    return {
      fetch: async (address, bytesMax) => {
        const fetched = await source.fetch(address, bytesMax);
        this.counts.requests += 1;
        if (fetched.kind === "found") this.counts.bodyBytes += fetched.body.length;
        return fetched;
      },
    };
  }
}

import { sha256 } from "@noble/hashes/sha2.js";
import { DocumentStore } from "../../../src/config/document-store.ts";
import type { KeyValue } from "../../../src/ports/board.ts";
import type { Crypto } from "../../../src/ports/crypto.ts";
import { TrustGate } from "../../../src/trust/gate.ts";
import type { MetadataSource } from "../../../src/trust/metadata-source.ts";
import { deviceMetadataStore } from "../../../src/trust/metadata-store.ts";
import { p256TrustCrypto } from "../../../src/trust/p256-crypto.ts";

// Asks the gate on an engine, and says what came of it in one line each.
declare const trace: (text: string) => void;
/** Put in front of the bundle by the test. */
declare const given: {
  readonly files: Readonly<Record<string, string>>;
  /** Digests that the keys signed. */
  readonly digests: readonly string[];
  readonly offers: readonly {
    readonly fileHash: string;
    readonly fileBytes: number;
    readonly imageHash: string | null;
  }[];
};

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const values = new Map<string, Uint8Array>();
const keyValue: KeyValue = {
  read: (key) => values.get(key)?.slice() ?? null,
  write: (key, value) => void values.set(key, value.slice()),
  delete: (key) => void values.delete(key),
};

/** A board has native crypto, tested elsewhere: here a signature counts whose digest is right. */
const crypto: Crypto = {
  sha256() {
    const hash = sha256.create();
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
      close() {},
    };
  },
  verifyP256: (_, digest) => given.digests.includes(hexOf(digest)),
};

const source: MetadataSource = {
  fetch: async (address) => {
    const hex = given.files[address];
    return hex === undefined ? { kind: "missing" } : { kind: "found", body: bytesOf(hex) };
  },
};
const store = deviceMetadataStore(
  "esp32c3-b",
  (name, options) => new DocumentStore(keyValue, name, options),
);
store.write("root", bytesOf(given.files["1.root.json"] ?? ""));
const gate = new TrustGate({
  metadata: source,
  director: source,
  store,
  keyValue,
  random: { next: () => 0.5 },
  crypto: p256TrustCrypto(crypto),
  heardTime() {},
  device: { deviceId: "device-1", hardware: "esp32c3-b" },
});
const say = (what: unknown): void => trace(JSON.stringify(what));

async function ask(): Promise<void> {
  for (const offer of given.offers) say(await gate.check(offer, { securityCounter: 5 }));
  say([...values].map(([key, value]) => [key, value.length, value.at(-1)]));
}
ask().catch((error: unknown) => say(String(error)));

import { sha256 } from "@noble/hashes/sha2.js";
import { Configuration } from "../../../src/config/configuration.ts";
import { DataStore } from "../../../src/config/data-store.ts";
import { Migrations } from "../../../src/config/migrations.ts";
import type { Clock, KeyValue } from "../../../src/ports/board.ts";
import type { Crypto } from "../../../src/ports/crypto.ts";
import { EventQueue } from "../../../src/update/agent/event-queue.ts";

// Runs configuration, migrations and events on an engine, and says what came of it in one line
// each.
declare const trace: (text: string) => void;
/** Put in front of the bundle by the test. */
declare const offered: { readonly keyHex: string; readonly envelopeHex: string };

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));

const values = new Map<string, Uint8Array>();
const keyValue: KeyValue = {
  read: (key) => values.get(key)?.slice() ?? null,
  write: (key, value) => void values.set(key, value.slice()),
  delete: (key) => void values.delete(key),
};
const clock: Clock = {
  uptimeMs: () => 1000,
  unixMs: () => null,
  after: () => ({ cancel() {} }),
};

/** A board has native crypto, tested elsewhere: here every signature counts. */
const crypto: Crypto = {
  sha256() {
    const hash = sha256.create();
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
      close() {},
    };
  },
  verifyP256: () => true,
};

const configuration = new Configuration({
  keyValue,
  crypto,
  keys: [bytesOf(offered.keyHex)],
  schemas: { min: 1, max: 1 },
});
const say = (what: unknown): void => trace(JSON.stringify(what));
say([configuration.offer(bytesOf(offered.envelopeHex)), configuration.activate()]);
say([configuration.booted(), configuration.state, configuration.read()?.values]);
say(Array.from({ length: 8 }, (_, index) => configuration.flag("half", `device-${index}`)));
say([configuration.prove(), configuration.offer(bytesOf(offered.envelopeHex))]);

const run = (data: object): { moved: true } => ({ ...data, moved: true });
for (const schema of [1, 2, 1]) {
  const migrations = new Migrations(new DataStore(keyValue), [{ from: 1, to: 2, run }]);
  const begun = migrations.begin(schema);
  if (begun.ok && schema === 1 && begun.data.read() === null)
    say(begun.data.write({ text: "grün".repeat(300) }));
  if (begun.ok) say([begun.outcome, Object.keys(begun.data.read() ?? {})]);
}

for (let boot = 0; boot < 2; boot += 1) {
  const ports = { keyValue, clock, random: { next: () => 0.5 } };
  const queue = new EventQueue(ports, () => ({ signalDbm: -60, batteryPercent: null }));
  queue.add({ type: "update.health.failed", version: "1.2.0", reason: "grün" });
  const batch = queue.batch();
  say(batch?.ids);
  say(new TextDecoder().decode(batch?.body));
}
say([...values].map(([key, value]) => [key, value.length, value.at(-1)]));

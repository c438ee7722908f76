import fc from "fast-check";
import type { RecordedEvent, UpdateEvent, UpdateEventType } from "../../../src/protocol/events.ts";

/** One event of each type, in the order of an update that fails and then succeeds. */
export const eventExamples: readonly UpdateEvent[] = [
  { type: "update.check.started" },
  { type: "update.check.completed", version: "1.2.0", reason: null },
  { type: "update.download.started", version: "1.2.0", bytes: 4096, totalBytes: 500_000 },
  { type: "update.download.progress", version: "1.2.0", percent: 10, bytes: 50_000, retries: 1 },
  { type: "update.download.failed", version: "1.2.0", reason: "network", bytes: 9, retries: 3 },
  { type: "update.download.completed", version: "1.2.0", bytes: 500_000, retries: 4 },
  { type: "update.install.started", version: "1.2.0" },
  { type: "update.install.completed", version: "1.2.0" },
  { type: "update.reboot.started", fromVersion: "1.1.0", toVersion: "1.2.0" },
  { type: "update.reboot.completed", fromVersion: "1.1.0", version: "1.2.0", reason: "software" },
  { type: "update.health.failed", version: "1.2.0", reason: "no-server" },
  { type: "update.rollback.triggered", fromVersion: "1.2.0", toVersion: "1.1.0", reason: "leak" },
  { type: "update.rollback.completed", fromVersion: "1.2.0", toVersion: "1.1.0", reason: "leak" },
  { type: "update.health.ok", version: "1.2.0" },
];

export function exampleOf(type: UpdateEventType): UpdateEvent {
  const example = eventExamples.find((event) => event.type === type);
  if (example === undefined) throw new Error(`no example of ${type}`);
  return example;
}

const anyText = fc.string({
  unit: fc.constantFrom(..."abcXYZ019.+- {}[]:,'"),
  maxLength: 64,
  size: "max",
});

/** Any event as a codec must give it back: an example whose texts and numbers are drawn anew. */
export const anyEvent: fc.Arbitrary<UpdateEvent> = fc
  .constantFrom(...eventExamples)
  .chain((event) => {
    const drawn = Object.entries(event).map(([name, value]) => {
      if (name === "type") return fc.constant([name, value] as const);
      if (typeof value === "number")
        return fc.nat(name === "percent" ? 100 : 0xffff).map((number) => [name, number] as const);
      return anyText.map((text) => [name, text] as const);
    });
    return fc.tuple(...drawn).map((entries) => Object.fromEntries(entries) as UpdateEvent);
  });

export const anyRecordedEvent: fc.Arbitrary<RecordedEvent> = fc.record(
  {
    id: fc.tuple(fc.nat(), fc.nat()).map(([boot, sequence]) => `1a2b3c4d.${boot}-${sequence}`),
    event: anyEvent,
    atUptimeMs: fc.maxSafeNat(),
    unixMs: fc.option(fc.maxSafeNat()),
    signalDbm: fc.option(fc.integer({ min: -200, max: 100 })),
    batteryPercent: fc.option(fc.nat(100)),
  },
  { noNullPrototype: true },
);

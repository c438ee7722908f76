import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PowerCut } from "../../../../hosts/flash/operation.ts";
import { decodeEvents, type UpdateEvent } from "../../../../src/protocol/events.ts";
import {
  EventQueue,
  eventsPerBatchMax,
  eventsWaitingMax,
  eventWritesPerBootMax,
  milestonesKeptMax,
} from "../../../../src/update/agent/event-queue.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { CuttableKeyValue } from "../../../support/storage-cuts.ts";
import { eventExamples } from "../../protocol/update-events.ts";

type Action =
  | { readonly kind: "add"; readonly event: UpdateEvent }
  | { readonly kind: "deliver" | "lose-answer" | "reboot" }
  | { readonly kind: "cut"; readonly writes: number; readonly side: "before" | "after" };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      event: fc.constantFrom(...eventExamples),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("deliver" as const, "lose-answer" as const, "reboot" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cut" as const),
      writes: fc.nat(3),
      side: fc.constantFrom("before" as const, "after" as const),
    }),
  },
);

const isMilestone = ({ type }: UpdateEvent): boolean =>
  !/check|started|progress/.test(type) || type === "update.reboot.started";

/** A device with its storage, and a server that keeps the first event of each id. */
class Bench {
  readonly received = new Map<string, string>();
  /** Milestones that were stored, in their order. */
  readonly stored: string[] = [];
  #keyValue = new CuttableKeyValue();
  #queue: EventQueue;
  #lives = 0;

  constructor() {
    this.#queue = this.#open();
  }

  act(one: Action): void {
    if (one.kind === "cut") {
      this.#keyValue.cut = { change: this.#keyValue.changes + one.writes, side: one.side };
      return;
    }
    try {
      if (one.kind === "add") this.#add(one.event);
      else if (one.kind === "reboot") this.#queue = this.#open();
      else this.#send(one.kind === "deliver");
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.#keyValue = this.#keyValue.clone();
      this.#queue = this.#open();
    }
    assert.ok(this.#queue.waiting <= eventsWaitingMax);
    assert.ok(this.#queue.writes <= eventWritesPerBootMax);
  }

  /** The network and the power stay: everything that waits arrives. */
  finish(): void {
    this.#keyValue = this.#keyValue.clone();
    this.#queue = this.#open();
    for (let turn = 0; turn <= eventsWaitingMax; turn += 1) this.#send(true);
    assert.equal(this.#queue.waiting, 0);
  }

  #open(): EventQueue {
    this.#lives += 1;
    const random = { next: () => this.#lives / 2 ** 32 };
    const ports = { keyValue: this.#keyValue, clock: new ManualClock(), random };
    try {
      return new EventQueue(ports, () => ({ signalDbm: -60, batteryPercent: null }));
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.#keyValue = this.#keyValue.clone();
      return this.#open();
    }
  }

  #add(event: UpdateEvent): void {
    const { writes } = this.#queue;
    const id = this.#queue.add(event);
    if (isMilestone(event) && this.#queue.writes > writes) this.stored.push(id);
  }

  #send(isAnswered: boolean): void {
    const batch = this.#queue.batch();
    if (batch === null) return;
    const events = decodeEvents(batch.body);
    assert.ok(events !== null && events.length <= eventsPerBatchMax);
    assert.deepEqual(
      events.map(({ id }) => id),
      batch.ids,
    );
    for (const event of events) {
      const text = JSON.stringify(event);
      assert.equal(this.received.get(event.id) ?? text, text, "an id is one event for ever");
      if (!this.received.has(event.id)) this.received.set(event.id, text);
    }
    if (isAnswered) this.#queue.delivered(batch);
  }
}

const orderOf = (id: string): readonly [number, number] => {
  const [, boot = "", sequence = ""] = /\.(\d+)-(\d+)$/.exec(id) ?? [];
  return [Number(boot), Number(sequence)];
};

test("through lost answers, reboots and power cuts, what was stored arrives, in order, as it was", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 50 }), (actions) => {
      const bench = new Bench();
      for (const one of actions) bench.act(one);
      bench.finish();
      const order = [...bench.received.keys()].map(orderOf);
      for (const [index, [boot, sequence]] of order.entries()) {
        const [bootBefore, sequenceBefore] = order[index - 1] ?? [0, 0];
        assert.ok(boot > bootBefore || (boot === bootBefore && sequence > sequenceBefore));
      }
      const missing = bench.stored.filter((id) => !bench.received.has(id));
      const newest = bench.stored.slice(-milestonesKeptMax);
      assert.deepEqual(
        missing.filter((id) => newest.includes(id)),
        [],
      );
    }),
    { numRuns: 200 },
  );
});

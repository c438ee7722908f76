import assert from "node:assert/strict";
import { test } from "node:test";
import { LongWork } from "../../../src/transfer/long-work.ts";
import { ManualClock, settle } from "../../support/manual-clock.ts";

function endOf(promise: Promise<void>): { ended: boolean } {
  const seen = { ended: false };
  void promise.then(() => {
    seen.ended = true;
  });
  return seen;
}

test("pauses until the time is over", async () => {
  const clock = new ManualClock();
  const work = new LongWork(clock);
  const pause = endOf(work.pause(1000));
  await settle();
  assert.equal(pause.ended, false);
  clock.fireNext();
  await settle();
  assert.equal(pause.ended, true);
  assert.equal(clock.nowMs, 1000);
});

test("ends a pause at once when it is abandoned, and leaves no timer", async () => {
  const clock = new ManualClock();
  const work = new LongWork(clock);
  const pause = endOf(work.pause(3_600_000));
  work.abandon();
  await settle();
  assert.equal(pause.ended, true);
  assert.equal(work.abandoned, true);
  assert.equal(clock.pending, 0);
});

test("does not pause any more once abandoned", async () => {
  const clock = new ManualClock();
  const work = new LongWork(clock);
  work.abandon();
  work.abandon();
  await work.pause(1000);
  assert.equal(clock.pending, 0);
});

test("abandoning work between two pauses disturbs no timer of others", async () => {
  const clock = new ManualClock();
  const work = new LongWork(clock);
  const pause = work.pause(10);
  clock.fireNext();
  await pause;
  clock.after(5, () => undefined);
  work.abandon();
  assert.equal(clock.pending, 1);
});

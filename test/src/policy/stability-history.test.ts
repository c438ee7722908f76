import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  countedResetsMax,
  decodeHistory,
  elapsedSecondsMax,
  encodeHistory,
  freshBoot,
  historyBytesMax,
  type StabilityHistory,
  stabilityTriggers,
} from "../../../src/policy/stability-history.ts";
import { encodeJson, type JsonObject } from "../../../src/protocol/json.ts";
import { newImage, oldImage } from "./watched-device.ts";

const anyHistory: fc.Arbitrary<StabilityHistory> = fc
  .nat(elapsedSecondsMax)
  .chain((elapsedSeconds) => {
    const anyTime = fc.nat(elapsedSeconds);
    return fc.record(
      {
        imageHash: fc.constant(newImage),
        previousImageHash: fc.constant(oldImage),
        phase: fc.constantFrom("watching", "requested", "over"),
        trigger: fc.option(fc.constantFrom(...stabilityTriggers)),
        requests: fc.nat(9),
        elapsedSeconds: fc.constant(elapsedSeconds),
        unseenSeconds: anyTime,
        longestSleepSeconds: fc.nat(elapsedSecondsMax),
        unixSeconds: fc.option(fc.integer({ min: 0, max: 99_999_999_999 })),
        resets: fc
          .array(
            fc.record({ atSeconds: anyTime, byWatchdog: fc.boolean() }, { noNullPrototype: true }),
            { maxLength: countedResetsMax },
          )
          .map((resets) => resets.sort((a, b) => a.atSeconds - b.atSeconds)),
        failingSinceSeconds: fc.option(anyTime),
        noServerSinceSeconds: fc.option(anyTime),
        serverReached: fc.boolean(),
        restartPlanned: fc.boolean(),
        writes: fc.nat(9999),
        boot: fc.constant(freshBoot),
      },
      { noNullPrototype: true },
    );
  });

const largest: StabilityHistory = {
  imageHash: newImage,
  previousImageHash: oldImage,
  phase: "requested",
  trigger: "no-server",
  requests: 9,
  elapsedSeconds: elapsedSecondsMax,
  unseenSeconds: elapsedSecondsMax,
  longestSleepSeconds: elapsedSecondsMax,
  unixSeconds: 99_999_999_999,
  resets: Array(countedResetsMax).fill({ atSeconds: elapsedSecondsMax, byWatchdog: true }),
  failingSinceSeconds: elapsedSecondsMax,
  noServerSinceSeconds: elapsedSecondsMax,
  serverReached: false,
  restartPlanned: false,
  writes: 9999,
  boot: freshBoot,
};

test("what it writes it reads back, without what only this boot knows", () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      const boot = { ...freshBoot, uptimeSeconds: 7, storedFailure: true };
      assert.deepEqual(decodeHistory(encodeHistory({ ...history, boot })), history);
    }),
  );
});

test("the largest history fits", () => {
  const bytes = encodeHistory(largest);
  assert.ok(bytes.length <= historyBytesMax, `${bytes.length} bytes`);
  assert.deepEqual(decodeHistory(bytes), largest);
});

test("reads what earlier firmware stored", () => {
  const stored =
    `{"v":1,"image":"${newImage}","previous":"${oldImage}","phase":"watching","trigger":null,` +
    `"requests":0,"elapsed":7200,"unix":1750000000,"resets":[7201],"failing":null,` +
    `"noServer":null,"reached":true,"planned":false,"writes":3}`;
  const history = decodeHistory(new TextEncoder().encode(stored));
  assert.equal(history?.elapsedSeconds, 7200);
  assert.equal(history.unseenSeconds, 0);
  assert.equal(history.longestSleepSeconds, 0);
});

test("refuses what it would never have written", () => {
  const good = JSON.parse(new TextDecoder().decode(encodeHistory(largest))) as JsonObject;
  assert.notEqual(decodeHistory(encodeJson(good)), null);
  const rows: readonly JsonObject[] = [
    { v: 2 },
    { image: "00" },
    { previous: null },
    { phase: "done" },
    { trigger: "boredom" },
    { requests: -1 },
    { elapsed: elapsedSecondsMax + 1 },
    { elapsed: 1.5 },
    { unseen: elapsedSecondsMax + 1 },
    { elapsed: 5, unseen: 6, failing: 0, noServer: 0, resets: [] },
    { sleep: -1 },
    { unix: -1 },
    { unix: "now" },
    { resets: null },
    { resets: Array(countedResetsMax + 1).fill(0) },
    { resets: [2, 1] },
    { resets: [-2] },
    { resets: ["2"] },
    { elapsed: 5, failing: 0, noServer: 0, resets: [12] },
    { elapsed: 5, failing: 6, noServer: 0, resets: [] },
    { noServer: true },
    { writes: 10_000 },
  ];
  for (const row of rows)
    assert.equal(decodeHistory(encodeJson({ ...good, ...row })), null, JSON.stringify(row));
  for (const key of [
    "image",
    "phase",
    "trigger",
    "elapsed",
    "unix",
    "resets",
    "failing",
    "writes",
  ]) {
    const { [key]: _, ...rest } = good;
    assert.equal(decodeHistory(encodeJson(rest)), null, `without ${key}`);
  }
});

test("every truncation and any bytes are read or refused, never thrown at", () => {
  const bytes = encodeHistory(largest);
  for (let length = 0; length < bytes.length; length += 1)
    assert.equal(decodeHistory(bytes.slice(0, length)), null);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (noise) => void decodeHistory(noise)));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const mutated = bytes.slice();
      mutated[at] = value;
      const history = decodeHistory(mutated);
      if (history !== null) assert.ok(encodeHistory(history).length <= historyBytesMax);
    }),
  );
});

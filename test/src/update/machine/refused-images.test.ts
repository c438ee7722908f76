import assert from "node:assert/strict";
import { test } from "node:test";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import { RefusedImages, refusedMax } from "../../../../src/update/machine/refused-images.ts";
import { MemoryKeyValue, valueBytesMax } from "../../../support/memory-key-value.ts";
import { LogLines } from "../../../support/plain-ports.ts";

const hour = 3600;
const forGood = { isSilence: false, actionId: "7" } as const;
const silentIn = (actionId: string | null) => ({ isSilence: true, actionId });
const hashOf = (index: number): DigestHex =>
  index.toString(16).padStart(2, "0").repeat(32) as DigestHex;
const image = hashOf(1);

/** A device whose storage outlives its boots. */
class Device {
  readonly keyValue = new MemoryKeyValue();
  readonly log = new LogLines();
  uptimeSeconds = 0;
  refused = this.#open();

  #open(): RefusedImages {
    const { keyValue, log } = this;
    const clock = { uptimeMs: () => this.uptimeSeconds * 1000 };
    return new RefusedImages({ keyValue, clock, log });
  }

  boot(reason: "power-on" | "software" | "deep-sleep" = "power-on"): void {
    this.uptimeSeconds = 0;
    this.refused = this.#open();
    this.refused.booted(reason);
  }

  /** Awake for so long, with a poll every five minutes. */
  run(seconds: number): void {
    const endSeconds = this.uptimeSeconds + seconds;
    while (this.uptimeSeconds < endSeconds) {
      this.uptimeSeconds = Math.min(endSeconds, this.uptimeSeconds + 300);
      this.refused.passed();
    }
  }

  waitSeconds(): number | null | undefined {
    return this.refused.list().find(({ imageHash }) => imageHash === image)?.waitSeconds;
  }
}

test("remembers the last images that were rolled back, each once, the oldest forgotten first", () => {
  const device = new Device();
  for (let index = 0; index < refusedMax + 3; index += 1)
    device.refused.refuse(hashOf(index), forGood);
  device.refused.refuse(hashOf(5), forGood);
  const writes = device.keyValue.writes.length;
  device.refused.refuse(hashOf(5), forGood);
  assert.equal(device.keyValue.writes.length, writes);
  device.boot();
  const expected = [3, 4, 6, 7, 8, 9, 10, 5].map((index) => hashOf(index));
  assert.deepEqual(
    device.refused.list(),
    expected.map((imageHash) => ({ imageHash, waitSeconds: null })),
  );
});

test("a full list of the longest entries fits a value", () => {
  const device = new Device();
  for (const count of [1, 2, 3])
    for (let index = 0; index < refusedMax; index += 1)
      device.refused.refuse(hashOf(index), silentIn(`${count}${"9".repeat(17)}${index}`));
  device.run(23 * hour);
  assert.deepEqual(device.log.lines, []);
  assert.ok(device.keyValue.writes.every(({ bytes }) => bytes <= valueBytesMax));
  device.boot();
  assert.equal(device.refused.list().length, refusedMax);
  assert.ok(device.refused.list().every(({ waitSeconds }) => waitSeconds !== null));
});

test("a list that earlier firmware stored refuses its images for good", () => {
  const device = new Device();
  const stored = `{"hashes":["${hashOf(2)}","${image}"]}`;
  device.keyValue.values.set("refused", new TextEncoder().encode(stored));
  assert.deepEqual(device.refused.list(), [
    { imageHash: hashOf(2), waitSeconds: null },
    { imageHash: image, waitSeconds: null },
  ]);
  device.refused.refuse(image, silentIn("8"));
  assert.equal(device.waitSeconds(), null);
  device.refused.pardon(image);
  device.refused.refuse(image, silentIn("9"));
  assert.deepEqual(device.refused.list(), [
    { imageHash: hashOf(2), waitSeconds: null },
    { imageHash: image, waitSeconds: hour },
  ]);
});

test("without silence the stored form is the one that earlier firmware reads", () => {
  const device = new Device();
  device.refused.refuse(image, forGood);
  const bytes = device.keyValue.read("refused") ?? new Uint8Array();
  assert.equal(new TextDecoder().decode(bytes), `{"hashes":["${image}"]}`);
});

test("what cannot be read of the list is forgotten, or refused for good", () => {
  const device = new Device();
  const write = (value: unknown): void =>
    void device.keyValue.values.set("refused", new TextEncoder().encode(JSON.stringify(value)));
  const waits = (): unknown => device.refused.list().map(({ waitSeconds }) => waitSeconds);
  write({ hashes: [image, 5, "x", null], silence: [null, ["7", 1, 0], null, null] });
  assert.deepEqual(device.refused.list(), [{ imageHash: image, waitSeconds: null }]);
  write({ hashes: [5, image], silence: [null, ["7", 1, 600]] });
  assert.deepEqual(device.refused.list(), [{ imageHash: image, waitSeconds: 3000 }]);
  for (const silence of [
    "x",
    [],
    ["x"],
    [["7", 0, 0]],
    [["7", 4, 0]],
    [["7", 1, -1]],
    [["7", 1, 3601]],
    [["7", 1, 0.5]],
    [["a/b", 1, 0]],
    [[7, 1, 0]],
    [["7", 1]],
    [["7", 1, 0, 0]],
    [{}],
  ]) {
    write({ hashes: [image], silence });
    assert.deepEqual(waits(), [null], JSON.stringify(silence));
  }
  write({ hashes: "x" });
  assert.deepEqual(waits(), []);
  write([image]);
  assert.deepEqual(waits(), []);
});

test("silence is tried again after an hour, six and a day, and then no more", () => {
  const device = new Device();
  for (const [actionId, pauseSeconds] of [
    ["7", hour],
    ["8", 6 * hour],
    ["9", 24 * hour],
  ] as const) {
    device.refused.refuse(image, silentIn(actionId));
    assert.equal(device.waitSeconds(), pauseSeconds);
    device.run(pauseSeconds - 1);
    assert.equal(device.waitSeconds(), 1);
    device.run(1);
    assert.equal(device.waitSeconds(), 0);
    device.boot();
    assert.equal(device.waitSeconds(), 0);
  }
  device.refused.refuse(image, silentIn("10"));
  assert.equal(device.waitSeconds(), null);
  device.refused.pardon(image);
  assert.equal(device.waitSeconds(), undefined);
});

test("the same rollback that is told again after a reset counts once", () => {
  const device = new Device();
  device.refused.refuse(image, silentIn("7"));
  device.run(hour / 2);
  device.boot();
  device.refused.refuse(image, silentIn("7"));
  assert.equal(device.waitSeconds(), hour / 2 - 60);
  // Of an action that is not known each is another one, so that they end.
  for (const pauseSeconds of [6 * hour, 24 * hour, null]) {
    device.refused.refuse(image, silentIn(null));
    assert.equal(device.waitSeconds(), pauseSeconds);
  }
});

test("a rollback that says something of the image ends every pause for good", () => {
  const device = new Device();
  device.refused.refuse(image, silentIn("7"));
  device.run(2 * hour);
  device.refused.refuse(image, forGood);
  device.refused.refuse(image, silentIn("8"));
  assert.equal(device.waitSeconds(), null);
});

test("the time before a rollback does not count, nor that of another image", () => {
  const device = new Device();
  device.refused.refuse(hashOf(2), silentIn("6"));
  device.run(hour / 2);
  device.refused.refuse(image, silentIn("7"));
  assert.deepEqual(device.refused.list(), [
    { imageHash: hashOf(2), waitSeconds: hour / 2 },
    { imageHash: image, waitSeconds: hour },
  ]);
});

test("a loop of resets neither ends a pause early nor holds it up for ever", () => {
  for (const aliveSeconds of [0, 10, 299]) {
    const device = new Device();
    device.refused.refuse(image, silentIn("7"));
    let boots = 0;
    for (; device.waitSeconds() !== 0 && boots < 100; boots += 1) {
      device.boot();
      device.run(aliveSeconds);
    }
    assert.ok(boots >= 10 && boots <= 60, `${boots} boots of ${aliveSeconds} s`);
  }
});

test("a sleep counts as it was announced, each once, and no longer than a day", () => {
  const device = new Device();
  device.refused.refuse(image, silentIn("7"));
  for (let wakes = 0; wakes < 3; wakes += 1) {
    device.uptimeSeconds += 10;
    device.refused.leaving(900_000);
    device.boot("deep-sleep");
  }
  assert.equal(device.waitSeconds(), hour - 3 * 910);
  device.refused.refuse(image, silentIn("8"));
  device.refused.refuse(image, silentIn("9"));
  device.refused.leaving(-1);
  assert.equal(device.waitSeconds(), 24 * hour);
  device.refused.leaving(Number.MAX_SAFE_INTEGER);
  device.boot("deep-sleep");
  assert.equal(device.waitSeconds(), 0);
});

test("a pause costs a dozen writes, and nothing is written without one or after it", () => {
  const device = new Device();
  device.refused.refuse(hashOf(2), forGood);
  const count = (): number => device.keyValue.writes.length;
  const before = count();
  device.run(24 * hour);
  device.boot();
  device.refused.leaving(0);
  assert.equal(count(), before);
  for (const actionId of ["7", "8", "9"]) device.refused.refuse(image, silentIn(actionId));
  device.run(24 * hour);
  assert.ok(count() - before <= 3 + 13, `${count() - before} writes`);
  const after = count();
  device.run(24 * hour);
  device.boot();
  device.refused.leaving(60_000);
  assert.equal(count(), after);
});

test("a storage that takes no write is logged, and the pause goes on in this boot", () => {
  const device = new Device();
  device.refused.refuse(image, silentIn("7"));
  device.keyValue.refuses = () => true;
  device.run(hour);
  assert.equal(device.waitSeconds(), 0);
  assert.match(device.log.lines.join("\n"), /cannot remember the refused images/);
});

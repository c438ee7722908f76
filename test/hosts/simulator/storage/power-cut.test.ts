import assert from "node:assert/strict";
import { test } from "node:test";
import { NorFlash } from "../../../../hosts/flash/nor-flash.ts";
import { type CutKind, cutAt, cutKinds, PowerCut } from "../../../../hosts/flash/operation.ts";
import { openSettings, type Settings } from "../../../../hosts/simulator/storage/settings.ts";
import { StorageError } from "../../../../src/ports/board.ts";

const sectorBytes = 4096;
const seed = 20260131;

type Model = ReadonlyMap<string, Uint8Array>;
interface Change {
  readonly key: string;
  /** null deletes. */
  readonly value: Uint8Array | null;
}

/** A small generator, so that a failing change can be replayed from the seed. */
function random(state: number): (below: number) => number {
  let now = state >>> 0;
  return (below) => {
    now = (Math.imul(now, 1664525) + 1013904223) >>> 0;
    return Math.floor((now / 2 ** 32) * below);
  };
}

function randomChange(next: (below: number) => number): Change {
  const key = `s/key-${next(5)}`;
  if (next(5) === 0) return { key, value: null };
  const length = next(3) === 0 ? 1 + next(500) : 1 + next(60);
  return { key, value: Uint8Array.from({ length }, () => next(256)) };
}

function open(flash: NorFlash): Settings {
  return openSettings(flash.area(0, flash.sizeBytes));
}

function apply(settings: Settings, change: Change): void {
  if (change.value === null) settings.delete(change.key);
  else settings.write(change.key, change.value);
}

function after(model: Model, change: Change): Model {
  const changed = new Map(model);
  if (change.value === null) changed.delete(change.key);
  else changed.set(change.key, change.value);
  return changed;
}

function content(settings: Settings): string {
  return describe(new Map(settings.keys().map((key) => [key, settings.read(key) as Uint8Array])));
}

function describe(model: Model): string {
  return [...model]
    .map(([key, value]) => `${key}=${Buffer.from(value).toString("hex")}`)
    .sort()
    .join("\n");
}

/** The operations of `act` on a clone of the chip. */
function operationsOf(flash: NorFlash, act: (flash: NorFlash) => void): number {
  const clone = flash.clone();
  act(clone);
  const { erases, writes } = clone.counts;
  return erases + writes;
}

/** A clone of the chip on which the power failed at one operation of `act`. */
function cut(
  flash: NorFlash,
  index: number,
  kind: CutKind,
  act: (flash: NorFlash) => void,
): NorFlash {
  const clone = flash.clone();
  clone.faultHook = cutAt(index, kind);
  assert.throws(() => act(clone), PowerCut);
  clone.faultHook = null;
  clone.restorePower();
  return clone;
}

for (const [sectors, writeBlockBytes, changes] of [
  [2, 4, 80],
  [2, 32, 50],
  [3, 4, 300],
] as const) {
  test(`${sectors} sectors, ${writeBlockBytes}-byte writes: a cut at any operation of ${changes} changes leaves the old or the new value`, () => {
    const next = random(seed + sectors);
    const flash = new NorFlash({ sizeBytes: sectors * sectorBytes, writeBlockBytes });
    open(flash);
    let model: Model = new Map();
    let cuts = 0;
    for (let step = 0; step < changes; step += 1) {
      const change = randomChange(next);
      const changed = after(model, change);
      const act = (chip: NorFlash) => apply(open(chip), change);
      const operations = operationsOf(flash, act);
      for (let index = 0; index < operations; index += 1)
        for (const kind of cutKinds) {
          const where = `seed ${seed}, change ${step}, operation ${index}, ${kind}`;
          const found = recover(cut(flash, index, kind, act), where);
          assert.ok([describe(model), describe(changed)].includes(found), where);
          cuts += 1;
        }
      act(flash);
      model = changed;
      assert.equal(content(open(flash)), describe(model));
    }
    assert.ok(flash.sectorErases(0) >= 1, "the changes went round through garbage collection");
    assert.ok(cuts > 500, `${cuts} cuts`);
  });
}

/**
 * Mounts after a cut, and after a second cut at any operation of that mount; all must find the
 * same.
 */
function recover(flash: NorFlash, where: string): string {
  const mounts = operationsOf(flash, open);
  const expected = content(open(flash.clone()));
  for (let index = 0; index < mounts; index += 1)
    for (const kind of cutKinds) {
      const again = cut(flash, index, kind, open);
      assert.equal(
        content(open(again)),
        expected,
        `${where}, then ${kind} at ${index} of the mount`,
      );
      const mended = open(again);
      mended.write("s/after", Uint8Array.of(1));
      assert.deepEqual(mended.read("s/after"), Uint8Array.of(1));
    }
  return expected;
}

test("a full storage keeps every value through cuts while it looks for room", () => {
  const flash = new NorFlash({ sizeBytes: 2 * sectorBytes, writeBlockBytes: 4 });
  const settings = open(flash);
  for (const key of ["s/a", "s/b", "s/c"]) settings.write(key, new Uint8Array(1300).fill(7));
  const before = content(settings);
  const act = (chip: NorFlash) =>
    assert.throws(() => open(chip).write("s/d", new Uint8Array(400)), StorageError);
  const operations = operationsOf(flash, act);
  assert.ok(operations > 4);
  for (let index = 0; index < operations; index += 1)
    for (const kind of cutKinds) {
      const clone = flash.clone();
      clone.faultHook = cutAt(index, kind);
      assert.throws(() => open(clone).write("s/d", new Uint8Array(400)), PowerCut);
      clone.faultHook = null;
      clone.restorePower();
      assert.equal(content(open(clone)), before, `${kind} at ${index}`);
    }
});

// The hook that ships is C, the simulator's is TypeScript: both must do the same to every flash.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { sectorBytes } from "../../../hosts/flash/geometry.ts";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { type CutKind, cutAt, cutKinds, PowerCut } from "../../../hosts/flash/operation.ts";
import { BootArea } from "../../../hosts/mcuboot-model/boot-area.ts";
import { type SwapState, Trailer } from "../../../hosts/mcuboot-model/trailer.ts";
import { trialHook } from "../../../hosts/mcuboot-model/trial-hook.ts";
import { type TrailerShape, trailerMagic, trailerOffsets } from "../../../src/image/trailer.ts";
import { makeImage } from "../../support/boot-bench.ts";

const slotBytes = 4 * sectorBytes;
const flashBytes = 2 * slotBytes + sectorBytes;
const casesPerAlignment = 500;

type Align = 8 | 32;

interface Case {
  readonly flash: Uint8Array;
  /** null: power holds. */
  readonly cut: { readonly operation: number; readonly kind: CutKind } | null;
}

/** What a hook answered, in the numbers of bootutil_public.h, and the flash it left. */
interface Answer {
  readonly state: readonly [magic: number, copyDone: number, imageOk: number] | "power-cut";
  readonly flash: Buffer;
}

const images = [
  null,
  await makeImage({ version: "1.0.0", sectors: 1 }),
  await makeImage({ version: "1.0.0", sectors: 1, securityCounter: 3 }),
  await makeImage({ version: "2.0.0", sectors: 1, securityCounter: 2 }),
  await makeImage({ version: "2.0.0", sectors: 1, securityCounter: 3 }),
];

const withoutCompiler =
  spawnSync("gcc", ["--version"]).status === 0 ? false : "skipped: no gcc to compile the hook with";

for (const align of [8, 32] as const)
  test(`the hook in C and its twin agree on ${casesPerAlignment} flashes with write blocks for an alignment of ${align}`, {
    skip: withoutCompiler,
  }, () => {
    const random = seeded(align);
    const cases = Array.from({ length: casesPerAlignment }, () => makeCase(align, random));
    const theirs = askC(align, cases);
    assert.equal(theirs.length, cases.length);
    const powerCuts = theirs.filter(({ state }) => state === "power-cut").length;
    assert.ok(powerCuts > 20, `only ${powerCuts} cases cut the power`);
    for (const [index, one] of cases.entries())
      assert.deepEqual(askTwin(align, one), theirs[index], `seed ${align}, case ${index}`);
  });

function askC(align: Align, cases: readonly Case[]): Answer[] {
  const build = mkdtempSync(join(tmpdir(), "sluice-twins-"));
  try {
    const root = resolve(import.meta.dirname, "../../..");
    const folder = join(root, "test/bootloader/hook");
    const sources = ["decide.c", "flash.c"].map((name) => join(folder, name));
    const flags = [`-DMCUBOOT_BOOT_MAX_ALIGN=${align}`, "-I", join(folder, "stubs"), "-I", folder];
    const program = join(build, "decide");
    const hook = join(root, "bootloader/hook/trial_boot.c");
    const built = spawnSync("gcc", ["-std=c11", ...flags, ...sources, hook, "-o", program]);
    assert.equal(built.status, 0, String(built.stderr));
    const input = Buffer.concat(
      cases.flatMap(({ flash, cut }) => {
        const tear = cut === null ? 0 : cutKinds.indexOf(cut.kind);
        return [words(cut?.operation ?? 0xffffffff, tear), flash];
      }),
    );
    const { stdout } = spawnSync(program, { input, maxBuffer: input.length * 2 });
    return cases.map((_, index) => {
      const start = index * (4 + flashBytes);
      const [held, ...state] = stdout.subarray(start, start + 4);
      return {
        state: held === 1 ? (state as unknown as [number, number, number]) : "power-cut",
        flash: stdout.subarray(start + 4, start + 4 + flashBytes),
      };
    });
  } finally {
    rmSync(build, { recursive: true });
  }
}

function askTwin(align: Align, { flash: bytes, cut }: Case): Answer {
  const flash = NorFlash.fromBytes(bytes, align === 8 ? 4 : align);
  const shape = shapeOf(align);
  const area = (name: BootArea["name"], offset: number, size: number): BootArea =>
    new BootArea(name, flash, { offsetBytes: offset, sizeBytes: size });
  const board = {
    primary: new Trailer(area("primary", 0, slotBytes), shape),
    secondary: new Trailer(area("secondary", slotBytes, slotBytes), shape),
    bootctl: area("bootctl", 2 * slotBytes, sectorBytes),
  };
  if (cut !== null) flash.faultHook = cutAt(cut.operation, cut.kind);
  let state: Answer["state"];
  try {
    state = numbersOf(trialHook()(board));
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    state = "power-cut";
  }
  return { state, flash: Buffer.from(flash.toBytes()) };
}

function numbersOf({ magic, copyDone, imageOk }: SwapState): [number, number, number] {
  const magics = { good: 1, bad: 2, unset: 3 };
  const flags = { set: 1, bad: 2, unset: 3 };
  return [magics[magic], flags[copyDone], flags[imageOk]];
}

function makeCase(align: Align, random: Random): Case {
  const flash = new Uint8Array(flashBytes).fill(0xff);
  for (const slot of [0, 1]) {
    const area = flash.subarray(slot * slotBytes, (slot + 1) * slotBytes);
    const image = random.pick(images);
    if (image !== null) area.set(image);
    fillTrailer(area, align, random);
  }
  const page = flash.subarray(2 * slotBytes);
  const block = align === 8 ? 4 : align;
  for (const entry of [0, 1, 2])
    if (random.pick([true, false]))
      page[entry * block + random.pick([0, 3])] = random.pick([0, 0x7f]);
  if (random.pick([true, false, false, false])) page[sectorBytes - 1] = 0;
  const cut = random.pick([true, false])
    ? { operation: random.pick([0, 1, 2, 3, 4, 5, 6]), kind: random.pick(cutKinds) }
    : null;
  return { flash, cut };
}

/** Good, torn and absent fields, weighted towards the good so that the rules are reached. */
function fillTrailer(area: Uint8Array, align: Align, random: Random): void {
  const offsets = trailerOffsets({ shape: shapeOf(align), slotBytes: area.length });
  const magic = random.pick(["good", "good", "good", "bad", "unset"]);
  if (magic !== "unset") area.set(trailerMagic(align), offsets.magic);
  if (magic === "bad") area[offsets.magic + 5] = 0;
  area[offsets.copyDone] = random.pick([0xff, 0xff, 0x01, 0x01, 0x0f]);
  area[offsets.imageOk] = random.pick([0xff, 0xff, 0x01, 0x01, 0x0f]);
  area[offsets.swapInfo] = random.pick([0xff, 0xff, 0x01, 0x02, 0x03, 0x04, 0x04, 0x0f, 0x14]);
  if (random.pick([true, false])) area.set(words(9000), offsets.swapSize);
}

function shapeOf(align: Align): TrailerShape {
  return {
    upgradeMode: "swap-using-move",
    maxAlignBytes: align,
    writeBlockBytes: align === 8 ? 4 : align,
    imageSectorsMax: 4,
  };
}

interface Random {
  pick<T>(from: readonly T[]): T;
}

/** Numerical Recipes' linear congruential generator: the same cases everywhere. */
function seeded(seed: number): Random {
  let state = seed;
  return {
    pick(from) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return from[Math.floor((state / 0x1_0000_0000) * from.length)]!;
    },
  };
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, true);
  return bytes;
}

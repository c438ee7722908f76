import type { NorFlash } from "../../flash/nor-flash.ts";
import { type CutKind, cutAt, cutKinds } from "../../flash/operation.ts";
import { boot } from "../boot.ts";
import {
  compareFlash,
  compareTrace,
  compareTrailers,
  compareValue,
  type Differences,
  outcomeFields,
} from "./compare.ts";
import { type VectorSetup, vectorSetup } from "./vector-config.ts";
import type { VectorFolder } from "./vector-folder.ts";
import { type JsonObject, VectorFormatError } from "./vector-json.ts";

const bootsMax = 5;

/**
 * Replays one exhaustive file: a cut at every operation in every mode; stops at the first cut that
 * differs.
 */
export function replayExhaustive(
  folder: VectorFolder,
  file: JsonObject,
  modes: readonly CutKind[] = cutKinds,
): Differences {
  const setup = vectorSetup(folder, file);
  const start = folder.snapshot(file.text("start_flash"), setup.writeBlockBytes);
  const uncut = replayUncut(folder, file, setup, start.clone());
  if (uncut.length > 0) return uncut;
  const recorded = file.object("modes");
  for (const mode of recorded.keys()) {
    const kind = cutKinds.find((candidate) => candidate === mode);
    if (kind === undefined) throw new VectorFormatError(`unknown mode ${mode}`);
    if (!modes.includes(kind)) continue;
    for (const entry of recorded.objects(mode)) {
      const differences = replayCut(folder, setup, start.clone(), kind, entry);
      if (differences.length > 0)
        return differences.map((text) => `${mode}, cut ${entry.number("cut")}: ${text}`);
    }
  }
  return [];
}

function replayUncut(
  folder: VectorFolder,
  file: JsonObject,
  setup: VectorSetup,
  flash: NorFlash,
): Differences {
  if (!file.has("uncut")) return [];
  const recorded = file.object("uncut");
  const expect = recorded.object("expect");
  const log = flash.startLog();
  setup.counter?.reset();
  const outcome = boot(flash, setup.boot);
  const seen = outcomeFields(outcome);
  const differences = [
    ...expect
      .keys()
      .filter((key) => key in seen)
      .flatMap((key) => compareValue(key, expect.raw(key), seen[key])),
    ...(["before", "after"] as const)
      .filter((when) => expect.has(`trailers_${when}`))
      .flatMap((when) =>
        compareTrailers(expect.object(`trailers_${when}`), outcome[when], `trailers_${when}`),
      ),
    ...(recorded.has("trace") ? compareTrace(recorded.list("trace"), log) : []),
    ...compareFlash(folder, recorded.text("flash_after"), flash),
  ];
  return differences.map((text) => `undisturbed: ${text}`);
}

function replayCut(
  folder: VectorFolder,
  setup: VectorSetup,
  flash: NorFlash,
  kind: CutKind,
  entry: JsonObject,
): Differences {
  setup.counter?.reset();
  flash.faultHook = cutAt(entry.number("cut"), kind);
  const cut = boot(flash, setup.boot);
  flash.faultHook = null;
  const afterCut = [
    ...compareValue("outcome", "power-cut", cut.outcome),
    ...compareFlash(folder, entry.text("after_cut"), flash),
  ];
  if (afterCut.length > 0) return afterCut;
  const recorded = entry.list("boots");
  for (const [index, expected] of recorded.entries()) {
    const differences = replayBootAfterCut(folder, setup, flash, expected);
    if (differences.length > 0) return differences.map((text) => `boot ${index} after it: ${text}`);
  }
  return recorded.length <= bootsMax
    ? []
    : [`${recorded.length} boots recorded, at most ${bootsMax}`];
}

/**
 * [outcome, version, swap type, swap ran, resumed, operations, swap type asked for next, flash
 * afterwards]
 */
function replayBootAfterCut(
  folder: VectorFolder,
  setup: VectorSetup,
  flash: NorFlash,
  expected: unknown,
): Differences {
  if (!Array.isArray(expected) || expected.length !== 8)
    throw new VectorFormatError(`a boot after a cut is ${JSON.stringify(expected)}`);
  const seen = outcomeFields(boot(flash, setup.boot));
  const names = [
    "outcome",
    "version",
    "swap_type",
    "swap_ran",
    "resumed",
    "ops",
    "trailer_swap_type_after",
  ];
  return [
    ...names.flatMap((name, index) => compareValue(name, expected[index] ?? undefined, seen[name])),
    ...compareFlash(folder, String(expected[7]), flash),
  ];
}

import { imageHeaderBytes } from "../../../src/image/header.ts";
import { sectorBytes } from "../../flash/geometry.ts";
import type { Extent } from "../../flash/layout.ts";
import { NorFlash } from "../../flash/nor-flash.ts";
import { type CutKind, cutAt, type FlashOperation, PowerCut } from "../../flash/operation.ts";
import { type CallResult, setConfirmed, setPending } from "../application.ts";
import { boot, readTrailers, type TrailerReports } from "../boot.ts";
import { decodeRawHeader, fullVersion, imageMagic } from "../raw-header.ts";
import {
  compareFlash,
  compareTrace,
  compareTrailers,
  compareValue,
  compareWrites,
  type Differences,
  outcomeFields,
} from "./compare.ts";
import { compareGeometry } from "./geometry.ts";
import { type VectorSetup, vectorSetup } from "./vector-config.ts";
import type { VectorFolder } from "./vector-folder.ts";
import { type JsonObject, VectorFormatError } from "./vector-json.ts";

/** Replays one scenario step by step and stops at the first step that differs. */
export function replayScenario(folder: VectorFolder, scenario: JsonObject): Differences {
  const setup = vectorSetup(folder, scenario);
  const config = folder.index.object("configs").object(scenario.text("config"));
  const isOwnLayout = !scenario.has("layout") || config.raw("layout") === scenario.raw("layout");
  const geometry = isOwnLayout ? compareGeometry(config, setup) : [];
  if (geometry.length > 0) return geometry.map((text) => `config: ${text}`);
  const bench: Bench = {
    folder,
    scenario: scenario.text("id"),
    setup,
    flash: scenario.has("initial_flash")
      ? folder.snapshot(scenario.text("initial_flash"), setup.writeBlockBytes)
      : new NorFlash({
          sizeBytes: setup.boot.layout.flashBytes,
          writeBlockBytes: setup.writeBlockBytes,
        }),
  };
  for (const [index, step] of scenario.objects("steps").entries()) {
    const differences = replayStep(bench, step, index);
    if (differences.length > 0)
      return differences.map((text) => `step ${index} (${step.text("op")}): ${text}`);
  }
  return [];
}

interface Bench {
  readonly folder: VectorFolder;
  readonly scenario: string;
  readonly setup: VectorSetup;
  readonly flash: NorFlash;
}

function replayStep(bench: Bench, step: JsonObject, index: number): Differences {
  const differences = performStep(bench, step, index);
  return [...differences, ...compareFlash(bench.folder, step.text("flash_after"), bench.flash)];
}

function performStep(bench: Bench, step: JsonObject, index: number): Differences {
  switch (step.text("op")) {
    case "program":
      program(bench, step);
      return [];
    case "erase":
      eraseRaw(bench, step);
      return [];
    case "poke":
      poke(bench, step);
      return [];
    case "app":
      return callApplication(bench, step);
    case "boot":
      return runBoot(bench, step, index);
    default:
      throw new VectorFormatError(`unknown op ${step.text("op")}`);
  }
}

function areaOf({ setup }: Bench, step: JsonObject): Extent {
  if (!step.has("area")) return { offsetBytes: 0, sizeBytes: setup.boot.layout.flashBytes };
  const name = step.text("area");
  const { layout } = setup.boot;
  const area =
    name === "primary" || name === "secondary" || name === "scratch" ? layout[name] : null;
  if (area === null) throw new VectorFormatError(`unknown area ${name}`);
  return area;
}

/**
 * The host's programmer: erases the area, or its end from `erased_from` on, and writes the image.
 */
function program(bench: Bench, step: JsonObject): void {
  const area = areaOf(bench, step);
  const wholeArea = !step.has("erase_area_first") || step.flag("erase_area_first");
  const from = wholeArea
    ? 0
    : step.has("erased_from")
      ? step.number("erased_from")
      : area.sizeBytes;
  blank(bench.flash, area.offsetBytes + from, area.sizeBytes - from);
  const image = bench.folder.image(step.text("image"));
  bench.flash.poke(area.offsetBytes + (step.has("at") ? step.number("at") : 0), image);
}

/** A range of an area, all of it by default; the length may be called `size` or `length`. */
function eraseRaw(bench: Bench, step: JsonObject): void {
  const area = areaOf(bench, step);
  const offset = step.has("offset") ? step.number("offset") : 0;
  const length = ["length", "size"].find((name) => step.has(name));
  blank(
    bench.flash,
    area.offsetBytes + offset,
    length === undefined ? area.sizeBytes - offset : step.number(length),
  );
}

function poke(bench: Bench, step: JsonObject): void {
  const bytes = step.text("bytes");
  if (!/^([0-9a-f]{2})*$/i.test(bytes)) throw new VectorFormatError(`bytes ${bytes} are not hex`);
  const offset = areaOf(bench, step).offsetBytes + step.number("offset");
  bench.flash.poke(offset, Buffer.from(bytes, "hex"));
}

function blank(flash: NorFlash, address: number, lengthBytes: number): void {
  if (lengthBytes <= 0) return;
  flash.poke(address, new Uint8Array(lengthBytes).fill(0xff));
}

function callApplication({ setup, flash }: Bench, step: JsonObject): Differences {
  const log = armFlash(flash, step);
  let result: CallResult | null;
  try {
    result = performCall(flash, setup, step.text("call"));
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    result = null;
  }
  disarmFlash(flash);
  return compareCall(step, result, log, readTrailers(flash, setup.boot));
}

/** BOOT_EBADIMAGE and BOOT_EBADVECT. */
const returnCodes = { ok: 0, "bad-image": 3, "bad-vector": 4 } as const;

function compareCall(
  step: JsonObject,
  result: CallResult | null,
  log: readonly FlashOperation[],
  trailers: TrailerReports,
): Differences {
  const seen: Record<string, unknown> = {
    rc: result === null ? null : returnCodes[result],
    outcome: result === null ? "power-cut" : result === "ok" ? "ok" : "error",
    trailer_swap_type_after: trailers.swapType,
  };
  return [
    ...Object.entries(seen)
      .filter(([name]) => step.defines(name))
      .flatMap(([name, value]) => compareValue(name, step.raw(name), value)),
    ...(step.has("writes") ? compareWrites(step.list("writes"), log) : []),
    ...(step.has("trailers_after")
      ? compareTrailers(step.object("trailers_after"), trailers, "trailers_after")
      : []),
  ];
}

/** `boot_set_pending(permanent)`, `boot_set_confirmed()` and their `_multi` forms for image 0. */
function performCall(flash: NorFlash, setup: VectorSetup, call: string): CallResult {
  const [, name, listed] = /^(\w+)\(([^)]*)\)$/.exec(call) ?? [];
  const values = (listed ?? "").split(",").map((text) => text.trim());
  const multi = name?.endsWith("_multi") === true;
  if (multi && values.shift() !== "0") throw new VectorFormatError(`unknown image in call ${call}`);
  if (name?.startsWith("boot_set_pending"))
    return setPending(flash, setup.boot, values[0] === "0" ? "test" : "permanent");
  if (name?.startsWith("boot_set_confirmed")) return setConfirmed(flash, setup.boot);
  throw new VectorFormatError(`unknown call ${call}`);
}

function runBoot(bench: Bench, step: JsonObject, index: number): Differences {
  const { flash, setup, folder } = bench;
  if (setup.counter !== null && step.has("nv_counter_before"))
    setup.counter.value = step.number("nv_counter_before");
  const log = armFlash(flash, step);
  const outcome = boot(flash, setup.boot);
  disarmFlash(flash);
  const expect = step.object("expect");
  const seen: Record<string, unknown> = {
    ...outcomeFields(outcome),
    ...headerFields(flash, setup),
    nv_counter: setup.counter?.value,
  };
  const trace = folder.trace(bench.scenario, index);
  return [
    ...expect.keys().flatMap((key) => {
      if (key === "trailers_before")
        return compareTrailers(expect.object(key), outcome.before, key);
      if (key === "trailers_after") return compareTrailers(expect.object(key), outcome.after, key);
      if (!(key in seen)) return [`unknown expectation ${key}`];
      return compareValue(key, expect.raw(key), seen[key]);
    }),
    ...(trace === null ? [] : compareTrace(trace, log)),
  ];
}

/**
 * The versions in the headers at the three places where an image may start; null without an image
 * magic.
 */
function headerFields(flash: NorFlash, { boot: { layout } }: VectorSetup): Record<string, unknown> {
  const versionAt = (address: number): string | null => {
    const header = decodeRawHeader(flash.peek(address, imageHeaderBytes));
    return header.magic === imageMagic ? fullVersion(header.version) : null;
  };
  return {
    primary_header: versionAt(layout.primary.offsetBytes),
    secondary_header_sector0: versionAt(layout.secondary.offsetBytes),
    secondary_header_sector1: versionAt(layout.secondary.offsetBytes + sectorBytes),
  };
}

/** Makes the power fail where the step says so, and logs what happens. */
function armFlash(flash: NorFlash, step: JsonObject): readonly FlashOperation[] {
  if (step.has("cut")) flash.faultHook = cutAt(step.number("cut"), cutKind(step));
  return flash.startLog();
}

function disarmFlash(flash: NorFlash): void {
  flash.faultHook = null;
  flash.stopLog();
  flash.restorePower();
}

function cutKind(step: JsonObject): CutKind {
  const torn = step.has("torn") ? step.text("torn") : "clean";
  if (torn === "clean" || torn === "half" || torn === "tail") return torn;
  throw new VectorFormatError(`unknown way to tear an operation: ${torn}`);
}

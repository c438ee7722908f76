import type { TrailerFlag as Flag, TrailerMagic as Magic } from "../../src/image/trailer.ts";
import type { LoaderState } from "./loader-state.ts";
import type { SwapState, SwapType } from "./trailer.ts";

interface Row {
  readonly primaryMagic?: Magic;
  readonly secondaryMagic?: Magic;
  readonly primaryImageOk?: Flag;
  readonly secondaryImageOk?: Flag;
  readonly primaryCopyDone?: Flag;
  readonly secondaryCopyDone?: Flag;
  readonly type: SwapType;
}

/**
 * boot_swap_tables of bootutil_public.c; the first row that fits decides, an absent field fits
 * anything.
 */
const rows: readonly Row[] = [
  { secondaryMagic: "good", secondaryImageOk: "unset", type: "test" },
  { secondaryMagic: "good", secondaryImageOk: "set", type: "perm" },
  { primaryMagic: "good", primaryImageOk: "unset", primaryCopyDone: "set", type: "revert" },
];

/** Swap using offset marks a revert whose start was interrupted in the secondary trailer. */
const rowsOfOffset: readonly Row[] = [
  {
    secondaryMagic: "good",
    secondaryImageOk: "unset",
    secondaryCopyDone: "set",
    type: "revert",
  },
  ...rows,
];

/** boot_swap_type_multi: what the trailers (and the hook, where there is one) ask for. */
export function requestedSwapType(state: LoaderState): SwapType {
  return decideSwapType(
    state.primaryState(),
    state.secondary.readState(),
    state.algorithm.hasTlvSizes ? rowsOfOffset : rows,
  );
}

/** What the trailers alone ask for, whatever a hook would say. */
export function trailerSwapType(state: LoaderState): SwapType {
  return decideSwapType(
    state.primary.readState(),
    state.secondary.readState(),
    state.algorithm.hasTlvSizes ? rowsOfOffset : rows,
  );
}

function decideSwapType(primary: SwapState, secondary: SwapState, table: readonly Row[]): SwapType {
  const fits = <T>(wanted: T | undefined, seen: T): boolean =>
    wanted === undefined || wanted === seen;
  const row = table.find(
    (candidate) =>
      fits(candidate.primaryMagic, primary.magic) &&
      fits(candidate.secondaryMagic, secondary.magic) &&
      fits(candidate.primaryImageOk, primary.imageOk) &&
      fits(candidate.secondaryImageOk, secondary.imageOk) &&
      fits(candidate.primaryCopyDone, primary.copyDone) &&
      fits(candidate.secondaryCopyDone, secondary.copyDone),
  );
  return row?.type ?? "none";
}

/** BOOT_IS_UPGRADE. */
export function movesImages(type: SwapType): boolean {
  return type === "test" || type === "perm" || type === "revert";
}

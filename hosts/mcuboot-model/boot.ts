import { sectorBytes } from "../flash/geometry.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import { PowerCut } from "../flash/operation.ts";
import { BootAssertion } from "./boot-area.ts";
import type { BootConfig } from "./config.ts";
import { runLoader } from "./loader.ts";
import { LoaderState, type SwapAlgorithm } from "./loader-state.ts";
import { fullVersion } from "./raw-header.ts";
import { swapUsingMove } from "./swap-move.ts";
import { swapUsingOffset } from "./swap-offset.ts";
import { swapUsingScratch } from "./swap-scratch.ts";
import { trailerSwapType } from "./swap-type.ts";
import type { SwapState, SwapType, Trailer } from "./trailer.ts";

/** What a trailer says, for reports and checkers. */
export interface TrailerReport extends SwapState {
  /** null where the field is erased. */
  readonly swapBytes: number | null;
  /** Swap using offset only; null where the field is erased. */
  readonly tlvBytes: readonly [primary: number, secondary: number] | null;
  /** One more than the index of the last status entry that is written. */
  readonly statusEntriesUsed: number;
}

export interface TrailerReports {
  readonly primary: TrailerReport;
  readonly secondary: TrailerReport;
  /** Swap using scratch only. */
  readonly scratch: TrailerReport | null;
  /** What the trailers alone ask the next boot for, whatever a hook would say. */
  readonly swapType: SwapType;
}

/** Completed flash operations: the one at which power failed does not count. */
export interface OperationCounts {
  readonly erases: number;
  readonly writes: number;
  readonly bytesErased: number;
  readonly bytesWritten: number;
}

/** What one run of the bootloader did. `assert` is a hang or a reset on a board. */
export type BootOutcome = {
  readonly swapRan: boolean;
  /** Took up an interrupted swap. */
  readonly resumed: boolean;
  readonly operations: OperationCounts;
  readonly before: TrailerReports;
  readonly after: TrailerReports;
} & (
  | {
      readonly outcome: "booted";
      /** Address of the image that starts. */
      readonly imageOffset: number;
      /** major.minor.revision+build. */
      readonly version: string;
      readonly swapType: SwapType;
    }
  | { readonly outcome: "no-bootable-image"; readonly swapType: SwapType }
  | { readonly outcome: "power-cut" }
  | { readonly outcome: "assert"; readonly assertion: string }
);

const algorithms: Readonly<Record<BootConfig["mode"], SwapAlgorithm>> = {
  "swap-using-move": swapUsingMove,
  "swap-using-scratch": swapUsingScratch,
  "swap-using-offset": swapUsingOffset,
};

/**
 * Runs MCUboot 2.4.0 (commit 2d4bacc3) once on a chip that is switched on: boot_go, with its
 * defects. A cut comes from the flash's fault hook and leaves the chip off; the next boot switches
 * it on again. Throws only `FlashRuleError`: the bootloader broke a rule of NOR flash.
 */
export function boot(flash: NorFlash, config: BootConfig): BootOutcome {
  flash.restorePower();
  const state = loaderState(flash, config);
  const before = reportTrailers(state);
  const countsBefore = flash.counts;
  const ended = runOnce(state);
  const after = reportTrailers(state);
  const { erases, writes, bytesProgrammed } = flash.counts;
  const lost = flash.interrupted;
  const completedErases = erases - countsBefore.erases - (lost?.kind === "erase" ? 1 : 0);
  const common = {
    swapRan: state.swapRan,
    resumed: state.resumed,
    operations: {
      erases: completedErases,
      writes: writes - countsBefore.writes - (lost?.kind === "write" ? 1 : 0),
      bytesErased: completedErases * sectorBytes,
      bytesWritten:
        bytesProgrammed -
        countsBefore.bytesProgrammed -
        (lost?.kind === "write" ? lost.lengthBytes : 0),
    },
    before,
    after,
  };
  if (ended === "booted")
    return {
      ...common,
      outcome: "booted",
      imageOffset: config.layout.primary.offsetBytes,
      version: fullVersion(state.headers.primary.version),
      swapType: state.swapType,
    };
  if (ended === "no-bootable-image") return { ...common, outcome: ended, swapType: state.swapType };
  if (ended === "power-cut") return { ...common, outcome: ended };
  return { ...common, outcome: "assert", assertion: ended.message };
}

/** What the trailers of a chip say now, without running anything. */
export function readTrailers(flash: NorFlash, config: BootConfig): TrailerReports {
  return reportTrailers(loaderState(flash, config));
}

/** boot_loader_state for a chip; also for the calls of the application. */
export function loaderState(flash: NorFlash, config: BootConfig): LoaderState {
  return new LoaderState(flash, config, algorithms[config.mode]);
}

function runOnce(state: LoaderState): "booted" | "no-bootable-image" | "power-cut" | BootAssertion {
  try {
    return runLoader(state) ? "booted" : "no-bootable-image";
  } catch (error) {
    if (error instanceof PowerCut) return "power-cut";
    if (error instanceof BootAssertion) return error;
    throw error;
  }
}

function reportTrailers(state: LoaderState): TrailerReports {
  return {
    primary: reportTrailer(state, state.primary),
    secondary: reportTrailer(state, state.secondary),
    scratch: state.scratch === null ? null : reportTrailer(state, state.scratch),
    swapType: trailerSwapType(state),
  };
}

function reportTrailer(state: LoaderState, trailer: Trailer): TrailerReport {
  const swapBytes = trailer.readSwapSize();
  const tlvBytes = state.algorithm.hasTlvSizes ? trailer.readTlvSizes() : null;
  return {
    ...trailer.readState(),
    swapBytes: swapBytes === 0xffffffff ? null : swapBytes,
    tlvBytes: tlvBytes?.every((bytes) => bytes === 0xffff) ? null : tlvBytes,
    statusEntriesUsed: trailer.readStatus().lastIndexOf(true) + 1,
  };
}

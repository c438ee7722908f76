import type { TrailerShape } from "../../src/image/trailer.ts";
import { sectorBytes } from "../flash/geometry.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import { nodeVerifyEd25519 } from "../release/node-crypto.ts";
import { BootArea, bootAssert } from "./boot-area.ts";
import { cachedCrypto } from "./cached-crypto.ts";
import type { BootConfig } from "./config.ts";
import { imageIsValid, type PlacedImage } from "./image-check.ts";
import type { PrimaryStateHook } from "./primary-state-hook.ts";
import { blankHeader, type RawImageHeader } from "./raw-header.ts";
import { type SwapState, type SwapType, Trailer } from "./trailer.ts";

export type SlotName = "primary" | "secondary";

/** struct boot_status: how far a swap has come. */
export interface BootStatus {
  op: "move" | "swap";
  /** Counted from 1. */
  index: number;
  /** Counted from 1: the step within one sector. */
  state: number;
  swapType: SwapType;
  swapBytes: number;
  source: "none" | "primary" | "scratch";
  /** Swap using scratch: status entries go to the scratch area for now. */
  useScratch: boolean;
}

/** What differs between MCUboot's ways to swap two slots; exactly one is built in. */
export interface SwapAlgorithm {
  readonly usesScratch: boolean;
  /** Whether the trailer records the sizes of the unprotected TLVs: swap using offset. */
  readonly hasTlvSizes: boolean;
  /** The `op` of a status that has not begun. */
  readonly firstOp: BootStatus["op"];
  /** boot_slots_compatible. */
  slotsAreCompatible(state: LoaderState): boolean;
  /** app_max_size: header to the end of the TLVs. */
  imageBytesMax(state: LoaderState): number;
  /** swap_status_source. */
  statusSource(state: LoaderState): BootStatus["source"];
  /** swap_read_status_bytes: finds where the swap was interrupted. */
  readProgress(state: LoaderState, trailer: Trailer, status: BootStatus): void;
  /**
   * boot_read_image_header: reads the header of the image that belongs to `slot`, wherever it is by
   * now.
   */
  readHeader(state: LoaderState, slot: SlotName, status: BootStatus | null): boolean;
  /** The trailer that a resumed swap takes its size from (boot_find_status). */
  progressTrailer(state: LoaderState): Trailer;
  /** swap_run: starts or resumes the swap. */
  run(state: LoaderState, status: BootStatus, copyBytes: number): void;
}

/** struct boot_loader_state: everything one boot knows. */
export class LoaderState {
  readonly config: BootConfig;
  readonly algorithm: SwapAlgorithm;
  readonly primary: Trailer;
  readonly secondary: Trailer;
  readonly scratch: Trailer | null;
  readonly headers: Record<SlotName, RawImageHeader>;
  /** Swap using offset: where the secondary slot's image starts. */
  secondaryStartOffset = 0;
  /** Swap using offset: as found when the swap starts. */
  readonly unprotectedTlvBytes = { primary: 0, secondary: 0 };
  swapType: SwapType = "none";
  swapRan = false;
  resumed = false;
  readonly #hook: PrimaryStateHook | null;
  readonly #bootctl: BootArea | null;

  constructor(flash: NorFlash, config: BootConfig, algorithm: SwapAlgorithm) {
    const { layout } = config;
    const shape: TrailerShape = {
      upgradeMode: config.mode,
      maxAlignBytes: config.maxAlign,
      writeBlockBytes: flash.writeBlockBytes,
      imageSectorsMax: config.imageSectorsMax,
    };
    this.config = config;
    this.algorithm = algorithm;
    this.primary = new Trailer(new BootArea("primary", flash, layout.primary), shape);
    this.secondary = new Trailer(new BootArea("secondary", flash, layout.secondary), shape);
    this.scratch =
      algorithm.usesScratch && layout.scratch !== null
        ? new Trailer(new BootArea("scratch", flash, layout.scratch), {
            ...shape,
            imageSectorsMax: 1,
          })
        : null;
    this.headers = { primary: blankHeader, secondary: blankHeader };
    this.#hook = config.primaryStateHook?.() ?? null;
    this.#bootctl = layout.bootctl === null ? null : new BootArea("bootctl", flash, layout.bootctl);
  }

  /**
   * What boot_swap_type_multi takes for the primary slot's state: the hook's word, else the
   * trailer's.
   */
  primaryState(): SwapState {
    if (this.#hook === null) return this.primary.readState();
    bootAssert(this.#bootctl !== null, "the layout has no bootctl area for the hook");
    const { primary, secondary } = this;
    return this.#hook({ primary, secondary, bootctl: this.#bootctl });
  }

  image(slot: SlotName): PlacedImage {
    return {
      area: this[slot].area,
      header: this.headers[slot],
      startOffset: slot === "secondary" ? this.secondaryStartOffset : 0,
    };
  }

  imageIsValid(slot: SlotName): boolean {
    const { keys, hardwareCounter } = this.config;
    const imageBytesMax = this.algorithm.imageBytesMax(this);
    return imageIsValid(
      this.image(slot),
      { keys, crypto: cachedCrypto, verifyEd25519: nodeVerifyEd25519, imageBytesMax },
      hardwareCounter,
    );
  }

  /** boot_status_reset. */
  resetStatus(): BootStatus {
    return {
      op: this.algorithm.firstOp,
      index: 1,
      state: 1,
      swapType: "none",
      swapBytes: 0,
      source: "none",
      useScratch: false,
    };
  }

  /** boot_status_is_reset. */
  statusIsReset(status: BootStatus): boolean {
    return status.op === this.algorithm.firstOp && status.index === 1 && status.state === 1;
  }
}

/** swap_scramble_trailer_sectors: the sectors that hold any of the trailer, the last one first. */
export function eraseTrailer(trailer: Trailer): void {
  const { area, sizeBytes } = trailer;
  const start = Math.floor((area.sizeBytes - sizeBytes) / sectorBytes) * sectorBytes;
  area.erase(start, area.sizeBytes - start, "downwards");
}

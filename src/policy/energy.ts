/**
 * What the steps of an update cost on one board, in millijoules (1 mWh is 3,600 mJ). docs/power.md
 * says how to measure each of them; the defaults are estimates.
 */
export interface EnergyConstants {
  /** From 100 to 0 percent; null (or 0) when unknown: then only the fixed thresholds count. */
  readonly capacityMilliwattHours: number | null;
  /**
   * Fetching 1,024 bytes by the radio in use: the whole board, from request to answer, divided by
   * what came.
   */
  readonly radioMillijoulesPerKibibyte: number;
  /** Erasing one sector of 4,096 bytes. */
  readonly eraseMillijoulesPerSector: number;
  /** Programming one sector of 4,096 bytes. */
  readonly writeMillijoulesPerSector: number;
  /**
   * From reset to the first line of the firmware: the bootloader hashes the image and checks its
   * signature.
   */
  readonly bootMillijoules: number;
  /**
   * A second of a trial, in which the radio joins and the checks run: the mean power in milliwatts.
   */
  readonly trialMillijoulesPerSecond: number;
}

export type Radio = "wifi" | "thread" | "ethernet" | "cellular";

/**
 * Estimates of `radioMillijoulesPerKibibyte`: the board's mean power while it downloads, by its
 * usual pace.
 */
const estimatedRadioMillijoules: Readonly<Record<Radio, number>> = {
  wifi: 8, // 400 mW at 50 KiB/s
  thread: 30, // 150 mW at 5 KiB/s
  ethernet: 10, // 500 mW at 50 KiB/s
  cellular: 60, // 600 mW at 10 KiB/s
};

/**
 * Estimates for an ESP32-C3 on Wi-Fi with SPI NOR flash and a lithium cell of 1,000 mAh at 3.7 V.
 * None is measured.
 */
export const estimatedEnergyConstants: EnergyConstants = {
  capacityMilliwattHours: 3700,
  radioMillijoulesPerKibibyte: estimatedRadioMillijoules.wifi,
  eraseMillijoulesPerSector: 8, // 45 ms at 55 mA and 3.3 V: flash and a waiting CPU
  writeMillijoulesPerSector: 3, // 16 pages of 1 ms, the same current
  bootMillijoules: 300, // 2 s at 150 mW
  trialMillijoulesPerSecond: 400, // Wi-Fi on, not sleeping
};

/** What is still to be done of an update, the worst case. */
export interface WorkLeft {
  /** Bytes of the image that are not in the slot yet; 0 once it is staged. */
  readonly downloadBytes: number;
  /** The larger of the two images, which a swap moves; 0 once swapped. */
  readonly swapBytes: number;
  /** Boots that the trial may take. */
  readonly trialBoots: number;
  readonly trialSecondsPerBoot: number;
}

/** Milliwatt-hours of each step that is left. */
export interface EnergyEstimate {
  readonly downloadMilliwattHours: number;
  readonly swapMilliwattHours: number;
  readonly trialMilliwattHours: number;
  /** The swap back after a trial that fails: a device must be able to afford its return. */
  readonly revertMilliwattHours: number;
  readonly totalMilliwattHours: number;
  /** The total as a share of a full battery; 0 while the capacity is unknown. May exceed 100. */
  readonly totalPercent: number;
}

const sectorBytes = 4096;

/**
 * Sectors that MCUboot's swap using move erases and programs for each sector of the image: the
 * primary's moves up by one, the secondary's comes into the primary, the moved one goes into the
 * secondary (`swap_move.c`).
 */
const movesPerSector = 3;

/** Sectors of both trailers, erased once a swap. */
const trailerSectors = 4;

/** Estimates the rest of an update. Negative and non-finite work counts as none. */
export function estimateEnergy(work: WorkLeft, constants: EnergyConstants): EnergyEstimate {
  const downloadBytes = amount(work.downloadBytes);
  const rewriteMillijoules =
    constants.eraseMillijoulesPerSector + constants.writeMillijoulesPerSector;
  const downloadMillijoules =
    (downloadBytes / 1024) * constants.radioMillijoulesPerKibibyte +
    Math.ceil(downloadBytes / sectorBytes) * rewriteMillijoules;
  const swapSectors = Math.ceil(amount(work.swapBytes) / sectorBytes);
  const swapMillijoules =
    swapSectors === 0
      ? 0
      : swapSectors * movesPerSector * rewriteMillijoules +
        trailerSectors * constants.eraseMillijoulesPerSector;
  const secondsMillijoules = amount(work.trialSecondsPerBoot) * constants.trialMillijoulesPerSecond;
  const trialMillijoules =
    amount(work.trialBoots) * (constants.bootMillijoules + secondsMillijoules);
  const revertMillijoules = swapMillijoules === 0 ? 0 : swapMillijoules + constants.bootMillijoules;
  const totalMilliwattHours =
    (downloadMillijoules + swapMillijoules + trialMillijoules + revertMillijoules) / 3600;
  const capacityMilliwattHours = amount(constants.capacityMilliwattHours ?? 0);
  return {
    downloadMilliwattHours: downloadMillijoules / 3600,
    swapMilliwattHours: swapMillijoules / 3600,
    trialMilliwattHours: trialMillijoules / 3600,
    revertMilliwattHours: revertMillijoules / 3600,
    totalMilliwattHours,
    totalPercent:
      capacityMilliwattHours === 0 ? 0 : (100 * totalMilliwattHours) / capacityMilliwattHours,
  };
}

function amount(value: number): number {
  return Number.isFinite(value) && value > 0 ? value : 0;
}

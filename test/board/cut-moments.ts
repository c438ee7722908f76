// When the power fails: at random, and in every phase of an update.

export const cutPhases = ["download", "swap", "trial"] as const;
export type CutPhase = (typeof cutPhases)[number];

export interface CutMoment {
  readonly phase: CutPhase;
  /** How far into the phase, from 0 to 1. */
  readonly share: number;
}

/** How long each phase takes when nothing happens. */
export type PhaseTimes = Readonly<Record<CutPhase, number>>;

/** Twenty in all. */
const cutsOf: Readonly<Record<CutPhase, number>> = { download: 6, swap: 10, trial: 4 };

/** One moment at random in each equal part of each phase; a seed gives the same again. */
export function cutMoments(seed: number): CutMoment[] {
  const random = randomFrom(seed);
  return cutPhases.flatMap((phase) =>
    Array.from({ length: cutsOf[phase] }, (_, index) => ({
      phase,
      share: (index + random()) / cutsOf[phase],
    })),
  );
}

/** The new image's first word is heard, and it has done nothing yet: the next boot is counted. */
export const firstWord: CutMoment = { phase: "trial", share: 0 };

/** A small generator (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

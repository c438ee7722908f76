/** One number of a benchmark, held to the design's target where there is one. */
export interface Measurement {
  /** What was measured, with the unit last: "erases of one sector in staging, most". */
  readonly what: string;
  readonly value: number;
  readonly target?: Target;
}

export interface Target {
  readonly max: number;
  /** True for what is the same on every machine: `--check` fails on it. */
  readonly checked: boolean;
}

export interface Benchmark {
  readonly name: string;
  /** One line: what runs. */
  readonly about: string;
  /** Answers why it cannot run here, such as a tool that is missing. */
  missing?(): string | null;
  run(): Promise<readonly Measurement[]>;
}

/** A target that no machine excuses. */
export function atMost(max: number): Target {
  return { max, checked: true };
}

/** A target for the machine that the design names; others are told and not failed. */
export function aboutAtMost(max: number): Target {
  return { max, checked: false };
}

export function meets({ value, target }: Measurement): boolean {
  return target === undefined || value <= target.max;
}

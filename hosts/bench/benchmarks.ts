import type { Benchmark } from "./benchmark.ts";
import { boardSizes } from "./board.ts";
import { controlGroup } from "./control-group.ts";
import { flashWear } from "./flash-wear.ts";
import { idlePoll } from "./idle-poll.ts";
import { planning } from "./planning.ts";
import { resumedDownload } from "./resumed-download.ts";
import { rollouts } from "./rollout.ts";
import { stoppedRollouts } from "./stopped-rollouts.ts";
import { trustChecks } from "./trust.ts";
import { xsMemory } from "./xs-memory.ts";

/** All benchmarks, in the order in which they run. Each has a file of its own. */
export const benchmarks: readonly Benchmark[] = [
  flashWear,
  resumedDownload,
  idlePoll,
  planning,
  rollouts,
  stoppedRollouts,
  controlGroup,
  trustChecks,
  xsMemory,
  boardSizes,
];

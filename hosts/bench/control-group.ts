import { defaultControl } from "../fleet/rollout/control-metrics.ts";
import type { Benchmark, Measurement } from "./benchmark.ts";
import { goodRelease, type PlantedDefect, runPlanted } from "./planted-release.ts";

const devices = 10_000;
const stages = [0.01, 0.1, 0.5].map((share) => ({ share, hours: 24 }));
const seeds = [1, 2, 3];

const defects: readonly PlantedDefect[] = [
  { ...goodRelease, name: "one device in fifty crashes once a day", crashingShare: 0.02 },
  { ...goodRelease, name: "5 percent more battery", drainTimes: 1.05 },
  { ...goodRelease, name: "half of the heartbeats", heartbeatsLost: 0.5 },
];

/** Nothing of it goes back, so thresholds alone let every device have the release. */
export const controlGroup: Benchmark = {
  name: "control",
  about: `regressions that no device goes back for, among ${devices.toLocaleString("en")} in stages of 1, 10 and 50 percent, a day each: how many devices had one when the control group stopped it, where thresholds alone give it to all`,

  async run() {
    return [...defects, goodRelease].flatMap((defect) => measured(defect));
  },
};

function measured(defect: PlantedDefect): Measurement[] {
  const settings = defaultControl;
  const outcomes = seeds.map((seed) => runPlanted({ seed, devices, stages, defect, settings }));
  const stopped = outcomes.filter(({ verdict }) => verdict !== null);
  const what = defect === goodRelease ? "a good release" : defect.name;
  if (defect === goodRelease)
    return [{ what: `${what}: rollouts of ${seeds.length} stopped`, value: stopped.length }];
  const most = (values: readonly number[]): number => Math.max(...values);
  return [
    {
      what: `${what}: rollouts of ${seeds.length} not stopped`,
      value: seeds.length - stopped.length,
    },
    {
      what: `${what}: devices that had it, most`,
      value: most(outcomes.map(({ updated }) => updated)),
    },
    { what: `${what}: hours, most`, value: most(outcomes.map(({ afterHours }) => afterHours)) },
    { what: `${what}: devices that had it by thresholds alone`, value: devices },
  ];
}

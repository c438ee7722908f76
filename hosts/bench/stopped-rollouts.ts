import { presets } from "../fleet/rollout/policy.ts";
import type { MemberAnswer } from "../fleet/routes/management/schemas/rollouts.ts";
import type { PageAnswer } from "../fleet/routes/requests/common-schemas.ts";
import type { Benchmark, Measurement } from "./benchmark.ts";
import { seeded } from "./planted-release.ts";
import { type SyntheticDevice, SyntheticFleet } from "./synthetic-fleet.ts";

const devicesCount = 1000;
const defectRates = [0.02, 0.1];
const seeds = [1, 2, 3];
const pollMs = 300_000;
const downloadMs = 300_000;
const trialMs = 120_000;
/** More than any policy here has stages. */
const stagesMax = 20;
const pageSize = 500;

/** Groups of the policy that goes by them; whoever is in none is general. */
const groups = [
  ["canary", 10],
  ["internal", 40],
  ["pilot", 150],
] as const;

/** Real operations of the server; devices are requests, and no firmware runs. */
export const stoppedRollouts: Benchmark = {
  name: "stop",
  about: `releases that are bad on 2 and 10 percent of ${devicesCount.toLocaleString("en")} devices, under each policy: devices hurt before the rollout stopped, mean of ${seeds.length}, beside what its preview said`,

  async run() {
    const fleet = await SyntheticFleet.open(devicesCount);
    try {
      await fillGroups(fleet);
      const measurements: Measurement[] = [];
      for (const policy of Object.keys(presets))
        for (const defectRate of defectRates)
          measurements.push(...(await measured(fleet, policy, defectRate)));
      return measurements;
    } finally {
      await fleet.close();
    }
  },
};

async function fillGroups(fleet: SyntheticFleet): Promise<void> {
  let from = 0;
  for (const [group, count] of groups) {
    for (const { id } of fleet.devices.slice(from, from + count))
      await fleet.api("PATCH", `/devices/${id}`, { groups: { add: [group] } });
    from += count;
  }
}

async function measured(
  fleet: SyntheticFleet,
  policy: string,
  defectRate: number,
): Promise<Measurement[]> {
  const outcomes: Outcome[] = [];
  for (const seed of seeds) outcomes.push(await runOne(fleet, { policy, defectRate, seed }));
  const mean = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length;
  const what = `${policy}, ${defectRate * 100} % bad`;
  return [
    { what: `${what}: hurt`, value: mean(({ hurt }) => hurt) },
    { what: `${what}: hurt, as previewed one by one`, value: mean((one) => one.hurtOneByOne) },
    { what: `${what}: hurt, as previewed at once`, value: mean((one) => one.hurtAtOnce) },
    { what: `${what}: stopped, share`, value: mean(({ isStopped }) => Number(isStopped)) },
    { what: `${what}: stopped, as previewed`, value: mean((one) => one.stop) },
  ];
}

interface Outcome {
  /** Devices that ran the release and went back. */
  readonly hurt: number;
  readonly isStopped: boolean;
  /** What the preview said. */
  readonly hurtOneByOne: number;
  readonly hurtAtOnce: number;
  readonly stop: number;
}

export async function runOne(
  fleet: SyntheticFleet,
  { policy, defectRate, seed }: { policy: string; defectRate: number; seed: number },
): Promise<Outcome> {
  const random = seeded(seed);
  const release = await fleet.publish();
  const asked = { releaseVersion: release.version, policy };
  const { odds } = await fleet.preview(asked);
  const said = odds.find((one) => one.defectRate === defectRate);
  if (said === undefined) throw new Error(`no preview for ${defectRate}`);
  const { id } = await fleet.api<{ readonly id: number }>("POST", "/rollouts", {
    ...asked,
    name: `${policy} ${seed}`,
    start: true,
  });
  let hurt = 0;
  const through: SyntheticDevice[] = [];
  let rollout = await fleet.rollout(id);
  for (let stage = 0; stage < stagesMax && rollout.state === "running"; stage += 1) {
    const waiting = await waitingOf(fleet, id, rollout.currentStage);
    hurt += await runStage(fleet, waiting, { random, defectRate, release });
    through.push(...waiting);
    const soakSeconds = rollout.stages[rollout.currentStage]?.soakSeconds ?? 0;
    await fleet.waitUntil(fleet.nowMs);
    const soakedMs = fleet.nowMs + soakSeconds * 1000;
    // Whoever has the release is heard of in the soak: silence would speak against it.
    for (const device of through) await fleet.poll(device, soakedMs);
    await fleet.waitUntil(soakedMs);
    rollout = await fleet.rollout(id);
  }
  const isStopped = rollout.state === "halted" || rollout.state === "paused";
  if (!isStopped && rollout.state !== "finished")
    throw new Error(`rollout ${id} under ${policy} is ${rollout.state} after ${stagesMax} stages`);
  await fleet.api("POST", `/rollouts/${id}/cancel`);
  const { hurtOneByOne, hurtAtOnce, stop } = said;
  return { hurt, isStopped, hurtOneByOne, hurtAtOnce, stop };
}

async function waitingOf(
  fleet: SyntheticFleet,
  rolloutId: number,
  stage: number,
): Promise<SyntheticDevice[]> {
  const ids = new Set<string>();
  for (let after: string | null = ""; after !== null; ) {
    // Bounded by the devices: every page begins after the last device of the one before.
    const from: string = after === "" ? "" : `&after=${after}`;
    const page: PageAnswer<MemberAnswer> = await fleet.api(
      "GET",
      `/rollouts/${rolloutId}/devices?limit=${pageSize}&state=waiting${from}`,
    );
    for (const member of page.items) if (member.stage === stage) ids.add(member.deviceId);
    after = page.next;
  }
  return fleet.devices.filter(({ id }) => ids.has(id));
}

interface Defect {
  readonly random: () => number;
  readonly defectRate: number;
  readonly release: { readonly version: string; readonly imageHash: string };
}

type Step = "poll" | "activate" | "end";

interface Due {
  readonly atMs: number;
  readonly device: SyntheticDevice;
  readonly step: Step;
  readonly offer: string;
}

/**
 * Every device polls once within the interval, downloads, and, unless it is told to give up by
 * then, restarts and finds out. Answers how many went back.
 */
async function runStage(
  fleet: SyntheticFleet,
  devices: readonly SyntheticDevice[],
  defect: Defect,
): Promise<number> {
  const startMs = fleet.nowMs;
  const polls = devices.map((device) => {
    return { atMs: startMs + defect.random() * pollMs, device, step: "poll", offer: "" } as const;
  });
  const due: Due[] = polls.toSorted(byTime);
  let hurt = 0;
  // Bounded by the devices: each has three steps at most. What follows is always later than `due`.
  for (let next = due.shift(); next !== undefined; next = due.shift()) {
    const after = await take(fleet, next, defect);
    if (after === "hurt") hurt += 1;
    else if (after !== null) insertByTime(due, after);
  }
  return hurt;
}

function byTime(a: Due, b: Due): number {
  return a.atMs - b.atMs;
}

function insertByTime(due: Due[], step: Due): void {
  let [low, high] = [0, due.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((due[middle]?.atMs ?? 0) <= step.atMs) low = middle + 1;
    else high = middle;
  }
  due.splice(low, 0, step);
}

async function take(
  fleet: SyntheticFleet,
  { atMs, device, step, offer }: Due,
  defect: Defect,
): Promise<Due | "hurt" | null> {
  if (step === "end") return end(fleet, device, { atMs, offer, defect });
  const links = await fleet.poll(device, atMs);
  if (links.cancel !== null) {
    await fleet.report(device, links.cancel, {
      execution: "closed",
      finished: "success",
      details: [],
    });
    return null;
  }
  if (links.offer === null) return null;
  const isFirst = step === "poll";
  await fleet.report(device, links.offer, {
    execution: isFirst ? "download" : "proceeding",
    finished: "none",
    details: [`state=${isFirst ? "downloading" : "activating"}`],
  });
  return {
    device,
    offer: links.offer,
    step: isFirst ? "activate" : "end",
    atMs: atMs + (isFirst ? downloadMs : trialMs),
  };
}

async function end(
  fleet: SyntheticFleet,
  device: SyntheticDevice,
  { atMs, offer, defect }: { atMs: number; offer: string; defect: Defect },
): Promise<"hurt" | null> {
  const { random, defectRate, release } = defect;
  const before = device.running;
  const runs = `${release.version};${release.imageHash}`;
  device.running = `${runs};trial`;
  await fleet.poll(device, atMs);
  const isBad = random() < defectRate;
  device.running = isBad ? before : `${runs};confirmed`;
  await fleet.report(device, offer, {
    execution: "closed",
    finished: isBad ? "failure" : "success",
    details: isBad ? ["state=rolledBack", "reason=crashed"] : ["state=confirmed"],
  });
  return isBad ? "hurt" : null;
}

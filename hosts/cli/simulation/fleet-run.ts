import type { JsonObject } from "../../../src/protocol/json.ts";
import type { EngineKind } from "../../simulator/engines/engine.ts";
import { runningImage, type WorldDevice } from "../../simulator/world.ts";
import type { DeviceView } from "../server/fleet-views.ts";
import {
  badWeather,
  droppedLinks,
  fateOf,
  type LastingFault,
  PowerCuts,
  someBattery,
} from "./faults.ts";
import { holdsConfirmed } from "./flash-check.ts";
import { referenceFirmware } from "./images.ts";
import { isListedReason } from "./reasons.ts";
import { Session, type SessionOptions } from "./session.ts";

export interface FleetRunOptions
  extends Omit<SessionOptions, "network" | "pollSeconds" | "turnBudgetMs"> {
  readonly devices: number;
  readonly engine: EngineKind;
  readonly faults: boolean;
  /** Told of virtual time and of the devices on the target, now and then. */
  progress(nowMs: number, onTarget: number): void;
}

/**
 * How a device stood at the end. `unexplained`: not on the target, and for no reason of the closed
 * list.
 */
export interface DeviceOutcome {
  readonly id: string;
  readonly end: "on-target" | "with-reason" | "unexplained" | "lost";
  readonly version: string;
  /** The server's word for its state, with the reason that the device gave. */
  readonly reason: string;
  /** What kept it from the target for good; null when all its faults passed. */
  readonly lasting: LastingFault | null;
}

export interface FleetRunResult {
  readonly devices: readonly DeviceOutcome[];
  /** Devices that the server counts as updated, and that it should by what their flash holds. */
  readonly countedUpdated: number;
  readonly runningTarget: number;
  readonly powerCuts: number;
  readonly virtualMs: number;
}

const firstVersion = "1.0.0";
const targetVersion = "1.1.0";
const hardware = "esp32c3-a";
const pollSeconds = 900;
const minuteMs = 60_000;
const limitMs = 48 * 60 * minuteMs;
/** Faults pass in three hours, and the last window of the day closes an hour later. */
const faultyLimitMs = 5 * 60 * minuteMs;
/**
 * The server is restarted once, and takes its time; it is back before it is asked for its counters.
 */
const serverStopsMs = 18 * minuteMs;
const serverAwayMs = 10 * minuteMs;
/** The server takes no longer list of devices in one rollout. */
const devicesPerRollout = 1000;

/** The zone in which it is ten in the morning when the simulation begins. */
const timeZone = "CET-1CEST,M3.5.0,M10.5.0/3";
const everyDay = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const windows = {
  timeZone,
  install: [
    { days: everyDay, start: "11:00", minutes: 45 },
    { days: everyDay, start: "12:30", minutes: 90 },
  ],
};
const freeze = { timeZone, install: [] };

/**
 * A fleet of one hardware that takes one release, with or without faults, until it stands still or
 * its time is over.
 */
export async function runFleet(options: FleetRunOptions): Promise<FleetRunResult> {
  const { seed, faults } = options;
  const session: Session = new Session({
    ...options,
    pollSeconds,
    turnBudgetMs: null, // the reference firmware ends its turns, and a watch over each costs more than most turns
    ...(faults
      ? {
          network: (real, own) =>
            badWeather(
              droppedLinks(real, () => own, seed),
              () => own,
              seed,
            ),
        }
      : {}),
  });
  try {
    await session.open();
    const cuts = new PowerCuts(session, seed);
    session.world.observer = { powerLost: (known) => cuts.powerLost(known) };
    await makeDevices(session, options, cuts);
    session.world.powerOnAll();
    const image = await session.publish({
      version: targetVersion,
      hardware,
      entry: referenceFirmware,
    });
    const rollouts = await rollOut(session, options);
    if (faults)
      session.world.scheduler.after(serverStopsMs, () => session.stopServer(serverAwayMs));
    const able = session.world.devices.filter(({ id }) => lastingOf(options, id) === null).length;
    await session.until(faults ? faultyLimitMs : limitMs, 30 * minuteMs, async () => {
      const updated = await countIn(session, rollouts, "updated");
      options.progress(session.nowMs, updated);
      // Who went back refuses the release from then on: there is nothing to wait for.
      return updated + (await countIn(session, rollouts, "rolled-back")) === able;
    });
    const devices = await judge(session, options);
    const wanted = { image, publicPem: session.images.publicPem };
    const { layout } = session.world;
    const holds = ({ device }: WorldDevice): boolean =>
      holdsConfirmed(device.flash, layout, wanted);
    return {
      devices,
      countedUpdated: await countIn(session, rollouts, "updated"),
      runningTarget: session.world.devices.filter(holds).length,
      powerCuts: cuts.made,
      virtualMs: session.nowMs,
    };
  } finally {
    await session.close();
  }
}

async function makeDevices(
  session: Session,
  options: FleetRunOptions,
  cuts: PowerCuts,
): Promise<void> {
  const image = await session.publish({
    version: firstVersion,
    hardware,
    entry: referenceFirmware,
  });
  const width = String(options.devices).length;
  for (let number = 1; number <= options.devices; number += 1) {
    const id = `device-${String(number).padStart(width, "0")}`;
    const battery = options.faults ? someBattery(session, options.seed, id) : null;
    const { engine } = options;
    const known = await session.addDevice({ id, hardware, engine, battery, image });
    if (options.faults) cuts.threaten(known);
  }
}

/**
 * One stage for all, in one rollout for each set of windows: what is tried here is the devices, not
 * the plan.
 */
async function rollOut(session: Session, options: FleetRunOptions): Promise<readonly number[]> {
  const wanted = {
    name: "simulation",
    releaseVersion: targetVersion,
    stages: [{ percent: 100, soakSeconds: 0 }],
    haltThreshold: { rolledBackShare: 1, failedShare: 1 },
  };
  if (!options.faults) return [(await session.createRollout(wanted)).id];
  const groups = new Map<JsonObject | null, string[]>([
    [null, []],
    [windows, []],
    [freeze, []],
  ]);
  for (const { id } of session.world.devices) {
    const { lasting, windowed } = fateOf(options.seed, id);
    groups.get(lasting === "freeze" ? freeze : windowed ? windows : null)?.push(id);
  }
  const rollouts: number[] = [];
  for (const [group, ids] of groups)
    for (let from = 0; from < ids.length; from += devicesPerRollout) {
      const selector = { devices: ids.slice(from, from + devicesPerRollout) };
      const { id } = await session.createRollout({ ...wanted, selector, windows: group });
      rollouts.push(id);
    }
  return rollouts;
}

/** How many members of the rollouts are in this state, as the server counts. */
async function countIn(
  session: Session,
  rollouts: readonly number[],
  state: string,
): Promise<number> {
  let count = 0;
  for (const id of rollouts) count += (await session.rollout(id)).stages[0]?.counts[state] ?? 0;
  return count;
}

function lastingOf(options: FleetRunOptions, id: string): LastingFault | null {
  return options.faults ? fateOf(options.seed, id).lasting : null;
}

async function judge(session: Session, options: FleetRunOptions): Promise<DeviceOutcome[]> {
  const views = new Map((await session.devices()).map((view) => [view.id, view]));
  return session.world.devices.map(({ id, device }) => {
    const running = runningImage(device.flash, session.world.layout);
    const version = running?.version ?? "nothing";
    const outcome = outcomeOf(version, device.condition, views.get(id));
    return { id, version, lasting: lastingOf(options, id), ...outcome };
  });
}

/**
 * Lost is a device that will not come back by itself: no image to start, or one that no longer asks
 * its server.
 */
function outcomeOf(
  version: string,
  condition: string,
  view: DeviceView | undefined,
): Pick<DeviceOutcome, "end" | "reason"> {
  const reason = [view?.state ?? "unknown", view?.reason].filter((part) => part != null).join(": ");
  if (
    condition === "halted" ||
    version === "nothing" ||
    view === undefined ||
    view.running === null
  )
    return { end: "lost", reason: `${condition}, ${reason}` };
  if (version === targetVersion && view.running.version === targetVersion)
    return { end: "on-target", reason };
  return { end: isListedReason(view.state, view.reason) ? "with-reason" : "unexplained", reason };
}

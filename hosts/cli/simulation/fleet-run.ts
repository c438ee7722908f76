import type { EngineKind } from "../../simulator/engines/engine.ts";
import { runningImage } from "../../simulator/world.ts";
import type { DeviceView } from "../fleet-views.ts";
import { badWeather, PowerCuts, someBattery } from "./faults.ts";
import { referenceFirmware } from "./images.ts";
import { Session, type SessionOptions } from "./session.ts";

export interface FleetRunOptions extends Omit<SessionOptions, "network" | "pollSeconds"> {
  readonly devices: number;
  readonly engine: EngineKind;
  readonly faults: boolean;
  /** Told of virtual time and of the devices on the target, now and then. */
  progress(nowMs: number, onTarget: number): void;
}

/** How a device stood at the end. */
export interface DeviceOutcome {
  readonly id: string;
  readonly end: "on-target" | "with-reason" | "lost";
  readonly version: string;
  /** The server's word for its state, with the reason that the device gave. */
  readonly reason: string;
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
const limitMs = 48 * 3_600_000;

/** A fleet of one hardware that takes one release, with or without faults, until it stands still or two days passed. */
export async function runFleet(options: FleetRunOptions): Promise<FleetRunResult> {
  const { seed, faults } = options;
  const session: Session = new Session({
    ...options,
    pollSeconds,
    ...(faults ? { network: (real, own) => badWeather(real, () => own, seed) } : {}),
  });
  try {
    await session.open();
    const cuts = new PowerCuts(session, seed);
    session.world.observer = { powerLost: (known) => cuts.powerLost(known) };
    await makeDevices(session, options, cuts);
    session.world.powerOnAll();
    const rollout = await rollOut(session);
    await session.until(limitMs, 30 * minuteMs, async () => {
      const { counts } = (await session.rollout(rollout)).stages[0]!;
      options.progress(session.nowMs, counts["updated"] ?? 0);
      return (counts["updated"] ?? 0) === options.devices;
    });
    return await judge(session, rollout, cuts.made);
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

/** One stage for all: what is tried here is the devices, not the plan. */
async function rollOut(session: Session): Promise<number> {
  await session.publish({ version: targetVersion, hardware, entry: referenceFirmware });
  const rollout = await session.createRollout({
    name: "simulation",
    releaseVersion: targetVersion,
    stages: [{ percent: 100, soakSeconds: 0 }],
    haltThreshold: { rolledBackShare: 1, failedShare: 1 },
  });
  return rollout.id;
}

async function judge(
  session: Session,
  rollout: number,
  powerCuts: number,
): Promise<FleetRunResult> {
  const views = new Map((await session.devices()).map((view) => [view.id, view]));
  const devices = session.world.devices.map(({ id, device }) => {
    const running = runningImage(device.flash, session.world.layout);
    const view = views.get(id);
    return outcomeOf(id, running?.version ?? "nothing", device.condition, view);
  });
  const { counts } = (await session.rollout(rollout)).stages[0]!;
  return {
    devices,
    countedUpdated: counts["updated"] ?? 0,
    runningTarget: devices.filter(({ version }) => version === targetVersion).length,
    powerCuts,
    virtualMs: session.nowMs,
  };
}

/** Lost is a device that will not come back by itself: no image to start, or one that no longer asks its server. */
function outcomeOf(
  id: string,
  version: string,
  condition: string,
  view: DeviceView | undefined,
): DeviceOutcome {
  const reason = [view?.state ?? "unknown", view?.reason].filter((part) => part != null).join(": ");
  if (condition === "halted" || version === "nothing" || view?.running === null)
    return { id, end: "lost", version, reason: `${condition}, ${reason}` };
  const there = version === targetVersion && view?.running?.version === targetVersion;
  return { id, end: there ? "on-target" : "with-reason", version, reason };
}

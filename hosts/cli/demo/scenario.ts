import type { DeviceLayout } from "../../flash/layout.ts";
import { PluggableBattery } from "../../simulator/battery.ts";
import { runningImage, type WorldDevice } from "../../simulator/world.ts";
import type { DeviceView, RolloutView } from "../server/fleet-views.ts";
import { referenceFirmware } from "../simulation/images.ts";
import type { Session } from "../simulation/session.ts";
import { badVersion, firstVersion, goodVersion, type PlannedDevice } from "./plan.ts";

/** Told of what happens, for a view. */
export interface DemoObserver {
  step(nowMs: number, text: string): void;
  progress(nowMs: number, devices: readonly DeviceView[], rollout: RolloutView): void;
}

export interface DemoOutcome {
  readonly good: { version: string; devices: number; confirmed: number; deferred: number };
  readonly bad: { version: string; attempted: number; rolledBack: number; halted: boolean };
  readonly engines: { node: number; xs: number };
  readonly devices: readonly DemoDevice[];
}

export interface DemoDevice {
  readonly id: string;
  readonly hardware: string;
  readonly engine: string;
  readonly version: string;
  readonly imageHash: string;
  readonly state: string;
}

/** The poll interval that the scenario expects of its session. */
export const demoPollSeconds = 900;

const badFirmware = "hosts/simulator/firmware/throws-on-revision-b.ts";
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const daySeconds = 86_400;
/**
 * Four stages of a day each take about 100 hours; a demo that is not through by then has failed.
 */
const rolloutLimitMs = 12 * daySeconds * 1000;
const watchMs = 10 * minuteMs;

/**
 * The main job, from a fleet on 1.0.0 to one on 1.1.0 that refused 1.2.0. Everything is real but
 * time and silicon.
 */
export class Demo {
  readonly #session: Session;
  readonly #planned: readonly PlannedDevice[];
  readonly #observer: DemoObserver;
  readonly #batteries = new Map<string, PluggableBattery>();
  readonly #deferred = new Set<string>();

  constructor(session: Session, planned: readonly PlannedDevice[], observer: DemoObserver) {
    this.#session = session;
    this.#planned = planned;
    this.#observer = observer;
  }

  async run(layout: DeviceLayout): Promise<DemoOutcome> {
    await this.#session.open();
    this.#say(`the fleet server listens on ${this.#session.url}`);
    await this.#startDevices();
    const good = await this.#rollOutGood();
    const bad = await this.#rollOutBad();
    return this.#outcome(good, bad, layout);
  }

  async #startDevices(): Promise<void> {
    const session = this.#session;
    session.world.observer = {
      booted: ({ id }, outcome, reason) => {
        if (outcome.outcome !== "booted" || !outcome.swapRan) return;
        const [version] = outcome.version.split("+");
        this.#say(`${id}: the bootloader swapped in ${version} (${reason} reset)`);
      },
    };
    const images = await this.#publish(firstVersion, referenceFirmware);
    for (const planned of this.#planned) {
      const percent = planned.batteryPercent;
      const battery = percent === null ? null : new PluggableBattery(percent, 20);
      if (battery !== null) this.#batteries.set(planned.id, battery);
      await session.addDevice({ ...planned, battery, image: images.get(planned.hardware)! });
    }
    session.world.powerOnAll();
    await session.until(hourMs, minuteMs, async () => {
      const devices = await session.devices();
      return devices.every(({ running }) => running?.version === firstVersion);
    });
    this.#say(`${this.#planned.length} devices run ${firstVersion} and poll every 15 minutes`);
  }

  async #rollOutGood(): Promise<RolloutView> {
    await this.#publish(goodVersion, referenceFirmware);
    const { id } = await this.#session.createRollout({
      name: `${goodVersion} to everybody`,
      releaseVersion: goodVersion,
    });
    this.#say(`rollout ${id}: ${goodVersion} to 1, 10, 50 and 100 %, with a day of soak each`);
    return this.#watch(id);
  }

  async #rollOutBad(): Promise<RolloutView> {
    const session = this.#session;
    await this.#publish(badVersion, badFirmware);
    const { id } = await session.createRollout({
      name: `${badVersion} to revision b`,
      releaseVersion: badVersion,
      selector: { hardware: ["esp32c3-b"] },
      stages: [
        { percent: 40, soakSeconds: daySeconds },
        { percent: 100, soakSeconds: daySeconds },
      ],
      // Two devices are in the first stage: one that goes back may be chance, two are not.
      haltThreshold: { rolledBackShare: 0.5 },
    });
    this.#say(`rollout ${id}: ${badVersion}, which throws on revision b, to two of its five`);
    await this.#watch(id);
    // A halt must hold: nobody else may be offered the release afterwards.
    await session.until(6 * hourMs, hourMs, () => Promise.resolve(false));
    return session.rollout(id);
  }

  /** Builds, signs and publishes a version for both revisions. */
  async #publish(version: string, entry: string): Promise<Map<string, Uint8Array>> {
    const images = new Map<string, Uint8Array>();
    for (const hardware of new Set(this.#planned.map((device) => device.hardware)))
      images.set(hardware, await this.#session.publish({ version, hardware, entry }));
    this.#say(`built, signed and published ${version} for ${[...images.keys()].join(" and ")}`);
    return images;
  }

  /** Follows a rollout to its end, or to where it stopped. */
  async #watch(id: number): Promise<RolloutView> {
    const session = this.#session;
    let rollout = await session.rollout(id);
    let openStages = 0;
    await session.until(rolloutLimitMs, watchMs, async () => {
      rollout = await session.rollout(id);
      const devices = await session.devices();
      for (const device of devices) this.#noticeDeferral(device);
      const open = rollout.stages.filter(({ openedAtUnixMs }) => openedAtUnixMs !== null);
      const last = open.at(-1);
      if (last !== undefined && open.length > openStages)
        this.#say(`rollout ${id}: the stage of ${last.percent} % is open, ${last.members} more`);
      openStages = open.length;
      this.#observer.progress(session.nowMs, devices, rollout);
      return rollout.state !== "running";
    });
    this.#say(`rollout ${id}: ${rollout.state}`);
    return rollout;
  }

  /** Somebody reads that a device waits for power, and plugs the charger in two hours later. */
  #noticeDeferral(device: DeviceView): void {
    if (device.state !== "deferred" || this.#deferred.has(device.id)) return;
    this.#deferred.add(device.id);
    this.#say(`${device.id}: defers the update (${device.reason})`);
    this.#session.world.scheduler.after(2 * hourMs, () => {
      this.#say(`${device.id}: somebody plugs the charger in`);
      this.#batteries.get(device.id)?.plugIn(this.#session.nowMs);
    });
  }

  async #outcome(good: RolloutView, bad: RolloutView, layout: DeviceLayout): Promise<DemoOutcome> {
    const views = new Map((await this.#session.devices()).map((view) => [view.id, view]));
    const devices = this.#session.world.devices.map((known) =>
      summaryOf(known, views.get(known.id), layout),
    );
    const count = (engine: string): number =>
      devices.filter((device) => device.engine === engine).length;
    return {
      good: {
        version: goodVersion,
        devices: devices.length,
        confirmed: total(good, "updated"),
        deferred: this.#deferred.size,
      },
      bad: {
        version: badVersion,
        attempted: bad.stages.reduce((sum, stage) => sum + stage.attempted, 0),
        rolledBack: total(bad, "rolled-back"),
        halted: bad.state === "halted",
      },
      engines: { node: count("node"), xs: count("xs") },
      devices,
    };
  }

  #say(text: string): void {
    this.#observer.step(this.#session.nowMs, text);
  }
}

/** Version and hash are what the flash holds, the state is what the server was told. */
function summaryOf(
  { id, hardware, device }: WorldDevice,
  view: DeviceView | undefined,
  layout: DeviceLayout,
): DemoDevice {
  const running = runningImage(device.flash, layout);
  return {
    id,
    hardware,
    engine: device.engineKind,
    version: running?.version ?? "",
    imageHash: running?.imageHash ?? "",
    state: view?.state ?? "unknown",
  };
}

function total(rollout: RolloutView, state: string): number {
  return rollout.stages.reduce((sum, stage) => sum + (stage.counts[state] ?? 0), 0);
}

/** What the demo promises; anything else is a failure. */
export function isExpected(outcome: DemoOutcome): boolean {
  const { good, bad, devices } = outcome;
  return (
    good.confirmed === good.devices &&
    good.deferred === 1 &&
    bad.attempted === 2 &&
    bad.rolledBack === 2 &&
    bad.halted &&
    devices.every(({ version }) => version === goodVersion)
  );
}

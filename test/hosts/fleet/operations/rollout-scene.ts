import type { TestContext } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { TestFleet } from "../test-fleet.ts";

export const old = { version: "1.0.0", imageHash: "a".repeat(64) };
export const allAtOnce = [{ percent: 100, soakSeconds: 0 }];

/** Devices that run the old image, confirmed, and have said so. */
export async function fleetOf(t: TestContext, count: number, options: Partial<FleetOptions> = {}) {
  const fleet = await TestFleet.open(t, options);
  const devices = await fleet.addDevices(count);
  for (const device of devices) {
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  return { fleet, devices };
}

export async function rollOut(fleet: TestFleet, releaseVersion: string, more: object = {}) {
  const wanted = { name: releaseVersion, releaseVersion, stages: allAtOnce, start: true, ...more };
  return fleet.api("POST", "/rollouts", wanted);
}

/** State and reason; null for a device that is no member. */
export async function memberOf(fleet: TestFleet, rollout: number, id: string) {
  const { items } = await fleet.api("GET", `/rollouts/${rollout}/devices`);
  const found = items.find((item: { deviceId: string }) => item.deviceId === id);
  return found === undefined ? null : [found.state, found.reason];
}

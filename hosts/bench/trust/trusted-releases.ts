import { join } from "node:path";
import { FleetClient } from "../../cli/server/fleet-client.ts";
import type { TrustedReleases } from "../../moddable/one-device.ts";
import { ReleaseMachine } from "./release-machine.ts";

/**
 * Root 2 of 3, targets 2 of 2 and one online key, all kept in that folder, for whatever is offered
 * to that hardware.
 */
export async function trustedReleases(folder: string, hardware: string): Promise<TrustedReleases> {
  const machine = await ReleaseMachine.start(folder, hardware, Date.now());
  return {
    firstRoot: machine.firstRoot,
    fleet: { folder: join(folder, "served"), onlineSigner: machine.online },
    publish: (image, fleet) => machine.publish(image, new FleetClient({ fleet }), Date.now()),
  };
}

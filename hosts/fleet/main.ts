import { createFleet, type FleetServer } from "./app.ts";
import type { FleetOptions } from "./options.ts";
import { systemClock } from "./time/clock.ts";

export interface ServeOptions extends Omit<FleetOptions, "clock" | "listenHost"> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

const tickMs = 1000;

/** Listens, and ticks once a second of real time; the caller closes what it gets. */
export async function serveFleet(
  options: ServeOptions,
): Promise<{ readonly url: string; readonly fleet: FleetServer; close(): Promise<void> }> {
  const fleet = await createFleet({
    ...options,
    listenHost: options.host,
    clock: systemClock,
    ticksEveryMs: tickMs,
  });
  const { host, port } = options;
  const url = await fleet.app.listen({ host, port }).catch(async (error: unknown) => {
    await fleet.close();
    throw error;
  });
  let told = "";
  const tick = async (): Promise<void> => {
    try {
      await fleet.tick();
      if (told !== "") fleet.app.log.warn({}, "ticks go on again");
      told = "";
    } catch (error) {
      const said = String(error);
      // Once, and not once a second for as long as a disk is full.
      if (said !== told) fleet.app.log.error({ err: error }, "a tick failed");
      told = said;
    }
  };
  const timer = setInterval(() => void tick(), tickMs);
  return {
    url,
    fleet,
    close() {
      clearInterval(timer);
      return fleet.close();
    },
  };
}

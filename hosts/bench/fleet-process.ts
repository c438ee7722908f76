// The fleet server in a process of its own, so that its CPU time is nobody else's. Started by
// idle-poll.ts.
import { join } from "node:path";
import { createFleet } from "../fleet/app.ts";
import { systemClock } from "../fleet/time/clock.ts";

export interface FleetOrder {
  readonly kind: "cpu" | "tick" | "close";
}

export interface FleetAnswer {
  readonly url: string;
  /** User and system time of this process so far. */
  readonly cpuSeconds: number;
}

const [directory = "."] = process.argv.slice(2);
const fleet = await createFleet({
  databaseFile: join(directory, "fleet.sqlite"),
  artifactsFolder: join(directory, "artifacts"),
  clock: systemClock,
});
const url = await fleet.app.listen({ port: 0, host: "127.0.0.1" });

function answer(): void {
  const { user, system } = process.cpuUsage();
  process.send?.({ url, cpuSeconds: (user + system) / 1e6 } satisfies FleetAnswer);
}

process.on("message", async ({ kind }: FleetOrder) => {
  if (kind === "tick") await fleet.tick();
  if (kind === "close") {
    await fleet.close();
    process.disconnect();
    return;
  }
  answer();
});
answer();

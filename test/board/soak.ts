import { join } from "node:path";
import { trustedReleases } from "../../hosts/bench/trust/trusted-releases.ts";
import { BoardDevice, deviceId, resetLine } from "../../hosts/esp32/emulator/board-device.ts";
import { hardware, signed } from "../../hosts/esp32/emulator/board-image.ts";
import { certificate, servedToDevices, withClient } from "../support/tls.ts";
import type { Scenario } from "./schedule.ts";
import { checkSoak, type SoakedDevice, type SoakLog, updatesWanted } from "./soaked-device.ts";
import { closing, type Stage } from "./stage.ts";

const hosts = ["10.0.2.2"];

/**
 * Updates without end, everything on: nothing may grow from one to the next. Hours; only when it is
 * named.
 */
export async function soakScenarios(stage: Stage): Promise<Scenario[]> {
  const count = updatesWanted();
  return [{ name: "the soak", run: () => soak(stage, count) }];
}

async function soak({ checks, kit, directory }: Stage, count: number): Promise<void> {
  const one = await BoardDevice.start({
    parts: kit,
    directory: join(directory, "soak"),
    image: await signed("1.0.0", kit.reference.payload, kit.keys),
    tls: { server: servedToDevices(certificate({ hosts })), credentials: withClient() },
    trust: await trustedReleases(join(directory, "offline"), hardware),
  });
  await closing(checks, one, async (check) => {
    await one.powerOn();
    const device: SoakedDevice = {
      fleet: one.fleet,
      id: deviceId,
      offer: async (version) =>
        one.offer(version, await signed(version, kit.reference.payload, kit.keys)),
      takeLog: () => takeLog(one),
    };
    await checkSoak(check, device, count);
  });
}

function takeLog(one: BoardDevice): SoakLog {
  const { crashes } = one;
  const lines = one.console.splice(0);
  const flashes = one.boots.splice(0).map(({ before }) => before); // each holds the whole flash
  const atLines = lines.flatMap((line, at) => (resetLine.test(line) ? [at] : []));
  const restarts = atLines.map((atLine, index) => ({ atLine, flash: flashes[index] ?? null }));
  return { lines, restarts, crashes };
}

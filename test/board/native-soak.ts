import { readFileSync } from "node:fs";
import { join } from "node:path";
import { trustedReleases } from "../../hosts/bench/trust/trusted-releases.ts";
import { deviceId, OneDevice } from "../../hosts/moddable/one-device.ts";
import type { Checks } from "../moddable/checks.ts";
import { certificate, servedToDevices, withClient } from "../support/tls.ts";
import { checkSoak, type Restart, type SoakedDevice, updatesWanted } from "./soaked-device.ts";
import { SceneOver } from "./stage.ts";

const hardware = "esp32c3-a";

/**
 * The soak of the chip on `native_sim`: XS of 32 bits in the same heap, the same natives, TLS and
 * signed metadata, and a small part of the time, because nothing is emulated. There is no native
 * stack to measure.
 */
export async function soakNative(
  checks: Checks,
  payload: Uint8Array,
  directory: string,
): Promise<void> {
  const count = updatesWanted();
  const told: string[] = [];
  const restarts: Restart[] = [];
  const one = await OneDevice.start({
    directory: join(directory, "soak"),
    runner: null,
    payload,
    tls: { server: servedToDevices(certificate()), credentials: withClient() },
    trust: await trustedReleases(join(directory, "offline"), hardware),
    bootsMax: 2 * count + 2,
    logged: (line) => told.push(line),
    booted: () => restarts.push({ atLine: told.length, flash: flash() }),
  });
  const flash = (): Uint8Array => readFileSync(one.board.flashFile);
  const device: SoakedDevice = {
    fleet: one.fleet,
    id: deviceId,
    offer: async (version) => (await one.offer(version, payload)).rollout,
    takeLog: () => ({
      lines: told.splice(0),
      restarts: restarts.splice(0),
      crashes: one.board.boots.splice(0).filter((boot) => / (?:exception|watchdog)$/.test(boot)),
    }),
  };
  try {
    void one.powerOn().then((end) => told.push(`the board ended: ${JSON.stringify(end)}`));
    device.takeLog(); // the power-on
    await checkSoak(
      async (name, run) => {
        if (!(await checks.check(name, run))) throw new SceneOver(name);
      },
      device,
      count,
    );
  } catch (error) {
    if (!(error instanceof SceneOver)) throw error;
    console.log(told.slice(-40).join("\n"));
  } finally {
    await one.close();
  }
}

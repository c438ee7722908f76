import assert from "node:assert/strict";
import { join } from "node:path";
import { BoardDevice, deviceId } from "../../hosts/esp32/emulator/board-device.ts";
import { primaryVersion, signed } from "../../hosts/esp32/emulator/board-image.ts";
import type { OtherFirmware } from "./kit.ts";
import { assertModelAgrees } from "./model.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";
import { untilUpdated } from "./until-updated.ts";

interface BadRelease {
  readonly name: string;
  readonly version: string;
  readonly firmware: OtherFirmware;
  /** Why the device was reset before the old image started again. */
  readonly lastReset: string;
  /** What the server is told. */
  readonly reason: string;
  /** What the server counts it as. */
  readonly counted: "rolled-back" | "no-link";
}

const releases: readonly BadRelease[] = [
  {
    name: "throws at its start",
    version: "1.2.0",
    firmware: "throwing",
    lastReset: "exception",
    reason: "crashed",
    counted: "rolled-back",
  },
  {
    name: "hangs",
    version: "1.3.0",
    firmware: "hanging",
    lastReset: "watchdog",
    reason: "watchdog",
    counted: "rolled-back",
  },
  {
    name: "runs and is never healthy",
    version: "1.4.0",
    firmware: "never-healthy",
    lastReset: "software",
    reason: "no-server",
    counted: "no-link", // silence alone: it is tried again
  },
];

/**
 * Releases that must not stay, each with a raised security counter: three boots, then the old image
 * is back.
 */
export async function rollbackScenarios(stage: Stage): Promise<Scenario[]> {
  return releases.map((release) => ({
    name: `the rollback of an image that ${release.name}`,
    needs: stage.kit.other(release.firmware),
    run: () => checkRollback(stage, release),
  }));
}

async function checkRollback(stage: Stage, release: BadRelease): Promise<void> {
  const { checks, kit, directory } = stage;
  const { name, version } = release;
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const { payload } = await kit.other(release.firmware);
  const bad = await signed(version, payload, kit.keys, { securityCounter: 2 });
  const folder = join(directory, version);
  const one = await BoardDevice.start({ parts: kit, directory: folder, image });
  await closing(checks, one, async (check) => {
    const rollout = await one.offer(version, bad);
    await one.powerOn();
    await check(`goes back from an image that ${name}`, async () => {
      await untilUpdated(one, rollout, release.counted);
      assert.equal(one.starts.at(-1), `1.0.0 confirmed ${release.lastReset}`);
    });
    await check(`gives an image that ${name} exactly three boots`, () => {
      const versions = one.boots.map(({ after }) => primaryVersion(after));
      assert.deepEqual(versions, ["1.0.0", version, version, version, "1.0.0"]);
    });
    await check(`tells the server why the image that ${name} is gone`, async () => {
      const { reason, running } = await one.fleet.device(deviceId);
      assert.equal(reason, release.reason);
      assert.equal(running?.version, "1.0.0");
    });
    await check(`the model agrees with all boots of an image that ${name}`, () =>
      assertModelAgrees(one.boots, kit.keys.key),
    );
  });
}

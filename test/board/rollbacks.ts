import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import type { Checks } from "../moddable/checks.ts";
import { BoardDevice, deviceId } from "./board-device.ts";
import { type Kit, signed } from "./kit.ts";

const rollbackSeconds = 300;

interface BadRelease {
  readonly name: string;
  readonly version: string;
  readonly payload: Uint8Array;
  /** Why the device was reset before the old image started again. */
  readonly lastReset: string;
  /** What the server is told. */
  readonly reason: string;
}

/** Releases that must not stay, each with a raised security counter: three boots, then the old image is back. */
export async function checkRollbacks(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const releases: readonly BadRelease[] = [
    {
      name: "throws at its start",
      version: "1.2.0",
      payload: kit.throwing.payload,
      lastReset: "exception",
      reason: "crashed",
    },
    {
      name: "hangs",
      version: "1.3.0",
      payload: kit.hanging.payload,
      lastReset: "watchdog",
      reason: "watchdog",
    },
    {
      name: "runs and is never healthy",
      version: "1.4.0",
      payload: kit.neverHealthy.payload,
      lastReset: "software",
      reason: "no-server",
    },
  ];
  for (const release of releases)
    await checkRollback(checks, kit, join(directory, release.version), release);
}

async function checkRollback(
  checks: Checks,
  kit: Kit,
  directory: string,
  release: BadRelease,
): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys, 1);
  const bad = await signed(release.version, release.payload, kit.keys, 2);
  const one = await BoardDevice.start({ kit, directory, image });
  one.takesSnapshots = true;
  try {
    const rollout = await one.offer(release.version, bad);
    await one.powerOn();
    await checks.check(`goes back from an image that ${release.name}`, async () => {
      await until("the rollback", rollbackSeconds, async () => {
        return (await one.fleet.count(rollout, "rolled-back")) === 1;
      });
      assert.equal(one.starts.at(-1), `1.0.0 confirmed ${release.lastReset}`);
    });
    await checks.check(`gives an image that ${release.name} exactly three boots`, () => {
      const hashes = one.snapshots.map(({ after }) => primaryVersion(after));
      assert.deepEqual(hashes, ["1.0.0", ...Array(3).fill(release.version), "1.0.0"]);
    });
    await checks.check(`tells the server why the image that ${release.name} is gone`, async () => {
      const { reason, running } = await one.fleet.device(deviceId);
      assert.equal(reason, release.reason);
      assert.equal(running?.version, "1.0.0");
    });
  } finally {
    if (process.env["SLUICE_KEEP"] !== undefined) console.log(one.console.join("\n"));
    await one.close();
  }
}

/** From the header of the primary slot (`struct image_version`, boot/bootutil/include/bootutil/image.h). */
export function primaryVersion(flash: Uint8Array): string {
  const at = 0x20000 + 20;
  const revision = (flash[at + 2] ?? 0) | ((flash[at + 3] ?? 0) << 8);
  return `${flash[at]}.${flash[at + 1]}.${revision}`;
}

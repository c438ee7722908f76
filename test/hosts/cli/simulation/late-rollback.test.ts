import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { referenceFirmware, type WantedImage } from "../../../../hosts/cli/simulation/images.ts";
import { Session } from "../../../../hosts/cli/simulation/session.ts";
import { deviceLayout } from "../../../../hosts/flash/board-layout.ts";
import { runningImage } from "../../../../hosts/simulator/world.ts";
import { temporaryFolder } from "../../../support/command-line.ts";

const hardware = "esp32c3-a";
const minuteMs = 60_000;

/**
 * One real device whose 1.1.0 passes its trial and then crashes again and again, at a real server.
 */
async function crashing(context: TestContext, release: Partial<WantedImage>) {
  const layout = deviceLayout("esp32-4m");
  const directory = temporaryFolder(context);
  const session = new Session({ directory, port: 0, seed: 3, layout, pollSeconds: 60 });
  context.after(() => session.close());
  await session.open();
  const image = await session.publish({ version: "1.0.0", hardware, entry: referenceFirmware });
  const lamp = { id: "lamp", hardware, engine: "node", battery: null } as const;
  const { device } = await session.addDevice({ ...lamp, image });
  const entry = "hosts/simulator/firmware/crashes-later.ts";
  await session.publish({ version: "1.1.0", hardware, entry, ...release });
  const stages = [{ percent: 100, soakSeconds: 24 * 3600 }];
  const { id } = await session.createRollout({ name: "r", releaseVersion: "1.1.0", stages });
  session.world.powerOnAll();
  const counts = async (): Promise<Readonly<Record<string, number>>> =>
    (await session.rollout(id)).stages[0]?.counts ?? {};
  assert.ok(
    await session.until(10 * minuteMs, 5000, async () => (await counts())["updated"] === 1),
    "it was updated, for a while",
  );
  return { session, device, counts, rollout: () => session.rollout(id) };
}

test("a release that crashes after its confirm goes back by itself, and the server sees it so", async (t) => {
  const { session, device, counts, rollout } = await crashing(t, {});
  const isBack = async (): Promise<boolean> =>
    (await session.devices())[0]?.reason?.startsWith("late-rollback") ?? false;
  assert.ok(await session.until(20 * minuteMs, minuteMs, isBack));
  assert.equal(runningImage(device.flash, session.world.layout)?.version, "1.0.0");
  const { state, outcomes } = await rollout();
  assert.equal(state, "halted");
  assert.deepEqual(outcomes, [{ state: "rolled-back", reason: "late-rollback:reboots", count: 1 }]);
  assert.deepEqual([(await counts())["updated"], (await counts())["rolled-back"]], [0, 1]);
});

test("a device that a raised counter keeps from going back is stuck, and the server sees it so", async (t) => {
  const { session, device, counts, rollout } = await crashing(t, { securityCounter: 2 });
  const isStuck = async (): Promise<boolean> => (await counts())["stuck"] === 1;
  assert.ok(await session.until(20 * minuteMs, minuteMs, isStuck));
  assert.equal(runningImage(device.flash, session.world.layout)?.version, "1.1.0");
  const { state, outcomes } = await rollout();
  assert.equal(state, "halted");
  assert.deepEqual(outcomes, [
    { state: "stuck", reason: "rollback-impossible: counter", count: 1 },
  ]);
});

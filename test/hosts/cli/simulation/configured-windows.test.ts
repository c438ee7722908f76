import assert from "node:assert/strict";
import { test } from "node:test";
import { referenceFirmware } from "../../../../hosts/cli/simulation/images.ts";
import { Session } from "../../../../hosts/cli/simulation/session.ts";
import { deviceLayout } from "../../../../hosts/flash/board-layout.ts";
import { temporaryFolder } from "../../../support/command-line.ts";

const hardware = "esp32c3-a";
const minuteMs = 60_000;
const stages = [{ percent: 100, soakSeconds: 0 }];

test("a device obeys the windows of its configuration, and takes the release once they let it", async (t) => {
  const layout = deviceLayout("esp32-4m");
  const directory = temporaryFolder(t);
  const session = new Session({ directory, port: 0, seed: 3, layout, pollSeconds: 60 });
  t.after(() => session.close());
  await session.open();
  const image = await session.publish({ version: "1.0.0", hardware, entry: referenceFirmware });
  await session.addDevice({ id: "lamp", hardware, engine: "node", battery: null, image });
  session.world.powerOnAll();
  const lamp = async () => (await session.devices())[0];
  const configure = async (version: number, windows: object): Promise<void> => {
    await session.publishConfiguration({ version, schema: 0, values: { windows: { ...windows } } });
    const { id } = await session.createRollout({
      name: "c",
      configurationVersion: version,
      stages,
    });
    const isDone = async () => (await session.rollout(id)).stages[0]?.counts["updated"] === 1;
    assert.ok(await session.until(15 * minuteMs, 10_000, isDone), `configuration ${version}`);
    assert.equal((await lamp())?.configurationVersion, version);
  };

  await configure(1, { timeZone: "UTC0", install: [] });
  await session.publish({ version: "1.1.0", hardware, entry: referenceFirmware });
  const { id } = await session.createRollout({ name: "f", releaseVersion: "1.1.0", stages });
  const defers = async () => (await lamp())?.reason === "window-closed";
  assert.ok(await session.until(10 * minuteMs, 10_000, defers));
  assert.equal((await lamp())?.running?.version, "1.0.0");

  await session.until(30 * minuteMs, 30 * minuteMs, async () => true);
  assert.equal((await lamp())?.running?.version, "1.0.0");

  await configure(2, { timeZone: "UTC0" });
  const isUpdated = async () => (await session.rollout(id)).stages[0]?.counts["updated"] === 1;
  assert.ok(await session.until(15 * minuteMs, 10_000, isUpdated));
  assert.equal((await lamp())?.running?.version, "1.1.0");
});

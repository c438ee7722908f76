// Whatever state a device is in, and whatever becomes of it: its action ends, by time alone and by
// a command alone.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { MemberState } from "../../../../hosts/fleet/rollout/member.ts";
import { activeStatuses } from "../../../../hosts/fleet/storage/actions.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

const hour = 3600;
const day = 24 * hour;
const never = { rolledBackShare: 1, failedShare: 1, noLinkShare: 1 };
/** Much longer than every time that a rollout of these tests has. */
const longAfter = 40 * day;

interface Scene {
  fleet: TestFleet;
  device: TestDevice;
  readonly imageHash: string;
  readonly files: { readonly databaseFile: string; readonly artifactsFolder: string };
  restart(laterSeconds: number): Promise<void>;
  /** What of the device is not over. */
  open(): string[];
}

async function scene(t: TestContext, more: object = {}): Promise<Scene> {
  const folder = temporaryFolder(t);
  const files = { databaseFile: join(folder, "fleet.sqlite"), artifactsFolder: folder };
  const { fleet, devices } = await fleetOf(t, 1, { ...files, durability: "off" });
  const [device] = devices;
  assert.ok(device);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const times = { actionSeconds: 7 * day, cancelSeconds: hour, proofSeconds: day };
  await rollOut(fleet, "1.1.0", { haltThreshold: never, ...times, ...more });
  const database = new DatabaseSync(files.databaseFile, { readOnly: true });
  t.after(() => database.close());
  const statuses = activeStatuses.map((status) => `'${status}'`).join(", ");
  const query = database.prepare(`select status from actions where status in (${statuses})`);
  const made: Scene = {
    fleet,
    device,
    imageHash,
    files,
    open: () => query.all().map(({ status }) => String(status)),
    async restart(laterSeconds) {
      await made.fleet.server.close();
      made.fleet = await TestFleet.open(t, { ...files, durability: "off" }, laterSeconds);
      made.device = made.device.on(made.fleet);
    },
  };
  return made;
}

async function begins({ device }: Scene): Promise<number> {
  const actionId = (await device.offered()) ?? assert.fail("nothing is offered");
  await device.feedback(actionId, "download", "none", ["state=downloading"]);
  return actionId;
}

async function isCalledBack(made: Scene): Promise<void> {
  await made.fleet.api("POST", `/devices/${made.device.id}/cancel`, {});
  await made.device.poll();
}

const goesBack = ["state=rolledBack", "reason=no-server"];

/** How a device comes into each state; most leave an action that is under way. */
const ways: { readonly [State in MemberState]: (made: Scene) => Promise<unknown> } = {
  waiting: async () => {},
  offered: ({ device }) => device.offered(),
  working: begins,
  deferred: async (made) =>
    made.device.feedback(await begins(made), "scheduled", "none", ["state=deferred"]),
  activating: async (made) =>
    made.device.feedback(await begins(made), "proceeding", "none", ["state=activating"]),
  trial: ({ device, imageHash }) => device.installs("1.1.0", imageHash),
  reported: async (made) => made.device.feedback(await begins(made), "closed", "success"),
  updated: async ({ device, imageHash }) => {
    await device.installs("1.1.0", imageHash);
    device.runs("1.1.0", imageHash);
    await device.poll(); // and it never says so
  },
  "rolled-back": async ({ device, imageHash }) => {
    await device.installs("1.1.0", imageHash);
    device.runs(old.version, old.imageHash);
    await device.poll();
  },
  failed: async (made) => made.device.feedback(await begins(made), "closed", "failure"),
  unproven: async (made) => {
    await ways.activating(made);
    await made.fleet.wait(day + 1);
  },
  withdrawn: async (made) => made.device.feedback(await begins(made), "canceled", "none"),
  excluded: async (made) => {
    await begins(made);
    await made.fleet.api("POST", `/devices/${made.device.id}/cancel`, { force: true });
  },
  "no-server": async (made) => {
    await made.device.installs("1.1.0", made.imageHash);
    await made.restart(600);
    made.device.runs(old.version, old.imageHash);
    await made.device.poll();
  },
  "no-link": async (made) => {
    const actionId = await made.device.installs("1.1.0", made.imageHash);
    await made.device.feedback(actionId, "proceeding", "none", goesBack);
  },
  stuck: async (made) => {
    const actionId = await made.device.installs("1.1.0", made.imageHash);
    const why = ["state=confirmed", "reason=rollback-impossible: counter"];
    await made.device.feedback(actionId, "proceeding", "none", why);
  },
  silent: async (made) => {
    await made.device.installs("1.1.0", made.imageHash);
    await made.fleet.api("POST", "/rollouts/1/pause"); // else it would be complete
    made.device.runs("1.1.0", made.imageHash);
    await made.device.poll();
    await made.fleet.wait(day);
  },
};

type Way = readonly [name: string, more: object, (made: Scene) => Promise<unknown>];

const table: readonly Way[] = [
  ...Object.entries(ways).map(([state, way]): Way => {
    const come = async (made: Scene): Promise<void> => {
      await way(made);
      assert.equal((await memberOf(made.fleet, 1, made.device.id))?.[0], state);
    };
    return [state, {}, come];
  }),
  ["asked for its consent", { needsConfirmation: true }, ({ device }) => device.poll()],
  ...(["offered", "working", "deferred", "activating", "trial"] as const).map(
    (state): Way => [
      `${state}, and asked to cancel`,
      {},
      async (made) => {
        await ways[state](made);
        await isCalledBack(made);
      },
    ],
  ),
];

for (const [name, more, way] of table) {
  for (const clock of [0, -30 * day, 30 * day])
    test(`the action of a device that is ${name}, and never comes again, ends by itself, with the clock ${clock / day} days off`, async (t) => {
      const made = await scene(t, more);
      await way(made);
      await made.fleet.step(clock);
      for (let days = 0; days < longAfter / day; days += 1) await made.fleet.wait(day);
      assert.deepEqual(made.open(), []);
    });
  test(`the action of a device that is ${name} ends after a restart, too`, async (t) => {
    const made = await scene(t, more);
    await way(made);
    await made.fleet.wait(10);
    await made.restart(day);
    for (let days = 0; days < longAfter / day; days += 1) await made.fleet.wait(day);
    assert.deepEqual(made.open(), []);
  });
  test(`a command ends the action of a device that is ${name}, at once`, async (t) => {
    const made = await scene(t, more);
    await way(made);
    const answer = await made.fleet.inject({
      method: "POST",
      url: `/api/v1/devices/${made.device.id}/cancel`,
      payload: { force: true },
    });
    assert.ok([200, 409].includes(answer.statusCode), answer.body);
    assert.deepEqual(made.open(), []);
  });
}

test("most of these states have an action that is under way", async (t) => {
  let open = 0;
  for (const [, more, way] of table) {
    const made = await scene(t, more);
    await way(made);
    open += made.open().length;
  }
  assert.ok(open >= 14, `${open} of ${table.length}`);
});

// A device is removed while other requests about it wait for their turn.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

const old = { version: "1.0.0", imageHash: "a".repeat(64) };
const remove = { method: "DELETE", url: "/api/v1/devices/kitchen" } as const;

async function scene(t: TestContext): Promise<{ fleet: TestFleet; device: TestDevice }> {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("kitchen");
  device.runs(old.version, old.imageHash);
  await device.poll();
  return { fleet, device };
}

async function devicesCount(fleet: TestFleet): Promise<string | undefined> {
  const { body } = await fleet.inject({ url: "/metrics" });
  return /^sluice_devices (\S+)$/m.exec(body)?.[1];
}

test("a device that several requests remove at once is removed and counted once", async (t) => {
  const { fleet } = await scene(t);
  await fleet.addDevice("attic");
  const answers = await Promise.all([remove, remove, remove].map((one) => fleet.inject(one)));
  assert.deepEqual(answers.map(({ statusCode }) => statusCode).sort(), [204, 404, 404]);
  assert.equal(await devicesCount(fleet), "1");
});

test("a removal that comes late leaves the device that has the id since", async (t) => {
  const { fleet } = await scene(t);
  const payload = { id: "kitchen", hardware: "esp32c3-b" };
  const [first, added, late] = await Promise.all([
    fleet.inject(remove),
    fleet.inject({ method: "POST", url: "/api/v1/devices", payload }),
    fleet.inject(remove),
  ]);
  assert.deepEqual([first.statusCode, added.statusCode, late.statusCode], [204, 201, 404]);
  assert.equal((await fleet.inject({ url: "/api/v1/devices/kitchen" })).statusCode, 200);
  assert.equal(await devicesCount(fleet), "1");
});

const late: readonly (readonly ["PUT" | "POST", string, unknown])[] = [
  ["PUT", "configData", { data: { serial: "of the device before" } }],
  ["PUT", "installedBase", { name: "app", version: "1" }],
  ["POST", "events", [{ id: "boot-1", type: "update.x" }]],
  ["POST", "confirmationBase/activateAutoConfirm", {}],
  ["POST", "confirmationBase/deactivateAutoConfirm", {}],
];

for (const [method, path, body] of late)
  test(`a removed device leaves nothing to the next one of its id: ${path}`, async (t) => {
    const { fleet, device } = await scene(t);
    const [removed, answer] = await Promise.all([
      fleet.inject(remove),
      device.request(method, path, { body }),
    ]);
    assert.deepEqual([removed.statusCode, answer.statusCode], [204, 401]);
    await fleet.addDevice("kitchen");
    const { attributes, events } = await fleet.api("GET", "/devices/kitchen");
    assert.deepEqual(attributes, {});
    const told = events.map(({ kind }: { kind: string }) => kind);
    assert.deepEqual(told, ["device-registered", "device-removed", "device-registered"]);
  });

test("a command about a device that is removed meanwhile says that there is none", async (t) => {
  const { fleet } = await scene(t);
  const cancel = { method: "POST", url: "/api/v1/devices/kitchen/cancel", payload: {} } as const;
  const answers = await Promise.all([remove, cancel].map((one) => fleet.inject(one)));
  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [204, 404],
  );
});

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

const atOnceMax = 120;
const old = { version: "1.0.0", imageHash: "0a".repeat(32) };
const stages = [{ percent: 100, soakSeconds: 0 }];

/** Devices that are offered 1.1.0. */
async function offered(context: TestContext, quietCount = 0) {
  const databaseFile = join(temporaryFolder(context), "fleet.sqlite");
  const fleet = await TestFleet.open(context, { databaseFile, durability: "off" });
  const loud = await fleet.addDevice("loud");
  const quiet = await fleet.addDevices(quietCount);
  for (const device of [loud, ...quiet]) {
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const halt = { failedShare: 1, rolledBackShare: 1 };
  const wanted = { name: "r", releaseVersion: "1.1.0", start: true, stages, haltThreshold: halt };
  await fleet.api("POST", "/rollouts", wanted);
  const actionId = (await loud.offered()) ?? assert.fail("not offered");
  const database = new DatabaseSync(databaseFile, { readOnly: true });
  context.after(() => database.close());
  const changes = (): unknown => database.prepare("pragma data_version").get()?.["data_version"];
  return { fleet, loud, quiet, imageHash, actionId, database, changes };
}

const feedbackOf = (execution: string, finished = "none") => ({
  status: { execution, result: { finished }, details: ["x"] },
});

const ways: ReadonlyArray<readonly ["POST" | "PUT", string, (index: number) => object]> = [
  ["PUT", "configData", (index) => ({ data: { a: `${index}` } })],
  ["PUT", "installedBase", (index) => ({ name: "a", version: `${index}` })],
  ["POST", "events", (index) => [{ id: `b-${index}`, type: "x" }]],
  ["POST", "deploymentBase/ID/feedback", () => feedbackOf("proceeding")],
  ["POST", "cancelAction/ID/feedback", () => feedbackOf("closed", "success")],
  ["POST", "deploymentBase/999/feedback", () => feedbackOf("closed", "success")],
  ["POST", "confirmationBase/activateAutoConfirm", (index) => ({ remark: `${index}` })],
  ["POST", "confirmationBase/ID/feedback", () => ({ confirmation: "denied" })],
];

async function exhaust(device: TestDevice, actionId: number, count = atOnceMax): Promise<void> {
  for (let index = 0; index < count; index += 1)
    await device.feedback(actionId, "proceeding", "none", [`${index}`]);
}

for (const [method, path, bodyOf] of ways)
  test(`a device that posts for ever is slowed, and nothing of it is written: ${method} ${path}`, async (context) => {
    const { fleet, loud, actionId, changes } = await offered(context);
    const url = path.replace("ID", `${actionId}`);
    const post = (index: number) => loud.request(method, url, { body: bodyOf(index) });
    for (let index = 0; index < atOnceMax; index += 1)
      assert.notEqual((await post(index)).statusCode, 429, `${index}`);
    const before = changes();
    for (let index = 0; index < 50; index += 1) {
      const answer = await post(atOnceMax + index);
      assert.deepEqual([answer.statusCode, answer.headers["retry-after"]], [429, "5"], answer.body);
    }
    assert.equal(changes(), before, "no write");
    await fleet.wait(5);
    assert.notEqual((await post(999)).statusCode, 429);
    assert.equal((await post(1000)).statusCode, 429);
    assert.equal((await loud.request("GET", "")).statusCode, 200, "it is served all the same");
    const metrics = await fleet.inject({ method: "GET", url: "/metrics" });
    assert.match(metrics.body, /^sluice_device_posts_refused_total 51$/m);
  });

for (const finished of ["success", "failure"])
  test(`a result (${finished}) of a device that posted too often counts, once`, async (context) => {
    const { fleet, loud, actionId, imageHash, database } = await offered(context);
    await exhaust(loud, actionId, atOnceMax + 20);
    assert.equal(await loud.feedback(actionId, "proceeding", "none"), 429);
    loud.runs("1.1.0", imageHash);
    assert.equal(await loud.feedback(actionId, "closed", finished), 200);
    assert.equal(await loud.feedback(actionId, "closed", finished), 429, "its action is over");
    const { items } = await fleet.api("GET", "/rollouts/1/devices");
    assert.notEqual(items[0].state, "working");
    const last = database.prepare("select execution from action_reports order by id desc limit 1");
    assert.equal(last.get()?.["execution"], "closed", "and is kept");
  });

test("the answer to a cancellation counts, however often the device posted", async (context) => {
  const { fleet, loud, actionId } = await offered(context);
  await loud.feedback(actionId, "download", "none");
  await exhaust(loud, actionId);
  await fleet.api("POST", "/rollouts/1/cancel");
  await loud.poll();
  const body = feedbackOf("closed", "success");
  const answer = await loud.request("POST", `cancelAction/${actionId}/feedback`, { body });
  assert.equal(answer.statusCode, 200, answer.body);
});

test("a device that gives its offer back is offered it again after a pause only", async (context) => {
  const { loud, changes, actionId } = await offered(context);
  await exhaust(loud, actionId);
  assert.equal(await loud.feedback(actionId, "canceled", "none"), 200, "an end is always taken");
  const before = changes();
  for (let index = 0; index < 50; index += 1) {
    assert.equal(await loud.offered(), null);
    assert.notEqual(await loud.feedback(actionId, "canceled", "none"), 200);
  }
  assert.equal(changes(), before, "no write");
});

test("a device whose running image is another one in each request is slowed, and served", async (context) => {
  const { fleet, loud, changes } = await offered(context);
  const flip = async (index: number): Promise<void> => {
    loud.runs("1.0.0", index % 2 === 0 ? "0b".repeat(32) : "0a".repeat(32));
    assert.equal((await loud.request("GET", "")).statusCode, 200);
  };
  for (let index = 0; index < 70; index += 1) await flip(index);
  const before = changes();
  for (let index = 0; index < 50; index += 1) await flip(index);
  assert.equal(changes(), before, "no write");
  await fleet.wait(20);
  loud.runs("1.0.5", "0c".repeat(32));
  await loud.poll();
  assert.equal((await fleet.api("GET", "/devices/loud")).running.imageHash, "0c".repeat(32));
});

test("beside one that posts without end, a hundred others update and lose nothing", async (context) => {
  const { fleet, loud, quiet, imageHash, actionId, database } = await offered(context, 100);
  let taken = 0;
  for (const [index, device] of quiet.entries()) {
    for (let noise = 0; noise < 10; noise += 1) {
      const words = [`${index}.${noise} ${"\u{1f50c}".repeat(200)}`];
      if ((await loud.feedback(actionId, "proceeding", "none", words)) === 200) taken += 1;
    }
    await device.updates("1.1.0", imageHash);
  }
  assert.equal(taken, atOnceMax);
  loud.runs("1.1.0", imageHash);
  assert.equal(await loud.feedback(actionId, "closed", "success"), 200);
  await loud.poll();
  await fleet.wait(1);
  const { stages: shown } = await fleet.api("GET", "/rollouts/1");
  assert.equal(shown[0].counts.updated, 101);
  const counts = database
    .prepare("select count(distinct device_id) as n from events where kind = 'device-updated'")
    .get();
  assert.equal(counts?.["n"], 101);
});

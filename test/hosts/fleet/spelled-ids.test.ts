// MAC addresses and UUIDs have several spellings: one device has one of them, and no other is it,
// or is a second device.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { digitsOfId } from "../../../hosts/fleet/terms/names.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { hardware, TestFleet } from "./test-fleet.ts";

const spellings = ["aa:bb:cc:dd:ee:0f", "AA-BB-CC-DD-EE-0F", "AABBCCDDEE0F", "aabb.ccdd.ee0f"];
const uuid = "0b1f7d6c-7f0a-4e57-9a52-6f3f0b1f7d6c";
const first = "aa:bb:cc:dd:ee:0f";

function add(fleet: TestFleet, id: string) {
  return fleet.inject({ method: "POST", url: "/api/v1/devices", payload: { id, hardware } });
}

function poll(fleet: TestFleet, id: string, authorization: string) {
  const headers = { authorization, host: "fleet.test" };
  return fleet.inject({ method: "GET", url: `/DEFAULT/controller/v1/${id}`, headers });
}

test("every spelling of an address has the same digits, and what is none has no other spelling", () => {
  for (const id of spellings) assert.equal(digitsOfId(id), "aabbccddee0f", id);
  assert.equal(digitsOfId(uuid.toUpperCase()), digitsOfId(uuid));
  assert.equal(digitsOfId("AA:BB:CC:DD:EE:0F:10:11"), "aabbccddee0f1011");
  for (const id of [
    ...["kitchen", "aa:bb", "aa:bb-cc:dd:ee:0f", "aa:bb:cc:dd:ee:0g", "aabbccddee0", "a.b.c"],
    ...["aabbccdd:ee0f", "aa:bb:cc:dd:ee:0f:10", uuid.slice(1), `${first}:`, "lamp-aabbccddee0f"],
  ])
    assert.equal(digitsOfId(id), null, id);
});

test("a device is not added a second time in another spelling, whichever came first", async (t) => {
  const fleet = await TestFleet.open(t);
  for (const id of [first, uuid, "Kitchen", "kitchen"])
    assert.equal((await add(fleet, id)).statusCode, 201, id);
  for (const [id, knownAs] of [
    ...spellings.slice(1).map((spelling) => [spelling, first]),
    [uuid.toUpperCase(), uuid],
  ] as const) {
    const answer = await add(fleet, id);
    assert.deepEqual([answer.statusCode, answer.json().error], [409, "spelled-otherwise"], id);
    assert.match(answer.json().message, new RegExp(`it is ${knownAs} in another spelling`));
  }
  await fleet.api("DELETE", `/devices/${first}`);
  assert.equal((await add(fleet, "AA-BB-CC-DD-EE-0F")).statusCode, 201);
  assert.equal((await add(fleet, first)).statusCode, 409);
});

test("another spelling is refused with the first one, to whoever has the device's token alone", async (t) => {
  const fleet = await TestFleet.open(t);
  const { token } = (await add(fleet, first)).json();
  const { token: other } = (await add(fleet, "lamp")).json();
  assert.equal((await poll(fleet, first, `TargetToken ${token}`)).statusCode, 200);
  for (const id of spellings.slice(1)) {
    const answer = await poll(fleet, id, `TargetToken ${token}`);
    assert.equal(answer.statusCode, 403, id);
    assert.match(answer.json().message, /is registered as aa:bb:cc:dd:ee:0f: enrol it/);
    const stranger = await poll(fleet, id, `TargetToken ${other}`);
    assert.deepEqual([stranger.statusCode, stranger.body], [401, ""]);
  }
});

test("a gateway registers no second device by spelling", async (t) => {
  const fleet = await TestFleet.open(t);
  const authorization = "GatewayToken gateway-token";
  assert.equal((await poll(fleet, first, authorization)).statusCode, 200);
  assert.equal((await poll(fleet, "AA-BB-CC-DD-EE-0F", authorization)).statusCode, 403);
  const { items } = await fleet.api("GET", "/devices");
  assert.deepEqual(
    items.map(({ id }: { id: string }) => id),
    [first],
  );
});

test("the next spelling is no new place to guess a token at", async (t) => {
  const fleet = await TestFleet.open(t);
  await add(fleet, first);
  const statuses: number[] = [];
  for (let guess = 0; guess < 40; guess += 1) {
    const id = spellings[guess % spellings.length] ?? first;
    statuses.push((await poll(fleet, id, `TargetToken a-guess-${guess}`)).statusCode);
  }
  assert.equal(statuses.at(-1), 429);
});

test("commands are told the spelling by which a device is registered", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.publish({ version: "1.0.0" });
  await add(fleet, first);
  const shown = await fleet.inject({ method: "GET", url: "/api/v1/devices/AABBCCDDEE0F" });
  assert.equal(shown.statusCode, 404);
  assert.match(shown.json().message, /aa:bb:cc:dd:ee:0f is the same id in another spelling/);
  const rollout = await fleet.inject({
    method: "POST",
    url: "/api/v1/rollouts",
    payload: { name: "r", releaseVersion: "1.0.0", selector: { devices: ["AABBCCDDEE0F"] } },
  });
  assert.deepEqual([rollout.statusCode, rollout.json().error], [409, "spelled-otherwise"]);
});

test("a fleet that has one address twice goes on with both, and takes no third spelling", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const before = await TestFleet.open(t, { databaseFile });
  const { token } = (await add(before, first)).json();
  const { token: lampToken } = (await add(before, "lamp")).json();
  await before.server.close();
  const database = new DatabaseSync(databaseFile);
  database.exec("update devices set id = 'AA-BB-CC-DD-EE-0F' where id = 'lamp'");
  database.close();
  const fleet = await TestFleet.open(t, { databaseFile });
  assert.equal((await poll(fleet, first, `TargetToken ${token}`)).statusCode, 200);
  assert.equal(
    (await poll(fleet, "AA-BB-CC-DD-EE-0F", `TargetToken ${lampToken}`)).statusCode,
    200,
  );
  assert.equal((await poll(fleet, "AA-BB-CC-DD-EE-0F", `TargetToken ${token}`)).statusCode, 401);
  assert.equal((await add(fleet, "AABBCCDDEE0F")).json().error, "spelled-otherwise");
});

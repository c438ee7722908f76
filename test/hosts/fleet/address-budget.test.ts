import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AddressBudget } from "../../../hosts/fleet/access/address-budget.ts";
import { TokenKey } from "../../../hosts/fleet/access/tokens.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { type TestDevice, TestFleet } from "./test-fleet.ts";

const atOnceMax = 100;
const nat = "192.0.2.7";

const ask = (
  fleet: TestFleet,
  deviceId: string,
  token: string,
  remoteAddress = nat,
  headers: Record<string, string> = {},
) =>
  fleet.inject({
    method: "GET",
    url: `/DEFAULT/controller/v1/${deviceId}`,
    headers: { host: "fleet.test", authorization: `TargetToken ${token}`, ...headers },
    remoteAddress,
  });

async function sweep(fleet: TestFleet, count: number, remoteAddress = nat): Promise<number[]> {
  const statuses: number[] = [];
  for (let index = 0; index < count; index += 1)
    statuses.push(
      (await ask(fleet, `guess-${index}`, "wrong-wrong-wrong", remoteAddress)).statusCode,
    );
  return statuses;
}

async function scene(context: TestContext) {
  const databaseFile = join(temporaryFolder(context), "fleet.sqlite");
  const open = () => TestFleet.open(context, { databaseFile, durability: "off" });
  const fleet = await open();
  const known = await fleet.addDevice("known");
  const statusOf = async (device: TestDevice, at = fleet, address = nat) =>
    (await ask(at, device.id, device.token, address)).statusCode;
  return { fleet, known, statusOf, open };
}

test("whoever tries all devices from one address is slowed, whatever they name", async (context) => {
  const { fleet } = await scene(context);
  const statuses = await sweep(fleet, atOnceMax + 20);
  assert.equal(statuses.filter((status) => status === 401).length, atOnceMax);
  const refused = await ask(fleet, "one-more", "wrong-wrong-wrong");
  assert.deepEqual([refused.statusCode, refused.headers["retry-after"]], [429, "1"]);
  assert.equal((await ask(fleet, "other", "wrong", "192.0.2.8")).statusCode, 401, "others are not");
  await fleet.wait(1);
  assert.deepEqual(await sweep(fleet, 3), [401, 401, 429]);
});

test("devices behind that address are not slowed, nor after a restart of the server", async (context) => {
  const { fleet, known, statusOf, open } = await scene(context);
  assert.equal(await statusOf(known), 200);
  await sweep(fleet, atOnceMax + 5);
  for (let polls = 0; polls < 20; polls += 1) assert.equal(await statusOf(known), 200);
  await fleet.server.close();
  const again = await open();
  await sweep(again, atOnceMax + 5);
  assert.equal(await statusOf(known, again), 200, "the database knows where it came from");
  await sweep(again, atOnceMax + 5);
  assert.equal(await statusOf(known, again), 200);
});

test("a device that comes from there for the first time waits for its turn, and has it", async (context) => {
  const { fleet, known, statusOf } = await scene(context);
  await sweep(fleet, atOnceMax + 5);
  assert.equal(await statusOf(known), 429);
  assert.equal(await statusOf(known, fleet, "192.0.2.9"), 200, "from elsewhere at once");
  assert.equal(await statusOf(known), 429, "that is not there");
  await fleet.wait(1);
  assert.equal(await statusOf(known), 200);
  await sweep(fleet, atOnceMax + 5);
  assert.equal(await statusOf(known), 200);
});

test("a right token gives whoever guesses nothing back, and takes nothing", async (context) => {
  const { fleet, known, statusOf } = await scene(context);
  for (let index = 0; index < 2 * atOnceMax; index += 1) await statusOf(known);
  assert.equal((await ask(fleet, "guess", "wrong-wrong-wrong")).statusCode, 401);
  await sweep(fleet, atOnceMax - 1);
  assert.equal(await statusOf(known), 200);
  assert.equal((await ask(fleet, "one-more", "wrong-wrong-wrong")).statusCode, 429);
});

test("guesses at a device that is known there are slowed by its own count", async (context) => {
  const { fleet, known, statusOf } = await scene(context);
  await statusOf(known);
  await sweep(fleet, atOnceMax + 5);
  const statuses: number[] = [];
  for (let index = 0; index < 20; index += 1)
    statuses.push((await ask(fleet, "known", "wrong-wrong-wrong")).statusCode);
  assert.equal(statuses.filter((status) => status === 401).length, 5);
});

test("a gateway and the admin are not slowed by the devices behind their address", async (context) => {
  const { fleet } = await scene(context);
  await sweep(fleet, atOnceMax + 5);
  const gateway = { authorization: "GatewayToken gateway-token" };
  assert.equal((await ask(fleet, "of-gateway", "", nat, gateway)).statusCode, 200);
});

test("a whole network of IPv6 is one address, and what is kept of addresses is bounded", () => {
  let nowMs = 0;
  const budget = new AddressBudget(() => nowMs, new TokenKey());
  for (let index = 0; index < atOnceMax; index += 1) budget.fail(`2001:db8:1:2::${index}`);
  assert.equal(budget.waitSeconds("2001:db8:1:2:aaaa::1"), 1);
  assert.equal(budget.waitSeconds("2001:db8:1:3::1"), 0);
  for (let index = 0; index < 1000; index += 1) budget.fail("2001:db8:1:2::1");
  assert.equal(budget.waitSeconds("2001:db8:1:2::1"), 1, "no debt without end");
  nowMs += 3_600_000;
  assert.equal(budget.waitSeconds("2001:db8:1:2::1"), 0);
  for (let index = 0; index < 30_000; index += 1)
    budget.fail(`198.51.${index >> 8}.${index & 255}`);
  assert.ok(budget.size <= 10_000);
  assert.equal(budget.waitSeconds(undefined), 0);
  assert.equal(budget.mark("2001:db8:1:2::1"), budget.mark("2001:db8:1:2:a::2"));
  assert.notEqual(budget.mark("2001:db8:1:2::1"), budget.mark("2001:db8:1:3::1"));
  const elsewhere = new AddressBudget(() => nowMs, new TokenKey());
  assert.notEqual(budget.mark(nat), elsewhere.mark(nat), "no other server's marks");
});

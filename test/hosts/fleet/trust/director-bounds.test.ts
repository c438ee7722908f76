import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nonce, places, publish } from "./trust-scene.ts";

const path = `director?nonce=${nonce}`;

test("a device that asks the director for ever is slowed, and others are not", async (context) => {
  const { fleet, repository } = await places(context);
  await publish(fleet, repository);
  const [loud, quiet] = [await fleet.addDevice("loud"), await fleet.addDevice("quiet")];
  const statuses: number[] = [];
  for (let asked = 0; asked < 100; asked += 1)
    statuses.push((await loud.request("GET", path)).statusCode);
  assert.equal(statuses.filter((status) => status === 200).length, 60);
  const refused = await loud.request("GET", path);
  assert.deepEqual([refused.statusCode, refused.headers["retry-after"]], [429, "20"]);
  assert.equal((await quiet.request("GET", path)).statusCode, 200);
  await fleet.wait(20);
  assert.equal((await loud.request("GET", path)).statusCode, 200);
  assert.equal((await loud.request("GET", path)).statusCode, 429);
});

test("the director signs nothing while its audit log ends with garbage", async (context) => {
  const { folder, fleet, repository } = await places(context);
  await publish(fleet, repository);
  const device = await fleet.addDevice("device-1");
  const log = join(folder, "audit.jsonl");
  const whole = readFileSync(log, "utf8");
  appendFileSync(log, "garbage\n");
  assert.equal((await device.request("GET", path)).statusCode, 200, "not seen yet");
  await fleet.server.tick().catch(() => {}); // it tells what it could not do
  assert.equal((await device.request("GET", path)).statusCode, 503);
  assert.equal(readFileSync(log, "utf8"), `${whole}garbage\n`);
  const trust = await fleet.api("GET", "/trust");
  assert.equal(trust.ready, false);
});

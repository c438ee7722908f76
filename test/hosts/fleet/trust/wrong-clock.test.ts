import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Page } from "../../../../hosts/cli/server/answer-shape.ts";
import type { EventAnswer } from "../../../../hosts/fleet/routes/management/schemas/events.ts";
import type { TrustAnswer } from "../../../../hosts/fleet/routes/management/schemas/trust.ts";
import { addKey, removeKey } from "../../../../hosts/release/trust/changes.ts";
import { AttackedFleet, keys } from "../../../support/attacked-fleet.ts";
import { metadataSigner, signAll } from "../../../support/trust-repository.ts";

const hour = 3_600_000;
const day = 24 * hour;
const minute = 60_000;

/**
 * The server's clock is that far off while the device asks once; then it is set right, and the
 * server starts anew. The device was offered 1.1.0 meanwhile, and took it or not.
 */
async function wrongOnce(context: TestContext, aheadMs: number): Promise<AttackedFleet> {
  const fleet = await AttackedFleet.start(context);
  fleet.serverAheadMs = aheadMs;
  await fleet.offer("1.1.0", 10 * minute);
  assert.ok(fleet.asked.includes("director"), "the device asked while the clock was wrong");
  fleet.serverAheadMs = 0;
  await fleet.restartServer();
  return fleet;
}

async function offerNext(fleet: AttackedFleet): Promise<string> {
  await fleet.sign({ version: "1.2.0" });
  await fleet.publish({ version: "1.2.0" });
  await fleet.offer("1.2.0");
  return fleet.outcome();
}

for (const [name, aheadMs] of [
  ["an hour ahead", hour],
  ["30 days ahead", 30 * day],
  ["160 days ahead", 160 * day],
  ["30 days behind", -30 * day],
] as const)
  test(`a device updates after a server whose clock was ${name} for a moment`, async (context) => {
    const fleet = await wrongOnce(context, aheadMs);
    assert.equal(await offerNext(fleet), "1.2.0 updated");
    fleet.serverAheadMs = 0;
    await fleet.restartServer();
    await fleet.sign({ version: "1.3.0" });
    await fleet.publish({ version: "1.3.0" });
    await fleet.offer("1.3.0");
    assert.equal(await fleet.outcome(), "1.3.0 updated", "and again");
  });

test("a device updates from a server whose clock went back by 30 days and stays there", async (context) => {
  const fleet = await AttackedFleet.start(context);
  await fleet.offer();
  assert.equal(await fleet.outcome(), "1.1.0 updated");
  fleet.serverAheadMs = -30 * day;
  await fleet.restartServer();
  assert.equal(await offerNext(fleet), "1.2.0 updated");
});

test("a year ahead is beyond the offline keys: it is told, and another online key heals it", async (context) => {
  const fleet = await wrongOnce(context, 400 * day);
  assert.equal(await offerNext(fleet), "1.0.0 failed trust-expired");
  const trust = await fleet.client.get<TrustAnswer>("/trust");
  assert.deepEqual([trust.ready, trust.ahead?.deviceIds], [true, ["device-1"]]);
  const { items } = await fleet.client.get<Page<EventAnswer>>("/events?limit=500");
  const told = items
    .filter(({ kind }) => kind === "trust-warning")
    .map(({ details }) => String(details["text"]));
  assert.equal(told.filter((text) => text.includes("learnt from a wrong clock")).length, 1);
  const next = metadataSigner(32);
  const [old] = keys.online;
  const now = fleet.world.scheduler.unixMs();
  assert.ok(addKey(fleet.repository, "online", next, now).ok);
  assert.ok(removeKey(fleet.repository, "online", old.keyId, now).ok);
  await signAll(fleet.repository, [...keys.root, ...keys.targets]);
  await fleet.restartServer([next, old]);
  await fleet.publish({ version: "1.2.0" });
  await fleet.pass(12 * hour, async () => (await fleet.outcome()) === "1.2.0 updated");
  assert.equal(await fleet.outcome(), "1.2.0 updated");
  const healed = await fleet.client.get<TrustAnswer>("/trust");
  assert.equal(healed.ahead, null);
});

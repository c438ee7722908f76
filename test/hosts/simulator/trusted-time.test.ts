import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { makeConfiguration, sealConfiguration } from "../../../hosts/release/configuration.ts";
import { AttackedFleet, configurationSigner, startUnixMs } from "../../support/attacked-fleet.ts";

const hourMs = 3_600_000;
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/** The world starts at 09:00 UTC; this opens at 18:00 each day, for an hour. */
const evening = { timeZone: "UTC0", install: [{ days, start: "18:00", minutes: 60 }] };

async function scene(context: TestContext, hasClock: boolean): Promise<AttackedFleet> {
  const fleet = await AttackedFleet.start(context, { hasClock });
  const made = makeConfiguration({ version: 1, schema: 0, values: { windows: evening } }, {});
  assert.ok(made.ok);
  const sealed = await sealConfiguration(made.document, configurationSigner);
  assert.ok(sealed.ok);
  await fleet.client.postBytes("/configurations", sealed.envelope);
  await fleet.client.post("/rollouts", {
    name: "windows",
    configurationVersion: 1,
    stages: [{ percent: 100, soakSeconds: 0 }],
    start: true,
  });
  await fleet.pass(hourMs);
  return fleet;
}

const atHour = (fleet: AttackedFleet): number =>
  9 + (fleet.world.scheduler.unixMs() - startUnixMs) / hourMs;

test("a device without a clock judges its windows by the director's time and what passed since", async (t) => {
  const fleet = await scene(t, false);
  await fleet.offer("1.1.0", 17.9 * hourMs - atHour(fleet) * hourMs);
  assert.equal(await fleet.outcome(), "1.0.0 deferred window-closed");
  await fleet.goOn(hourMs);
  assert.equal(await fleet.outcome(), "1.1.0 updated");
  assert.ok(atHour(fleet) < 19, `done at ${atHour(fleet)}`);
});

test("after a restart it does not go on with a time that it cannot know: it asks again", async (t) => {
  const fleet = await scene(t, false);
  await fleet.offer("1.1.0", 2 * hourMs);
  assert.equal(await fleet.outcome(), "1.0.0 deferred window-closed");
  const asked = (): number => fleet.asked.filter((file) => file.startsWith("director")).length;
  const before = asked();
  await fleet.sleep(20 * hourMs); // over the window, to the next morning
  await fleet.pass(hourMs);
  assert.equal(await fleet.outcome(), "1.0.0 deferred window-closed");
  assert.ok(asked() > before, "the director was asked for the time");
  await fleet.goOn(12 * hourMs);
  assert.equal(await fleet.outcome(), "1.1.0 updated");
  const nextDay = atHour(fleet) - 24;
  assert.ok(nextDay >= 18 && nextDay < 19, `done at ${nextDay}`);
});

test("while the director is silent it waits, and goes on once it tells the time", async (t) => {
  const fleet = await scene(t, false);
  await fleet.offer("1.1.0", hourMs);
  fleet.falsify = (file, answer) => (file === "director" ? { kind: "unreachable" } : answer);
  await fleet.sleep(hourMs);
  await fleet.pass(10 * hourMs - hourMs);
  assert.equal(await fleet.outcome(), "1.0.0 deferred no-clock");
  assert.ok(fleet.device.console.some((line) => line.includes("the director told no time")));
  fleet.falsify = (_, answer) => answer;
  await fleet.goOn(24 * hourMs);
  assert.equal(await fleet.outcome(), "1.1.0 updated");
});

test("a device with a clock goes by that, and asks nobody for the time", async (t) => {
  const fleet = await scene(t, true);
  await fleet.offer("1.1.0", hourMs);
  const asked = fleet.asked.length;
  await fleet.sleep(hourMs);
  await fleet.pass(hourMs);
  assert.equal(fleet.asked.length, asked);
  await fleet.goOn(8 * hourMs);
  assert.equal(await fleet.outcome(), "1.1.0 updated");
});

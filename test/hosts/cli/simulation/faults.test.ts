import assert from "node:assert/strict";
import { test } from "node:test";
import {
  droppedLinks,
  fateOf,
  faultRates,
  weatherMs,
} from "../../../../hosts/cli/simulation/faults.ts";
import { isListedReason } from "../../../../hosts/cli/simulation/reasons.ts";
import type { Session } from "../../../../hosts/cli/simulation/session.ts";
import type { Network, NetworkAnswer } from "../../../../hosts/simulator/network.ts";

const ids = Array.from({ length: 20_000 }, (_, index) => `device-${index}`);
const near = (count: number, share: number): void =>
  assert.ok(Math.abs(count / ids.length - share) < 0.005, `${count} of ${ids.length}`);

test("the seed gives each device its fate, in the shares that are told", () => {
  const fates = ids.map((id) => fateOf(4, id));
  assert.deepEqual(
    ids.map((id) => fateOf(4, id)),
    fates,
  );
  near(fates.filter(({ lasting }) => lasting === "freeze").length, faultRates.lasts);
  near(fates.filter(({ lasting }) => lasting === "flat-battery").length, faultRates.lasts);
  near(fates.filter(({ windowed }) => windowed).length, faultRates.windows);
  assert.notDeepEqual(
    ids.map((id) => fateOf(5, id)),
    fates,
  );
});

const answered: NetworkAnswer = {
  kind: "response",
  status: 200,
  headers: {},
  body: new Uint8Array(0),
  brokenAfterBytes: null,
};
const real: Network = { exchange: async () => answered };

/** For each hour of the weather and a while after, whether the link of the device is gone. */
async function goneHours(id: string, seed: number): Promise<readonly boolean[]> {
  const clock = { nowMs: 0 };
  const network = droppedLinks(real, () => clock as Session, seed);
  const call = { host: "h", port: 1, method: "GET", headers: {}, secure: null };
  const gone: boolean[] = [];
  for (clock.nowMs = 0; clock.nowMs < 2 * weatherMs; clock.nowMs += 600_000) {
    const path = `/DEFAULT/controller/v1/${id}`;
    const answer = await network.exchange({ ...call, path }, new Uint8Array(0));
    gone.push(answer.kind === "unreachable");
  }
  return gone;
}

test("some links are gone for a while, each for its own device, and come back before the weather ends", async () => {
  const some = await Promise.all(ids.slice(0, 300).map((id) => goneHours(id, 4)));
  const dropped = some.filter((gone) => gone.includes(true)).length;
  assert.ok(dropped > 20 && dropped < 60, `${dropped} of 300`);
  for (const gone of some) {
    assert.equal(gone.slice(gone.length / 2).includes(true), false);
    assert.equal(gone.every(Boolean), false);
  }
  assert.deepEqual(await Promise.all(ids.slice(0, 300).map((id) => goneHours(id, 4))), some);
});

for (const [state, reason, isListed] of [
  ["deferred", "low-battery", true],
  ["deferred", "window-closed", true],
  ["rolled-back", "no-server", true],
  ["failed", "hash-mismatch", true],
  ["failed", "low-battery", false],
  ["deferred", "tired", false],
  ["deferred", null, false],
  ["downloading", null, false],
  ["constructor", "name", false],
] as const)
  test(`"${state}: ${reason}" is ${isListed ? "a" : "no"} reason of the closed list`, () => {
    assert.equal(isListedReason(state, reason), isListed);
  });

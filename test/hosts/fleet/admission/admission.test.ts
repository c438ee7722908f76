import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission, type OfferClaim } from "../../../../hosts/fleet/admission/admission.ts";
import { type AdmissionLimits, unlimited } from "../../../../hosts/fleet/admission/limits.ts";

const claim: OfferClaim = { rolloutId: 1, rate: null, runsMs: 0, downloads: true };
const minuteMs = 60_000;

interface Device {
  readonly id: string;
  readonly row: { readonly region: string | null };
}

function scene(limits: Record<string, Partial<AdmissionLimits>>, pollSeconds = 300) {
  const clock = { nowMs: 0 };
  const admission = new Admission<Device>({ nowMs: () => clock.nowMs, pollSeconds });
  admission.limits = new Map(
    Object.entries(limits).map(([region, some]) => [region, { ...unlimited, ...some }]),
  );
  const device = (id: string, region: string | null = null): Device => ({ id, row: { region } });
  return { clock, admission, device };
}

/** The most offers in any minute. */
function mostInAMinute(offeredAtMs: readonly number[]): number {
  const sorted = [...offeredAtMs].sort((a, b) => a - b);
  let [most, from] = [0, 0];
  for (const [to, atMs] of sorted.entries()) {
    while ((sorted[from] ?? 0) <= atMs - minuteMs) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

test("a morning on which everybody wakes in one minute ends in an orderly line", () => {
  const [devices, perMinute] = [5000, 400];
  const { clock, admission, device } = scene({ "": { offersPerMinute: perMinute } });
  const polls = Array.from({ length: devices }, (_, index) => ({
    device: device(`device-${index}`),
    arrivedMs: Math.floor((index * minuteMs) / devices),
    atMs: Math.floor((index * minuteMs) / devices),
    polls: 0,
  }));
  const offers: { arrivedMs: number; offeredMs: number; polls: number }[] = [];
  while (polls.length > 0) {
    polls.sort((a, b) => b.atMs - a.atMs);
    const poll = polls.pop();
    assert.ok(poll);
    clock.nowMs = poll.atMs;
    poll.polls += 1;
    if (admission.mayOffer(poll.device, { ...claim, downloads: false }))
      offers.push({ ...poll, offeredMs: poll.atMs });
    else
      polls.push({ ...poll, atMs: poll.atMs + 1000 * (admission.pollSeconds(poll.device) ?? 0) });
    assert.ok(poll.polls <= 10, "nobody is put off again and again");
  }
  assert.equal(offers.length, devices, "everybody is served");
  assert.ok(mostInAMinute(offers.map(({ offeredMs }) => offeredMs)) <= perMinute);
  const byArrival = [...offers].sort((a, b) => a.arrivedMs - b.arrivedMs);
  // A round takes the minute, and what the last of it may be late.
  for (const [ahead, { arrivedMs, offeredMs }] of byArrival.entries()) {
    const explainedMs = (Math.floor(ahead / perMinute) + 1) * 72_000;
    assert.ok(offeredMs - arrivedMs <= explainedMs, `number ${ahead} waited ${offeredMs} ms`);
  }
  const average = offers.reduce((sum, one) => sum + one.polls, 0) / devices;
  assert.ok(average < 4, `${average} polls for each device`);
  assert.equal(admission.waiting, 0);
});

test("first come, first served: who comes later takes nobody's turn", () => {
  const { clock, admission, device } = scene({ "": { offersPerMinute: 1 } });
  const [first, second, third] = [device("first"), device("second"), device("third")];
  assert.equal(admission.mayOffer(first, claim), true);
  assert.equal(admission.mayOffer(second, claim), false);
  clock.nowMs = 61_000;
  assert.equal(admission.mayOffer(third, claim), false, "the second was here before");
  assert.equal(admission.isTurn(second), true);
  assert.equal(admission.mayOffer(second, claim), true);
});

test("who does not come when told holds nobody up, and is first when it is back", () => {
  const { clock, admission, device } = scene({ "": { offersPerMinute: 1 } }, 60);
  const [lost, patient, late] = [device("lost"), device("patient"), device("late")];
  admission.mayOffer(device("first"), claim);
  assert.equal(admission.mayOffer(lost, claim), false);
  assert.equal(admission.mayOffer(patient, claim), false);
  clock.nowMs = 600_000;
  assert.equal(admission.mayOffer(patient, claim), true, "the lost one is passed over");
  assert.equal(admission.mayOffer(late, claim), false);
  assert.equal(admission.mayOffer(lost, claim), false, "the minute has its offer");
  clock.nowMs += 61_000;
  assert.equal(admission.mayOffer(late, claim), false, "the lost one was here before");
  assert.equal(admission.mayOffer(lost, claim), true);
});

test("a region has its own limit, under that of the server", () => {
  const { admission, device } = scene({
    "": { offersPerMinute: 3 },
    eu: { offersPerMinute: 1 },
  });
  const may = (id: string, region: string | null) => admission.mayOffer(device(id, region), claim);
  assert.deepEqual([may("a", "eu"), may("b", "eu")], [true, false]);
  assert.deepEqual([may("c", "us"), may("d", null), may("e", "us")], [true, true, false]);
});

test("who waits for its region takes nothing from the others, and is not forgotten for them", () => {
  const { clock, admission, device } = scene({
    "": { offersPerMinute: 10 },
    eu: { offersPerMinute: 2 },
  });
  const rate = { offersPerMinute: 10, growthPerHour: 1, offersPerMinuteMax: 10 };
  const waiting = Array.from({ length: 400 }, (_, index) =>
    device(`device-${index}`, index < 100 ? "eu" : "us"),
  );
  const offered: { region: string | null; atMs: number }[] = [];
  for (let second = 0; second < 1860; second += 1) {
    clock.nowMs = second * 1000;
    for (const one of [...waiting]) {
      if (!admission.mayOffer(one, { ...claim, rate, downloads: false })) continue;
      waiting.splice(waiting.indexOf(one), 1);
      offered.push({ region: one.row.region, atMs: clock.nowMs });
    }
  }
  assert.ok(mostInAMinute(offered.map(({ atMs }) => atMs)) <= 10);
  const inEurope = offered.filter(({ region }) => region === "eu");
  assert.ok(mostInAMinute(inEurope.map(({ atMs }) => atMs)) <= 2);
  assert.ok(inEurope.length >= 58, `${inEurope.length} in 31 minutes`);
  assert.ok(offered.length >= 290, `${offered.length} in 31 minutes`);
});

test("the rate of a rollout grows by the hour to its end, and holds back nobody else", () => {
  const rate = { offersPerMinute: 2, growthPerHour: 2, offersPerMinuteMax: 5 };
  const { clock, admission, device } = scene({});
  let number = 0;
  const offersIn = (runsMs: number, rolloutId = 1): number => {
    clock.nowMs += 2 * minuteMs;
    let offers = 0;
    for (let index = 0; index < 20; index += 1) {
      number += 1;
      const one = device(`device-${number}`);
      if (admission.mayOffer(one, { ...claim, rate, runsMs, rolloutId })) offers += 1;
      else admission.claimsNothing(one);
    }
    return offers;
  };
  assert.equal(offersIn(0), 2);
  assert.equal(offersIn(3_600_000), 4);
  assert.equal(offersIn(7_200_000), 5);
  assert.equal(offersIn(0, 2), 2, "another rollout has its own");
});

test("a slot is free again with the file, without one, and five minutes after a device fell silent", () => {
  const { clock, admission, device } = scene({ "": { downloads: 1 } });
  const [a, b, c, d] = [device("a"), device("b"), device("c"), device("d")];
  assert.equal(admission.mayOffer(a, claim), true);
  assert.equal(admission.mayOffer(b, claim), false);
  assert.equal(admission.fetch(a), 0);
  admission.endDownload(a, "the file");
  assert.equal(admission.mayOffer(c, claim), false, "b was here before");
  assert.equal(admission.mayOffer(b, claim), true);
  admission.endDownload(b, "no file");
  assert.equal(admission.mayOffer(c, claim), true);
  clock.nowMs += 299_000;
  assert.equal(admission.mayOffer(d, claim), false);
  clock.nowMs += 1000;
  assert.equal(admission.mayOffer(d, claim), true, "c fell silent");
  assert.ok(admission.fetch(c) > 0, "c lost its slot, and d has it");
  admission.endDownload(d, "the file");
  assert.equal(admission.fetch(c), 0);
});

test("a device that sends for its file again keeps its slot for as long as it does", () => {
  const { clock, admission, device } = scene({ "": { downloads: 1 } });
  const [slow, other] = [device("slow"), device("other")];
  assert.equal(admission.mayOffer(slow, claim), true);
  for (let minute = 0; minute < 60; minute += 1) {
    clock.nowMs += minuteMs;
    assert.equal(admission.fetch(slow), 0);
    assert.equal(admission.mayOffer(other, claim), false);
  }
});

test("bytes go out no faster than the region and the server let them", () => {
  const { clock, admission, device } = scene({
    "": { bytesPerSecond: 100_000 },
    eu: { bytesPerSecond: 20_000 },
  });
  const [here, there] = [device("here", "eu"), device("there", "us")];
  let sent = 0;
  for (let part = 0; part < 20; part += 1) {
    clock.nowMs += admission.send(here, 4096);
    sent += 4096;
  }
  assert.ok((sent * 1000) / clock.nowMs <= 20_000.1);
  const startMs = clock.nowMs;
  for (let part = 0; part < 100; part += 1) clock.nowMs += admission.send(there, 4096);
  assert.ok((409_600 * 1000) / (clock.nowMs - startMs) <= 100_000.1);
});

test("no more devices download at once than bytes are there for", () => {
  const { admission, device } = scene({ "": { bytesPerSecond: 3 * 8192 } });
  const offered = Array.from({ length: 10 }, (_, index) =>
    admission.mayOffer(device(`device-${index}`), claim),
  );
  assert.equal(offered.filter(Boolean).length, 3);
});

test("without limits nobody waits and nothing is kept", () => {
  const { admission, device } = scene({});
  for (let index = 0; index < 1000; index += 1)
    assert.equal(admission.mayOffer(device(`device-${index}`), claim), true);
  assert.equal(admission.waiting, 0);
  assert.deepEqual(admission.usage(""), { offersLastMinute: 0, downloads: 0 });
});

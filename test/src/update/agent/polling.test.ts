import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentBench } from "../../../support/agent-bench.ts";
import type { Script } from "../../../support/scripted-http.ts";
import { smallImage } from "../../../support/small-images.ts";
import { deploymentBody, json } from "../../../support/small-server.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 40_000);
const minute = 60_000;

function booted(setUp: (bench: AgentBench) => void = () => undefined): AgentBench {
  const bench = new AgentBench(running);
  setUp(bench);
  bench.boot();
  return bench;
}

/** Times of the polls, in ms since the boot. */
async function pollTimes(bench: AgentBench, forMs: number): Promise<readonly number[]> {
  const times: number[] = [];
  const { interfere } = bench.server;
  bench.server.interfere = (request) => {
    if (request.url.endsWith("/dev-1")) times.push(bench.clock.nowMs);
    return interfere(request);
  };
  await bench.pass(forMs);
  return times;
}

test("polls first within the first seconds, then as often as the server says", async () => {
  const bench = booted();
  // The draw is always 0.5: half of the first 10 s, and then no jitter.
  assert.deepEqual(await pollTimes(bench, 16 * minute), [5000, 305_000, 605_000, 905_000]);
});

test("follows a new interval at once", async () => {
  const bench = booted((fresh) => {
    fresh.server.sleep = "00:00:30";
  });
  assert.deepEqual(await pollTimes(bench, 70_000), [5000, 35_000, 65_000]);
});

test("says with each request what runs", async () => {
  const bench = booted();
  await bench.pass(minute);
  const header = bench.http.requests[0]?.headers["sluice-running"];
  assert.equal(header, `1.0.0;${running.imageHash};confirmed`);
});

test("describes itself when the server asks for it, and as long as it asks", async () => {
  const bench = booted((fresh) => {
    fresh.server.wantsAttributes = true;
  });
  await bench.pass(11 * minute);
  const expected = {
    hardware: "esp32c3-a",
    version: "1.0.0",
    imageHash: running.imageHash,
    bootloader: "unknown (not-told)",
    confirmation: "none",
    configuration: "0",
  };
  assert.deepEqual(bench.server.attributes, [{ mode: "merge", data: expected }]);
});

// ---- no answer, or none that can be used

for (const [name, script] of [
  ["no connection", { failure: "connection" }],
  ["a timeout", { failure: "timeout" }],
  ["401", { status: 401 }],
  ["404", { status: 404 }],
  ["500", { status: 500 }],
  ["garbage", { status: 200, body: "<html>sign in</html>" }],
  ["an empty body", { status: 200 }],
  ["another JSON", { status: 200, body: "[]" }],
  [
    "a link that leads nowhere",
    json({ config: { polling: { sleep: "00:05:00" } }, _links: { deploymentBase: {} } }),
  ],
  ["a port that throws", { throws: new Error("out of sockets") }],
] as const satisfies readonly (readonly [string, Script])[])
  test(`asks less and less often after ${name}, up to every five minutes, and never gives up`, async () => {
    const bench = booted((fresh) => {
      fresh.server.interfere = () => script;
    });
    const times = await pollTimes(bench, 60 * minute);
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    // Half of 1, 2, 4 ... 300 s: the draw is always 0.5.
    assert.deepEqual(
      waits.slice(0, 9),
      [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000],
    );
    assert.ok(waits.slice(9).length > 10);
    assert.ok(waits.slice(9).every((wait) => wait === 150_000));
    assert.equal(bench.state.kind, "idle");
    bench.server.interfere = () => null;
    bench.server.offer = { actionId: "7", image: newer };
    await bench.untilRestart();
  });

test("waits as long as the server asks and a little longer, then polls as usual", async () => {
  const answers: Script[] = [{ status: 503, headers: { "retry-after": "120" } }];
  const bench = booted((fresh) => {
    fresh.server.interfere = () => answers.shift() ?? null;
  });
  assert.deepEqual(await pollTimes(bench, 8 * minute), [5000, 125_500, 425_500]);
});

test("begins anew with short waits after an answer", async () => {
  const failure: Script = { failure: "timeout" };
  const answers: (Script | null)[] = [failure, failure, failure, null, failure];
  const bench = booted((fresh) => {
    fresh.server.interfere = () => answers.shift() ?? null;
  });
  const times = await pollTimes(bench, 10 * minute);
  assert.deepEqual(times.slice(0, 6), [5000, 5500, 6500, 8500, 308_500, 309_000]);
});

// ---- offers that cannot be read

test("asks once what a link leads to, and again when the link changes", async () => {
  const bench = booted((fresh) => {
    fresh.power = () => ({ batteryPercent: 5, charging: false });
    fresh.server.offer = { actionId: "7", image: newer };
  });
  await bench.pass(9 * minute);
  const deployments = (): number =>
    bench.requests.filter((request) => request.startsWith("GET /deploymentBase/")).length;
  assert.equal(deployments(), 1);
  bench.server.revision += 1;
  await bench.pass(3 * minute);
  assert.equal(deployments(), 2);
});

test("asks anew every ten minutes what a link leads to while the update waits", async () => {
  const bench = booted((fresh) => {
    fresh.power = () => ({ batteryPercent: 5, charging: false });
    fresh.server.offer = { actionId: "7", image: newer };
  });
  await bench.pass(32 * minute);
  const reads = bench.requests.filter((request) => request.startsWith("GET /deploymentBase/"));
  assert.equal(reads.length, 4);
});

/** Answers every deployment with this, whatever is offered. */
const deploymentAs = (bench: AgentBench, script: Script): void => {
  bench.server.offer = { actionId: "7", image: newer };
  bench.server.interfere = (request) =>
    request.url.includes("/deploymentBase/") && request.method === "GET" ? script : null;
};

const twice = deploymentBody({ actionId: "7", image: newer }) as {
  deployment: { chunks: unknown[] };
};
const twoChunks = {
  ...twice,
  deployment: {
    ...twice.deployment,
    chunks: [...twice.deployment.chunks, ...twice.deployment.chunks],
  },
};

for (const [name, script, reason, polls] of [
  ["two chunks", json(twoChunks), "unsupported-deployment", 1],
  ["more than 16 KiB", { status: 200, body: "x".repeat(20_000) }, "unsupported-deployment", 3],
  ["no chunks", json({ id: "7", deployment: { update: "forced" } }), "malformed-deployment", 1],
  ["nothing but an id", json({ id: "7" }), "malformed-deployment", 1],
  ["garbage", { status: 200, body: "<html>" }, "malformed-deployment", 3],
] as const satisfies readonly (readonly [string, Script, string, number])[])
  test(`tells the server that a deployment with ${name} is a ${reason}, after ${polls} of them`, async () => {
    const bench = booted((fresh) => deploymentAs(fresh, script));
    await bench.pass(polls * 5 * minute - 1000);
    assert.deepEqual(bench.server.reports, [`7 closed failure state=failed reason=${reason}`]);
    assert.equal(bench.state.kind, "idle");
    await bench.pass(60 * minute);
    assert.equal(bench.server.reports.length, 1);
  });

for (const [name, script] of [
  ["404", { status: 404 }],
  ["401", { status: 401 }],
  ["503", { status: 503 }],
  ["a timeout", { failure: "timeout" }],
] as const satisfies readonly (readonly [string, Script])[])
  test(`an offer behind ${name} changes nothing and is asked again at the next poll`, async () => {
    const bench = booted((fresh) => deploymentAs(fresh, script));
    await bench.pass(11 * minute);
    assert.equal(bench.state.kind, "idle");
    assert.deepEqual(bench.server.reports, []);
    bench.server.interfere = () => null;
    await bench.untilRestart();
  });

test("garbage in between does not add up: only what comes in a row is told", async () => {
  let number = 0;
  const bench = booted((fresh) => {
    deploymentAs(fresh, { status: 200, body: "<html>" });
    const { interfere } = fresh.server;
    fresh.power = () => ({ batteryPercent: 5, charging: false });
    fresh.server.interfere = (request) => {
      if (request.url.endsWith("/dev-1")) {
        number += 1;
        fresh.server.revision = number;
      }
      return number % 3 === 0 ? null : interfere(request);
    };
  });
  await bench.pass(60 * minute);
  assert.ok(bench.server.reports.every((report) => report.includes("scheduled")));
});

test("a server that goes on offering what it was told is malformed hears it at each poll, no more", async () => {
  const bench = booted((fresh) => {
    deploymentAs(fresh, json({ id: "7" }));
    const { interfere } = fresh.server;
    fresh.server.interfere = (request) =>
      request.url.endsWith("/feedback") ? { status: 200 } : interfere(request);
  });
  await bench.pass(31 * minute);
  const feedback = bench.requests.filter((request) => request.endsWith("/feedback"));
  assert.equal(bench.pollsOf(), 7);
  assert.equal(feedback.length, 7);
});

test("only one request is open at a time", async () => {
  const bench = booted((fresh) => {
    fresh.server.sleep = "00:00:01";
    fresh.server.offer = { actionId: "7", image: newer };
  });
  await bench.untilRestart();
  assert.equal(bench.http.openMax, 1);
});

test("an exception in the middle of a poll is not the last poll", async () => {
  const bench = booted((fresh) => {
    fresh.server.interfere = (request) =>
      request.url.endsWith("/dev-1") && fresh.pollsOf() === 1
        ? json({ config: { polling: { sleep: "00:05:00" } } })
        : null;
  });
  let throwing = true;
  bench.power = () => {
    if (throwing) throw new Error("the sensor is gone");
    return { batteryPercent: null, charging: true };
  };
  await bench.pass(6 * minute);
  throwing = false;
  bench.server.offer = { actionId: "7", image: newer };
  await bench.untilRestart();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { moveTrailerShape } from "../../../../src/image/layout.ts";
import { readTrailer } from "../../../../src/image/trailer.ts";
import { AgentBench, slotBytes } from "../../../support/agent-bench.ts";
import { smallImage } from "../../../support/small-images.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 20_000);
const counted = await smallImage("1.1.0", 20_000, { securityCounter: 7 });
const minute = 60_000;
const shape = moveTrailerShape({
  slotBytes,
  sectorBytes: 4096,
  writeBlockBytes: 4,
  maxAlignBytes: 8,
});
const request = (bench: AgentBench) => readTrailer(bench.chip.area(slotBytes, slotBytes), shape);

/** A device whose update was confirmed a minute ago, reported and all. */
async function confirmed(image = newer, prepare?: Parameters<AgentBench["boot"]>[1]) {
  const bench = new AgentBench(running);
  bench.server.offer = { actionId: "7", image };
  bench.boot();
  await bench.untilRestart();
  bench.swap();
  bench.boot("software", prepare);
  await bench.untilKind("idle");
  bench.server.offer = null;
  bench.server.revision += 1;
  return bench;
}

/** What MCUboot makes of a permanent request: both images back, and the old one confirmed. */
function swapForGood(bench: AgentBench): void {
  assert.deepEqual(
    (({ magic, swapType, imageOk }) => ({ magic, swapType, imageOk }))(request(bench)),
    { magic: "good", swapType: "permanent", imageOk: "set" },
  );
  bench.revert();
}

test("an image that crashes again and again after its confirm goes, and the old one comes back for good", async () => {
  const bench = await confirmed();
  for (let crash = 0; crash < 3; crash += 1) {
    bench.boot("exception");
    await bench.pass(20_000);
    assert.equal(bench.state.kind, "idle", `after crash ${crash + 1}`);
  }
  bench.boot("exception");
  await bench.untilRestart(10_000);
  assert.equal(stateText(bench.state), "rollingBack 7 late-rollback:reboots");
  swapForGood(bench);
  bench.boot("software");
  await bench.pass(minute);
  assert.equal(
    bench.server.lateReports.at(-1),
    "7 closed failure state=rolledBack version=1.1.0 reason=late-rollback:reboots",
  );
  assert.equal(bench.agent.running.version, "1.0.0");
});

test("the release is refused afterwards, until the server says that it may be tried again", async () => {
  let pumping = true;
  const bench = await confirmed(newer, (agent) => agent.addHealthCheck("pump", () => pumping));
  pumping = false;
  await bench.untilRestart(4 * minute);
  swapForGood(bench);
  bench.boot("software");
  await bench.pass(minute);
  bench.server.offer = { actionId: "8", image: newer };
  bench.server.revision += 1;
  await bench.untilKind("failed");
  assert.equal(stateText(bench.state), "failed 8 rolled-back-before");
  bench.server.offer = { actionId: "9", image: newer, retry: true };
  bench.server.revision += 1;
  await bench.untilRestart();
  assert.equal(stateText(bench.state), "activating 9 #1 requested");
});

test("health that fails for over two minutes in the soak brings the old image back", async () => {
  let pumping = true;
  const bench = await confirmed(newer, (agent) => agent.addHealthCheck("pump", () => pumping));
  await bench.pass(10 * minute);
  pumping = false;
  await bench.pass(1.9 * minute);
  assert.equal(bench.state.kind, "idle");
  await bench.untilRestart(minute);
  assert.equal(stateText(bench.state), "rollingBack 7 late-rollback:health");
});

test("health that recovers in time changes nothing", async () => {
  let pumping = true;
  const bench = await confirmed(newer, (agent) => agent.addHealthCheck("pump", () => pumping));
  for (let round = 0; round < 5; round += 1) {
    pumping = false;
    await bench.pass(1.5 * minute);
    pumping = true;
    await bench.pass(minute);
  }
  assert.equal(bench.restarts, 1);
  assert.equal(bench.state.kind, "idle");
});

test("a server that is out of reach rolls nobody back while there is one address only", async () => {
  const bench = await confirmed();
  await bench.pass(5 * minute);
  bench.server.interfere = () => ({ failure: "connection" });
  await bench.pass(3 * 60 * minute);
  assert.equal(bench.restarts, 1);
});

for (const [name, otherFails, linkUp, rollsBack] of [
  ["and neither is its second address, with the link up: the image is to blame", true, true, true],
  ["but its second address is reached: the outage is the server's", false, true, false],
  ["and the link is down: nothing is said against the image", true, false, false],
] as const)
  test(`the server is out of reach, ${name}`, async () => {
    const bench = new AgentBench(running);
    bench.otherServerUrl = "http://other.test";
    bench.server.offer = { actionId: "7", image: newer };
    bench.boot();
    await bench.untilRestart();
    bench.swap();
    bench.boot("software");
    await bench.untilKind("idle");
    bench.server.offer = null;
    bench.linkUp = linkUp;
    bench.server.interfere = (request) => {
      if (request.url.startsWith("http://other.test"))
        return otherFails ? { failure: "connection" } : { status: 404 };
      return { failure: "connection" };
    };
    await bench.pass(60 * minute);
    assert.equal(bench.restarts, rollsBack ? 2 : 1);
    if (rollsBack) assert.equal(stateText(bench.state), "rollingBack 7 late-rollback:no-server");
  });

test("is not asked for when the old image has a lower security counter: MCUboot would erase it", async () => {
  let pumping = true;
  const bench = await confirmed(counted, (agent) => agent.addHealthCheck("pump", () => pumping));
  pumping = false;
  await bench.pass(30 * minute);
  assert.equal(bench.restarts, 1);
  assert.equal(request(bench).magic, "unset");
  assert.equal(
    bench.server.lateReports.at(-1),
    "7 proceeding none state=idle version=1.1.0 reason=rollback-impossible: counter",
  );
});

test("waits for the charge that a swap needs, and then comes", async () => {
  let pumping = true;
  const bench = await confirmed(newer, (agent) => agent.addHealthCheck("pump", () => pumping));
  bench.power = () => ({ batteryPercent: 12, charging: false });
  pumping = false;
  await bench.pass(30 * minute);
  assert.equal(bench.restarts, 1);
  assert.equal(request(bench).magic, "unset");
  assert.equal(stateText(bench.state), "rollingBack 7 late-rollback:health waits for power");
  bench.power = () => ({ batteryPercent: 60, charging: true });
  await bench.untilRestart(minute);
  assert.equal(request(bench).magic, "good");
});

test("is given up when the swap does not come about, and the server is told", async () => {
  let pumping = true;
  const bench = await confirmed(newer, (agent) => agent.addHealthCheck("pump", () => pumping));
  pumping = false;
  await bench.untilRestart(4 * minute);
  for (let boots = 0; boots < 3 && bench.state.kind === "rollingBack"; boots += 1) {
    bench.boot("software");
    await bench.pass(minute);
  }
  assert.equal(bench.state.kind, "idle");
  assert.ok(
    bench.server.lateReports.includes(
      "7 proceeding none state=idle version=1.1.0 reason=rollback-impossible: flash-error",
    ),
    bench.server.lateReports.join("\n"),
  );
});

test("ends with the soak: a day later nothing rolls back", async () => {
  let pumping = true;
  const bench = await confirmed(newer, (agent) => agent.addHealthCheck("pump", () => pumping));
  for (let hour = 0; hour < 25; hour += 1) await bench.pass(60 * minute);
  pumping = false;
  await bench.pass(60 * minute);
  assert.equal(bench.restarts, 1);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentBench } from "../../../support/agent-bench.ts";
import { ConfigurationSigner } from "../../../support/configuration-signer.ts";
import { smallImage } from "../../../support/small-images.ts";
import { deploymentBody, json } from "../../../support/small-server.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 20_000);
const narrow = await smallImage("1.1.0", 20_000, {
  release: {
    hardware: null,
    breaking: false,
    downgradeAllowed: false,
    bootloaderVersionMin: null,
    configurationSchemas: { min: 0, max: 1 },
    steppingStone: null,
    windowOverride: false,
  },
});
const fix = await smallImage("1.1.0", 20_000, {
  release: {
    hardware: null,
    breaking: false,
    downgradeAllowed: false,
    bootloaderVersionMin: null,
    configurationSchemas: null,
    steppingStone: null,
    windowOverride: true,
  },
});
const signer = new ConfigurationSigner(5); // the key of the images
const stranger = new ConfigurationSigner(9);
const minute = 60_000;
/** 2026-11-23, a Monday, 12:00 UTC. */
const mondayNoon = 1_795_435_200_000;

const document = (version: number, values: object = {}, schema = 2) =>
  signer.seal({ version, schema, values, flags: { lamp: true } });

function offering(bytes: Uint8Array, version: number, actionId = "5"): AgentBench {
  const bench = new AgentBench(running);
  offer(bench, bytes, version, actionId);
  bench.boot();
  return bench;
}

function offer(bench: AgentBench, bytes: Uint8Array, version: number, actionId: string): void {
  bench.server.offer = { actionId, image: running, configuration: { version, bytes } };
  bench.server.revision += 1;
}

test("takes a signed configuration, proves it under the health checks and tells the server", async () => {
  const bench = offering(document(12, { reportSeconds: 300 }), 12);
  bench.server.sleep = "00:00:20";
  await bench.pass(30_000);
  assert.equal(bench.agent.configuration.read()?.values["reportSeconds"], 300);
  assert.equal(bench.agent.configuration.state.kind, "trial");
  assert.deepEqual(bench.server.reports, ["5 proceeding none state=trial version=12"]);
  await bench.pass(2 * minute);
  assert.deepEqual(bench.agent.configuration.state, { kind: "stable", version: 12 });
  assert.equal(bench.agent.configuration.flag("lamp", "dev-1"), true);
  assert.equal(bench.server.reports.at(-1), "5 closed success state=confirmed version=12");
  assert.equal(bench.server.attributes.at(-1)?.data["configuration"], "12");
});

test("goes back when a health check fails under it, and tells why", async () => {
  const bench = offering(document(12, { speed: 1 }), 12);
  bench.server.sleep = "00:00:20";
  await bench.pass(3 * minute);
  bench.agent.addHealthCheck(
    "pump",
    () => bench.agent.configuration.read()?.values["speed"] !== 99,
  );
  offer(bench, document(13, { speed: 99 }), 13, "6");
  await bench.pass(4 * minute);
  assert.equal(
    bench.server.reports.at(-1),
    "6 closed failure state=rolledBack version=13 reason=health-check",
  );
  assert.equal(bench.agent.configuration.read()?.version, 12);
  assert.equal(bench.server.attributes.at(-1)?.data["configuration"], "12");
});

test("goes back when the server is not reached any more under it", async () => {
  const bench = offering(document(12), 12);
  bench.server.interfere = ({ url }) =>
    bench.agent.configuration.state.kind === "trial" && !url.includes("/file/")
      ? { failure: "connection" }
      : null;
  await bench.pass(20 * minute);
  assert.equal(
    bench.server.reports.at(-1),
    "5 closed failure state=rolledBack version=12 reason=not-proven",
  );
  assert.equal(bench.agent.configuration.read(), null);
});

test("a configuration that takes the device down is given up by its third boot", async () => {
  const bench = offering(document(12), 12);
  await bench.pass(30_000);
  for (let crash = 0; crash < 4; crash += 1) {
    bench.boot("exception");
    await bench.pass(100);
  }
  assert.equal(bench.agent.configuration.read(), null);
  await bench.pass(10 * minute);
  assert.equal(
    bench.server.reports.at(-1),
    "5 closed failure state=rolledBack version=12 reason=not-proven",
  );
});

for (const [name, bytes, reason] of [
  ["of another key", stranger.seal({ version: 12, schema: 2 }), "signature-invalid"],
  ["that is no document", new Uint8Array(100).fill(7), "malformed-envelope"],
] as const)
  test(`refuses a configuration ${name}, and says so`, async () => {
    const bench = offering(bytes, 12);
    await bench.pass(10 * minute);
    assert.equal(
      bench.server.reports.at(-1),
      `5 closed failure state=failed version=12 reason=${reason}`,
    );
    assert.equal(bench.agent.configuration.read(), null);
  });

// ---- what the configuration decides

const night = {
  windows: {
    timeZone: "UTC0",
    download: null,
    install: [
      { days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], start: "02:00", minutes: 60 },
    ],
  },
};

async function configured(values: object, unixStartMs: number | null): Promise<AgentBench> {
  const bench = new AgentBench(running);
  bench.unixStartMs = unixStartMs;
  bench.server.sleep = "00:00:20";
  offer(bench, document(12, values), 12, "5");
  bench.boot();
  await bench.pass(3 * minute);
  assert.equal(bench.agent.configuration.state.kind, "stable");
  bench.server.sleep = "12:00:00"; // far longer than the window is open
  return bench;
}

test("installs inside the window alone, and polls again when it opens", async () => {
  const bench = await configured(night, mondayNoon);
  bench.server.offer = { actionId: "7", image: newer };
  bench.server.revision += 1;
  await bench.untilKind("deferred");
  assert.equal(stateText(bench.state), "deferred window-closed > staged 7");
  await bench.untilRestart(24 * 60 * minute);
  const hour = (bench.clock.nowMs / (60 * minute) + 12) % 24;
  assert.ok(hour >= 2 && hour < 2.1, `at ${hour}`);
});

test("without a valid clock no window is open", async () => {
  const bench = await configured(night, null);
  bench.server.offer = { actionId: "7", image: newer };
  bench.server.revision += 1;
  await bench.pass(48 * 60 * minute);
  assert.equal(stateText(bench.state), "deferred no-clock > staged 7");
  assert.equal(bench.restarts, 0);
});

test("a forced security fix goes through, when it is signed as one", async () => {
  const bench = await configured(night, mondayNoon);
  bench.server.offer = { actionId: "7", image: fix, update: "forced" };
  bench.server.revision += 1;
  await bench.untilRestart(30 * minute);
});

test("a download window holds up the download itself, and ends one that is too slow", async () => {
  const download = night.windows.install;
  const bench = await configured({ windows: { ...night.windows, download } }, mondayNoon);
  bench.server.offer = { actionId: "7", image: newer };
  bench.server.revision += 1;
  await bench.untilKind("deferred");
  assert.equal(stateText(bench.state), "deferred window-closed > downloading 7");
  assert.ok(bench.http.deliveredBytes < 20_000);
  await bench.untilRestart(24 * 60 * minute);
});

test("a window that opens finds an address that holds, where one holds for an hour only", async () => {
  const download = night.windows.install;
  const bench = await configured({ windows: { ...night.windows, download } }, mondayNoon);
  const place = (): string => `hour-${Math.floor(bench.clock.nowMs / (60 * minute))}`;
  bench.server.interfere = ({ url, method }) => {
    if (url.includes("/deploymentBase/") && method === "GET")
      return json(deploymentBody({ actionId: "7", image: newer, place: place() }));
    return url.includes("/file/") && !url.endsWith(place()) ? { status: 403 } : null;
  };
  bench.server.offer = { actionId: "7", image: newer };
  bench.server.revision += 1;
  await bench.untilKind("deferred");
  await bench.untilRestart(24 * 60 * minute);
  const hour = (bench.clock.nowMs / (60 * minute) + 12) % 24;
  assert.ok(hour >= 2 && hour < 2.1, `at ${hour}`);
  assert.ok(bench.server.reports.every((report) => !report.includes("artifact-denied")));
});

test("a release that cannot read the stored configuration's schema is refused", async () => {
  const bench = await configured({}, null);
  bench.server.offer = { actionId: "7", image: narrow };
  bench.server.revision += 1;
  await bench.untilKind("failed");
  assert.equal(stateText(bench.state), "failed 7 schema-range");
});

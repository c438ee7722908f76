import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  defaultHealthSettings,
  evaluateHealth,
  failingAfterConfirm,
  type HealthResult,
  type HealthSettings,
  type HealthVerdict,
  type ServerHeartbeat,
  type TrialFacts,
} from "../../../src/policy/health.ts";

const silent: ServerHeartbeat = {
  kind: "server",
  acknowledged: false,
  unreachableCount: 0,
  unavailableCount: 0,
  refusedCount: 0,
};
const heard: ServerHeartbeat = { ...silent, acknowledged: true };
const unreachable: ServerHeartbeat = { ...silent, unreachableCount: 3 };
const unavailable: ServerHeartbeat = { ...unreachable, unavailableCount: 1 };
const refusing: ServerHeartbeat = { ...unavailable, refusedCount: 1 };
const enough: HealthResult = { kind: "memory", freeBytes: 8192, floorBytes: 8192 };
const short: HealthResult = { kind: "memory", freeBytes: 8191, floorBytes: 8192 };
const pump = (outcome: "passed" | "pending" | "failing"): HealthResult => ({
  kind: "application",
  name: "pump",
  outcome,
});
const sensor = (outcome: "passed" | "pending" | "failing"): HealthResult => ({
  kind: "peripheral",
  name: "sensor",
  outcome,
});

const early: TrialFacts = { uptimeMs: 59_999, networkWasDownBefore: false };
const over: TrialFacts = { uptimeMs: 60_000, networkWasDownBefore: false };
const wasDown: TrialFacts = { ...over, networkWasDownBefore: true };
const strict = defaultHealthSettings;
const sleepy: HealthSettings = { ...strict, confirmWithoutServer: true, serverPatienceMs: 8000 };

const healthy: HealthVerdict = { kind: "healthy", withoutServer: false };
const withoutServer: HealthVerdict = { kind: "healthy", withoutServer: true };
const waiting = (...names: string[]): HealthVerdict => ({ kind: "waiting", for: names });
const failed = (
  reason: Extract<HealthVerdict, { kind: "failed" }>["reason"],
  check: string,
): HealthVerdict => ({ kind: "failed", reason, check });

const rows: ReadonlyArray<
  readonly [string, readonly HealthResult[], TrialFacts, HealthSettings, HealthVerdict]
> = [
  [
    "confirms at once when all pass",
    [heard, pump("passed"), enough, sensor("passed")],
    early,
    strict,
    healthy,
  ],
  ["confirms in the last moment too", [heard], over, strict, healthy],
  ["never confirms by an empty list", [], early, strict, waiting()],
  ["gives up an empty list", [], over, strict, failed("no-checks", "none")],
  [
    "waits for what is missing",
    [silent, pump("failing"), short, sensor("pending")],
    early,
    strict,
    waiting("server", "pump", "memory", "sensor"),
  ],
  [
    "blames a check of the application",
    [heard, pump("failing")],
    over,
    strict,
    failed("health-check", "pump"),
  ],
  [
    "blames a check that never answered",
    [heard, pump("pending")],
    over,
    strict,
    failed("health-check", "pump"),
  ],
  ["blames the memory", [heard, short], over, strict, failed("low-memory", "memory")],
  ["blames a peripheral", [heard, sensor("failing")], over, strict, failed("peripheral", "sensor")],
  [
    "blames the first of the list",
    [heard, sensor("failing"), pump("failing")],
    over,
    strict,
    failed("peripheral", "sensor"),
  ],
  [
    "blames the server last",
    [unreachable, pump("failing")],
    over,
    strict,
    failed("health-check", "pump"),
  ],
  ["calls silence no-server", [silent, enough], over, strict, failed("no-server", "server")],
  [
    "calls transport failures no-server",
    [unreachable],
    over,
    strict,
    failed("no-server", "server"),
  ],
  [
    "calls the server's own trouble no-server",
    [unavailable],
    over,
    strict,
    failed("no-server", "server"),
  ],
  ["tells a refusal from an outage", [refusing], over, strict, failed("server-refused", "server")],
  [
    "does not go without the server unless told to",
    [unreachable],
    wasDown,
    strict,
    failed("no-server", "server"),
  ],
  [
    "goes without after transport failures only",
    [unreachable, enough],
    over,
    sleepy,
    withoutServer,
  ],
  [
    "goes without when the network was down before",
    [silent, enough],
    wasDown,
    sleepy,
    withoutServer,
  ],
  [
    "does not go without a single try on a network that was up",
    [silent],
    over,
    sleepy,
    failed("no-server", "server"),
  ],
  [
    "does not go without after an answer",
    [unavailable],
    wasDown,
    sleepy,
    failed("no-server", "server"),
  ],
  [
    "does not go without after a refusal",
    [refusing],
    wasDown,
    sleepy,
    failed("server-refused", "server"),
  ],
  [
    "does not go without another check",
    [unreachable, pump("failing")],
    wasDown,
    sleepy,
    failed("health-check", "pump"),
  ],
  [
    "waits for the server as long as it is told",
    [unreachable],
    { ...early, uptimeMs: 7999 },
    sleepy,
    waiting("server"),
  ],
  [
    "then goes without, before the boot is over",
    [unreachable],
    { ...early, uptimeMs: 8000 },
    sleepy,
    withoutServer,
  ],
  [
    "does not wait longer than the boot",
    [unreachable],
    over,
    { ...sleepy, serverPatienceMs: 90_000 },
    withoutServer,
  ],
  ["prefers the server's word", [heard], wasDown, sleepy, healthy],
];

for (const [name, results, trial, settings, verdict] of rows)
  test(name, () => assert.deepEqual(evaluateHealth(results, trial, settings), verdict));

test("after the confirm the first failing check counts, never the server and never a missing answer", () => {
  assert.equal(failingAfterConfirm([]), null);
  assert.equal(failingAfterConfirm([refusing, pump("pending"), enough]), null);
  assert.equal(failingAfterConfirm([unreachable, sensor("failing"), pump("failing")]), "sensor");
  assert.equal(failingAfterConfirm([heard, short]), "memory");
});

const anyResult: fc.Arbitrary<HealthResult> = fc.oneof(
  fc.constantFrom<HealthResult>(silent, heard, unreachable, unavailable, refusing, enough, short),
  fc.constantFrom("passed", "pending", "failing").map((outcome) => pump(outcome)),
  fc.constantFrom("passed", "pending", "failing").map((outcome) => sensor(outcome)),
);
const anyTrial: fc.Arbitrary<TrialFacts> = fc.record(
  { uptimeMs: fc.nat(120_000), networkWasDownBefore: fc.boolean() },
  { noNullPrototype: true },
);

test("every boot of a trial ends: nothing is waited for once its time is over", () => {
  fc.assert(
    fc.property(
      fc.array(anyResult, { maxLength: 6 }),
      anyTrial,
      fc.boolean(),
      (results, trial, confirmWithoutServer) => {
        const settings = { ...strict, confirmWithoutServer };
        const verdict = evaluateHealth(results, trial, settings);
        if (trial.uptimeMs >= settings.trialMs) assert.notEqual(verdict.kind, "waiting");
        else assert.notEqual(verdict.kind, "failed");
        if (verdict.kind === "healthy" && !verdict.withoutServer)
          assert.equal(evaluateHealth(results, over, strict).kind, "healthy");
        if (verdict.kind === "healthy" && verdict.withoutServer) {
          assert.ok(confirmWithoutServer);
          const others = results.filter((result) => result.kind !== "server");
          assert.equal(failingAfterConfirm(others), null);
        }
      },
    ),
    { numRuns: 500 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import { DdiClient } from "../../../../src/transfer/ddi-client.ts";
import { Reporter, reportsMax } from "../../../../src/update/agent/reporter.ts";
import type { Report } from "../../../../src/update/machine/effect.ts";
import { settle } from "../../../support/manual-clock.ts";
import { type Script, ScriptedHttp } from "../../../support/scripted-http.ts";

const progress = (version: string, actionId = "7"): Report => ({
  actionId,
  execution: "proceeding",
  finished: "none",
  state: "checking",
  reason: null,
  detail: null,
  version,
});
const final = (actionId: string): Report => ({
  actionId,
  execution: "closed",
  finished: "success",
  state: "confirmed",
  reason: null,
  detail: null,
  version: "1.1.0",
});

interface Bench {
  readonly reporter: Reporter;
  readonly acknowledged: string[];
  /** `action: details` of each request, in order. */
  readonly sent: string[];
  answer: Script;
}

function bench(onAcknowledged?: (reporter: Reporter, actionId: string) => void): Bench {
  const acknowledged: string[] = [];
  const sent: string[] = [];
  const http = new ScriptedHttp((request) => {
    const { id, status } = JSON.parse(new TextDecoder().decode(request.body ?? new Uint8Array()));
    sent.push(`${id}: ${status.details.join(" ")}`);
    return self.answer;
  });
  const client = new DdiClient(http, {
    serverUrl: "http://server",
    tenant: "T",
    deviceId: "d",
    token: "t",
    timeoutMs: 1000,
    running: () => ({ version: "1.0.0", imageHash: "00".repeat(32) as DigestHex, confirmed: true }),
  });
  const reporter: Reporter = new Reporter({
    client,
    acknowledged(actionId) {
      acknowledged.push(actionId);
      onAcknowledged?.(reporter, actionId);
    },
  });
  const self: Bench = { reporter, acknowledged, sent, answer: { status: 200 } };
  return self;
}

test("sends nothing when nothing waits", async () => {
  const { reporter, sent } = bench();
  await reporter.flush();
  await reporter.flush();
  assert.deepEqual(sent, []);
});

test("sends in order, and says of final reports that they were taken", async () => {
  const { reporter, sent, acknowledged } = bench();
  reporter.add(progress("1.1.0"));
  reporter.add(final("7"));
  reporter.add(progress("1.2.0", "8"));
  await reporter.flush();
  assert.deepEqual(sent, [
    "7: state=checking version=1.1.0",
    "7: state=confirmed version=1.1.0",
    "8: state=checking version=1.2.0",
  ]);
  assert.deepEqual(acknowledged, ["7"]);
});

test("names the reason, and leaves out a version that is not known", async () => {
  const { reporter, sent } = bench();
  reporter.add({ ...final("7"), state: "failed", reason: "malformed-deployment", version: null });
  await reporter.flush();
  assert.deepEqual(sent, ["7: state=failed reason=malformed-deployment"]);
});

for (const answer of [
  { status: 500 },
  { status: 401 },
  { failure: "timeout" },
] as const satisfies readonly Script[])
  test(`keeps everything after ${JSON.stringify(answer)} and goes on with the next flush`, async () => {
    const self = bench();
    self.answer = answer;
    self.reporter.add(progress("1.1.0"));
    self.reporter.add(final("7"));
    await self.reporter.flush();
    assert.equal(self.sent.length, 1);
    assert.deepEqual(self.acknowledged, []);
    self.answer = { status: 200 };
    await self.reporter.flush();
    assert.deepEqual(self.sent.slice(1), [
      "7: state=checking version=1.1.0",
      "7: state=confirmed version=1.1.0",
    ]);
  });

test("counts an action that the server closed or does not know as told", async () => {
  for (const status of [404, 410]) {
    const self = bench();
    self.answer = { status };
    self.reporter.add(final("7"));
    await self.reporter.flush();
    assert.deepEqual(self.acknowledged, ["7"]);
  }
});

test("drops a report that is refused for what it says, and does not count it as told", async () => {
  for (const status of [400, 405, 415]) {
    const self = bench();
    self.answer = { status };
    self.reporter.add(final("7"));
    await self.reporter.flush();
    await self.reporter.flush();
    assert.equal(self.sent.length, 1);
    assert.deepEqual(self.acknowledged, []);
  }
});

test("adds a report once while it waits, and again once it was sent", async () => {
  const { reporter, sent } = bench();
  reporter.add(final("7"));
  reporter.add({ ...final("7") });
  await reporter.flush();
  assert.equal(sent.length, 1);
  reporter.add(final("7"));
  await reporter.flush();
  assert.equal(sent.length, 2);
});

test("drops the oldest intermediate reports of too many, and no final one", async () => {
  const { reporter, sent } = bench();
  reporter.add(final("6"));
  for (let index = 0; index < reportsMax + 4; index += 1) reporter.add(progress(`1.0.${index}`));
  reporter.add(final("7"));
  await reporter.flush();
  assert.equal(sent.length, reportsMax);
  assert.equal(sent[0], "6: state=confirmed version=1.1.0");
  assert.equal(sent[1], "7: state=checking version=1.0.6");
  assert.equal(sent.at(-1), "7: state=confirmed version=1.1.0");
});

test("stays bounded when nothing but final reports wait", async () => {
  const { reporter, sent } = bench();
  for (let action = 0; action < reportsMax + 5; action += 1) reporter.add(final(String(action)));
  await reporter.flush();
  assert.equal(sent.length, reportsMax);
  assert.equal(sent[0], "5: state=confirmed version=1.1.0");
});

test("flushes that come during one wait for it, and none sends twice", async () => {
  const { reporter, sent } = bench();
  reporter.add(progress("1.1.0"));
  const flushes = [reporter.flush(), reporter.flush()];
  reporter.add(final("7"));
  flushes.push(reporter.flush());
  await Promise.all(flushes);
  assert.equal(sent.length, 2);
});

test("sends what is added while the last one is acknowledged", async () => {
  const { reporter, sent } = bench((self, actionId) => {
    if (actionId === "7") self.add(final("8"));
  });
  reporter.add(final("7"));
  await reporter.flush();
  assert.deepEqual(sent, ["7: state=confirmed version=1.1.0", "8: state=confirmed version=1.1.0"]);
});

test("sends what is added at any moment around the end of a flush", async () => {
  for (let turns = 0; turns < 40; turns += 1) {
    const { reporter, sent } = bench();
    reporter.add(final("7"));
    void reporter.flush();
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    reporter.add(final("8"));
    void reporter.flush();
    await settle();
    assert.equal(sent.length, 2, `after ${turns} turns`);
  }
});

test("works on after an exception of whoever was told", async () => {
  const self = bench(() => {
    throw new Error("a defect");
  });
  self.reporter.add(final("7"));
  self.reporter.add(progress("1.2.0", "8"));
  await assert.rejects(self.reporter.flush(), /a defect/);
  await self.reporter.flush();
  assert.equal(self.sent.length, 2);
});

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { HttpRequest } from "../../../src/ports/http.ts";
import type { DigestHex } from "../../../src/protocol/digest.ts";
import { DdiClient } from "../../../src/transfer/ddi-client.ts";
import { fetchRange } from "../../../src/transfer/range.ts";
import { type Script, ScriptedHttp } from "../../support/scripted-http.ts";
import { vectorsDirectory } from "../../support/vectors.ts";

// One device's life at a hawkBit 1.0.4, as recorded: what that server answers, our client must be
// able to live with.

interface Step {
  readonly step: string;
  readonly request: { readonly method: string; readonly path: string };
  readonly response: {
    readonly status: number;
    readonly headers: readonly (readonly [string, string])[];
    readonly body: unknown;
  };
}

const path = join(vectorsDirectory ?? "", "hawkbit", "conversation.json");
const skip = existsSync(path) ? false : "skipped: SLUICE_VECTORS names no recorded conversation";
const steps: readonly Step[] = skip ? [] : JSON.parse(readFileSync(path, "utf8"));

function scriptOf({ response }: Step): Script {
  const { status, headers, body } = response;
  return {
    status,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    body: typeof body === "string" ? body : JSON.stringify(body ?? ""),
  };
}

function clientFor(step: Step): { client: DdiClient; sent: readonly HttpRequest[] } {
  const http = new ScriptedHttp(() => scriptOf(step));
  const client = new DdiClient(http, {
    serverUrl: "http://127.0.0.1:18081",
    tenant: "DEFAULT",
    deviceId: "device",
    token: "t",
    timeoutMs: 1000,
    running: () => ({ version: "1.0.0", imageHash: "00".repeat(32) as DigestHex, confirmed: true }),
  });
  return { client, sent: http.requests };
}

const ofKind = (pattern: RegExp, method = "GET"): readonly Step[] =>
  steps.filter(({ request }) => request.method === method && pattern.test(request.path));
const own = "^/[A-Z]+/controller/v1/[^/]+";
const linked = (step: Step, name: string): boolean =>
  JSON.stringify(step.response.body).includes(`"${name}":`);

test("the recording holds steps of every kind", { skip }, () => {
  assert.ok(ofKind(new RegExp(`${own}$`)).length >= 10);
  assert.ok(ofKind(/deploymentBase\/\d+(\?|$)/).length >= 5);
  assert.ok(ofKind(/artifacts\/fw/).length >= 10);
  assert.ok(ofKind(/feedback$/, "POST").length >= 10);
});

for (const step of ofKind(new RegExp(`${own}$`)))
  test(`lives with: ${step.step}`, async () => {
    const polled = await clientFor(step).client.poll();
    const isJson = typeof step.response.body === "object";
    assert.equal(polled.ok, step.response.status === 200 && isJson, JSON.stringify(polled));
    if (!polled.ok) return;
    assert.equal(polled.value.sleepSeconds, 300);
    assert.equal(polled.value.offerUrl !== null, linked(step, "deploymentBase"));
    assert.equal(polled.value.cancelUrl !== null, linked(step, "cancelAction"));
    assert.equal(polled.value.configDataUrl !== null, linked(step, "configData"));
  });

for (const step of ofKind(/(deploymentBase|installedBase)\/[^/]+$/))
  test(`lives with: ${step.step}`, async () => {
    const { status, body } = step.response;
    const answer = await clientFor(step).client.offer("http://127.0.0.1:18081/x");
    assert.equal(answer.ok, status === 200);
    if (!answer.ok) return assert.ok(["not-found", "response-invalid"].includes(answer.reason));
    assert.ok(answer.value.ok, JSON.stringify(answer.value));
    const { offer: deployment } = answer.value;
    assert.equal(deployment.actionId, (body as { id: string }).id);
    assert.equal(deployment.fileBytes, 4096);
    assert.ok(deployment.kind === "firmware");
    assert.equal(deployment.imageHash, null);
    assert.deepEqual([deployment.approved, deployment.retry], [false, false]);
    assert.equal(deployment.windowOpen, true);
  });

for (const step of ofKind(/cancelAction\/\d+$/))
  test(`lives with: ${step.step}`, async () => {
    const answer = await clientFor(step).client.cancel("http://127.0.0.1:18081/x");
    assert.equal(answer.ok, step.response.status === 200);
    assert.equal(answer.ok ? answer.value.actionId : answer.reason, answer.ok ? "2" : "not-found");
  });

for (const step of ofKind(/(deploymentBase|cancelAction)\/\d+\/feedback$/, "POST"))
  test(`lives with: ${step.step}`, async () => {
    const feedback = { execution: "proceeding", finished: "none", details: [] } as const;
    const answer = await clientFor(step).client.feedback("1", feedback);
    assert.equal(answer.ok, [200, 404, 410].includes(step.response.status));
  });

for (const step of ofKind(/configData$/, "PUT"))
  test(`lives with: ${step.step}`, async () => {
    const answer = await clientFor(step).client.configData("http://127.0.0.1:18081/x", {});
    assert.equal(answer.ok, step.response.status === 200);
  });

for (const step of ofKind(/artifacts\/fw-1\.bin$/))
  test(`takes no byte but those it asked for: ${step.step}`, async () => {
    const http = new ScriptedHttp(() => scriptOf(step));
    const got: number[] = [];
    const wanted = { fromBytes: 0, toBytes: 100, totalBytes: 4096 };
    const result = await fetchRange(
      http,
      { url: "http://127.0.0.1:18081/x", headers: {}, timeoutMs: 1000, ...wanted },
      (bytes) => got.push(...bytes) > 0,
    );
    // A shorter range from the same start is a part of what was asked for (RFC 9110, 15.3.7), and
    // of a whole file all but what was asked for is passed over (14.2).
    const found = step.response.headers.find(([name]) => name === "Content-Range");
    const [, last] = /^bytes 0-(\d+)\//.exec(found?.[1] ?? "") ?? [];
    const isWhole = step.response.status === 200;
    const given = isWhole ? 100 : last === undefined ? 0 : Math.min(Number(last) + 1, 100);
    assert.equal(result.ok, given === 100);
    assert.equal(got.length, given);
  });

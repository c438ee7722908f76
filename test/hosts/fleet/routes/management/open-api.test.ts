import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { temporaryFolder } from "../../../../support/command-line.ts";
import { generatedClient } from "../../../../support/generated-client.ts";
import { makeImage, TestFleet } from "../../test-fleet.ts";

/** Clients are generated with these names: changing one breaks them. */
const operations = {
  "/api/v1/configurations": { get: "listConfigurations", post: "publishConfiguration" },
  "/api/v1/configurations/{version}": { get: "showConfiguration" },
  "/api/v1/devices": { get: "listDevices", post: "addDevice" },
  "/api/v1/admission": { get: "showAdmission", patch: "limitAdmission" },
  "/api/v1/devices/{id}": { delete: "removeDevice", get: "showDevice", patch: "setDevice" },
  "/api/v1/devices/{id}/cancel": { post: "cancelDeviceAction" },
  "/api/v1/devices/{id}/events": { get: "listDeviceEvents" },
  "/api/v1/devices/{id}/refusals/{version}": { delete: "clearRefusal" },
  "/api/v1/counters": { get: "listCounters" },
  "/api/v1/events": { get: "listEvents" },
  "/api/v1/ready": { get: "showReadiness" },
  "/api/v1/registry": { get: "listRegistry", post: "importDevices" },
  "/api/v1/releases": { get: "listReleases" },
  "/api/v1/releases/images": { post: "publishImage" },
  "/api/v1/releases/{version}": { get: "showRelease" },
  "/api/v1/windows": { get: "listWindows" },
  "/api/v1/windows/{group}": { delete: "removeWindows", get: "showWindows", put: "setWindows" },
  "/api/v1/policies": { get: "listPolicies" },
  "/api/v1/policies/{name}": { get: "showPolicy", put: "applyPolicy" },
  "/api/v1/rollouts": { get: "listRollouts", post: "createRollout" },
  "/api/v1/rollouts/preview": { post: "previewRollout" },
  "/api/v1/rollouts/{id}": { get: "showRollout" },
  "/api/v1/rollouts/{id}/advance": { post: "advanceRollout" },
  "/api/v1/rollouts/{id}/approve": { post: "approveRollout" },
  "/api/v1/rollouts/{id}/cancel": { post: "cancelRollout" },
  "/api/v1/rollouts/{id}/clear": { post: "clearRollout" },
  "/api/v1/rollouts/{id}/comparison": { get: "compareRollout" },
  "/api/v1/rollouts/{id}/decisions": { get: "listRolloutDecisions" },
  "/api/v1/rollouts/{id}/devices": { get: "listRolloutDevices" },
  "/api/v1/rollouts/{id}/pause": { post: "pauseRollout" },
  "/api/v1/rollouts/{id}/resume": { post: "resumeRollout" },
  "/api/v1/rollouts/{id}/start": { post: "startRollout" },
  "/api/v1/server": { get: "showServer" },
  "/api/v1/trust": { get: "showTrust" },
  "/api/v1/trust/metadata": { post: "publishMetadata" },
  "/api/v1/trust/targets": { post: "publishTarget" },
};

// biome-ignore lint/suspicious/noExplicitAny: the document is read by hand; wrong shapes fail the assertions
async function documentOf(fleet: TestFleet): Promise<any> {
  return (await fleet.inject({ url: "/openapi.json" })).json();
}

async function withTrust(context: TestContext): Promise<TestFleet> {
  const trust = { folder: temporaryFolder(context), onlineSigner: null, moreOnlineSigners: [] };
  return TestFleet.open(context, { trust });
}

test("describes every route in a valid document, under names that stay", async (t) => {
  const document = await documentOf(await withTrust(t));
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
  const described: Record<string, Record<string, string>> = {};
  for (const [path, methods] of Object.entries<Record<string, { operationId: string }>>(
    document.paths,
  ))
    described[path] = Object.fromEntries(
      Object.entries(methods).map(([method, { operationId }]) => [method, operationId]),
    );
  assert.deepEqual(described, operations);
});

test("says what a generated client needs to know: where, as whom, and which bytes", async (t) => {
  const external = await TestFleet.open(t, { externalUrl: "https://ota.example/fleet" });
  assert.equal((await documentOf(external)).servers[0].url, "https://ota.example/fleet");
  const document = await documentOf(await withTrust(t));
  assert.equal(document.servers[0].url, "/");
  assert.deepEqual(document.components.securitySchemes.admin.scheme, "bearer");
  for (const path of ["/releases/images", "/configurations", "/trust/targets"]) {
    const { requestBody } = document.paths[`/api/v1${path}`].post;
    assert.deepEqual(requestBody, {
      required: true,
      content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
    });
  }
  const { oneOf } =
    document.paths["/api/v1/rollouts"].post.requestBody.content["application/json"].schema;
  assert.deepEqual(
    oneOf.map(({ required }: { required: string[] }) => required),
    [
      ["name", "releaseVersion"],
      ["name", "configurationVersion"],
    ],
  );
  for (const methods of Object.values<
    Record<string, { responses: Record<string, { description: string }> }>
  >(document.paths))
    for (const { responses } of Object.values(methods))
      for (const [status, { description }] of Object.entries(responses))
        assert.ok(status[0] === "2" || description !== "Default Response", status);
});

/** What somebody writes against the generated client: from an image to the state of its rollout. */
const program = `
import { createClient } from "./client/client";
import {
  addDevice, createRollout, listDevices, publishImage, showRelease, showRollout,
} from "./client/sdk.gen";

export async function publishAndRollOut(baseUrl: string, token: string, image: Uint8Array<ArrayBuffer>) {
  const client = createClient({ baseUrl, auth: token });
  const throwOnError = true;
  const { data: published } = await publishImage({ client, body: new Blob([image]), throwOnError });
  const { hardware } = published.image;
  const { data: added } = await addDevice({ client, body: { id: "lamp", hardware }, throwOnError });
  const { data: created } = await createRollout({
    client, body: { name: "first", releaseVersion: published.version, start: true }, throwOnError,
  });
  const path = { id: String(created.id) };
  const { data: shown } = await showRollout({ client, path, throwOnError });
  const waiting: number | undefined = shown.stages[0]?.counts.waiting;
  const { data: devices } = await listDevices({ client, query: { limit: "10" }, throwOnError });
  const names: string[] = devices.items.map(({ id }) => id);
  const reason: string | null = devices.items[0]?.reason ?? null;
  const unknown = await showRelease({ client, path: { version: "9.9.9" } });
  const refusal: string | undefined = unknown.error?.error;
  // @ts-expect-error A rollout is of a release or of a configuration, not of neither.
  const neither = await createRollout({ client, body: { name: "second" } });
  const message: string | undefined = neither.error?.message;
  const tokens: string = added.token;
  return { tokens, state: shown.state, waiting, names, reason, refusal, message };
}
`;

test("a generated client publishes, adds a device, rolls out and shows it", async (t) => {
  const fleet = await TestFleet.open(t, { adminToken: "admin-token" });
  const document = await documentOf(fleet);
  const { publishAndRollOut } = await generatedClient(temporaryFolder(t), document, program);
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const { bytes } = await makeImage({ version: "1.0.0" });
  const told = await publishAndRollOut(url, "admin-token", new Uint8Array(bytes));
  const { tokens, ...rest } = told;
  assert.match(tokens, /^[\w-]{32}$/);
  assert.deepEqual(rest, {
    state: "running",
    waiting: 1,
    names: ["lamp"],
    reason: null,
    refusal: "unknown-release",
    message: "give either releaseVersion or configurationVersion",
  });
});

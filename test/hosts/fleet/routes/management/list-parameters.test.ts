import assert from "node:assert/strict";
import { test } from "node:test";
import { TestFleet } from "../../test-fleet.ts";

/** What no list takes in this parameter. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  limit: ["0", "501", "abc", "-1", "1.5", "", "1e2"],
  after: ["", "!", "a b", "-1 ", "x".repeat(65)],
  device: ["", "a b", "-x", "x".repeat(65)],
  hardware: ["", "a b", "x".repeat(40)],
  state: ["", "nope", "Updated", "x".repeat(40)],
  version: ["", "1.0", "v1.0.0", "1.0.0+0", "01.0.0", "x".repeat(40)],
  source: ["nobody"],
  filter: ["x".repeat(4097)],
};
const numbered = [
  "/releases",
  "/configurations",
  "/policies",
  "/rollouts",
  "/rollouts/1/decisions",
  "/events",
  "/counters",
  "/devices/lamp/events",
];

test("every list refuses what a parameter cannot be, and parameters that it does not have", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevice("lamp");
  await fleet.publish({ version: "1.0.0" });
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.0.0" });
  const document = (await fleet.inject({ method: "GET", url: "/openapi.json" })).json<{
    paths: Record<string, { get?: { parameters?: { name: string; in: string }[] } }>;
  }>();
  let lists = 0;
  for (const [path, { get }] of Object.entries(document.paths)) {
    const names = (get?.parameters ?? [])
      .filter((one) => one.in === "query")
      .map(({ name }) => name);
    if (!names.includes("limit")) continue;
    lists += 1;
    const url = path.replace("/devices/{id}", "/devices/lamp").replaceAll(/\{\w+\}/g, "1");
    const status = async (query: string): Promise<number> =>
      (await fleet.inject({ method: "GET", url: `${url}?${query}` })).statusCode;
    assert.equal(await status("limit=500"), 200, url);
    assert.equal(await status("aftr=1"), 400, `${url}?aftr`);
    assert.equal(await status("limit=1&limit=2"), 400, `${url} twice`);
    for (const name of names) {
      assert.ok(wrong[name], `the test knows no wrong ${name} of ${url}`);
      for (const value of wrong[name] ?? [])
        assert.equal(
          await status(`${name}=${encodeURIComponent(value)}`),
          400,
          `${url} ${name}=${value}`,
        );
    }
  }
  assert.equal(lists, 12);
  for (const url of numbered) {
    const answer = await fleet.inject({ method: "GET", url: `/api/v1${url}?after=abc` });
    assert.equal(answer.statusCode, 400, url);
  }
});

/**
 * What each operation needs to be answered at all, so that it is the query alone that is judged.
 */
const bodies: Readonly<Record<string, object>> = {
  limitAdmission: { downloads: 1 },
  setDevice: { region: "eu" },
  addDevice: { id: "new", hardware: "esp32c3-b" },
  createRollout: { name: "again", releaseVersion: "1.0.0" },
  previewRollout: { releaseVersion: "1.0.0" },
  applyPolicy: { stages: [{ percent: 100, soakSeconds: 60 }] },
  approveRollout: { approver: "ada" },
  setWindows: { timeZone: "UTC0", install: [] },
  publishMetadata: { documents: {} },
};

test("every route refuses a parameter that it does not have, and changes nothing", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevice("lamp");
  await fleet.publish({ version: "1.0.0" });
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.0.0" });
  const before = (await fleet.api("GET", "/events?limit=500")).items.length;
  const document = (await fleet.inject({ method: "GET", url: "/openapi.json" })).json<{
    paths: Record<string, Record<string, { operationId: string }>>;
  }>();
  let routes = 0;
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, { operationId }] of Object.entries(methods)) {
      const url = path.replace("/devices/{id}", "/devices/lamp").replaceAll(/\{\w+\}/g, "1");
      for (const verb of method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()]) {
        const answer = await fleet.inject({
          method: verb as "GET",
          url: `${url}?stat=nope`,
          ...(operationId in bodies && { payload: bodies[operationId] }),
        });
        assert.equal(answer.statusCode, 400, `${verb} ${url}: ${answer.body}`);
        if (verb === "HEAD") continue;
        const { error, message } = answer.json();
        assert.equal(error, "invalid-request");
        assert.match(message, /^the query (?:has "stat", .*: (?:give one of |it takes no)|lacks )/);
      }
      routes += 1;
    }
  assert.ok(routes > 20, `${routes} routes`);
  assert.equal((await fleet.api("GET", "/events?limit=500")).items.length, before);
});

test("a state that no device has is refused with those that there are", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  const ask = async (state: string) =>
    fleet.inject({ method: "GET", url: `/api/v1/devices?state=${state}` });
  const refused = await ask("nope");
  assert.equal(refused.statusCode, 400);
  assert.match(refused.json().message, /^state is "nope": give one of unknown, idle, .*no-link/);
  const ids = async (state: string): Promise<string[]> =>
    (await ask(state)).json().items.map(({ id }: { id: string }) => id);
  assert.deepEqual(await ids("unknown"), ["lamp"]);
  device.runs("1.0.0", "a".repeat(64));
  await device.poll();
  assert.deepEqual([await ids("unknown"), await ids("idle")], [[], ["lamp"]]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestFleet } from "../../test-fleet.ts";

/** What no list takes in this parameter. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  limit: ["0", "501", "abc", "-1", "1.5", "", "1e2"],
  after: ["", "!", "a b", "-1 ", "x".repeat(65)],
  device: ["", "a b", "-x", "x".repeat(65)],
  hardware: ["", "a b", "x".repeat(40)],
  state: ["x".repeat(40)],
  version: ["x".repeat(40)],
  source: ["nobody"],
};
const numbered = ["/releases", "/configurations", "/rollouts", "/events", "/devices/lamp/events"];

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
  assert.equal(lists, 7);
  for (const url of numbered) {
    const answer = await fleet.inject({ method: "GET", url: `/api/v1${url}?after=abc` });
    assert.equal(answer.statusCode, 400, url);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestFleet } from "../../test-fleet.ts";

const rollout = { name: "r", releaseVersion: "1.0.0" };

/** What is sent, and the sentence that comes back. */
const wrong: ReadonlyArray<readonly ["GET" | "POST", string, object | undefined, RegExp]> = [
  ["POST", "/devices", { id: "lamp" }, /^the body lacks hardware: give it$/],
  ["POST", "/devices", { id: "-", hardware: "esp32c3-b" }, /^id is "-": give a letter or a digit/],
  ["POST", "/devices", { id: 7, hardware: "esp32c3-b" }, /^id is 7: give a text$/],
  ["POST", "/devices", { id: "a", hardware: "ESP" }, /^hardware is "ESP": give family-revision/],
  [
    "POST",
    "/devices",
    { id: "a", hardware: "a-b", token: "short" },
    /^token has 5 characters: give at least \d+$/,
  ],
  [
    "POST",
    "/devices",
    { id: "a", hardware: "a-b", token: "two words and more than that, long" },
    /^token is "two words .*": give printable ASCII without spaces$/,
  ],
  ["POST", "/devices", [], /^the body is a list: give an object$/],
  ["POST", "/rollouts", { ...rollout, speed: 1 }, /^the body has "speed", which nobody knows/],
  ["POST", "/rollouts", { ...rollout, mode: "fast" }, /^mode is "fast": give one of forced, soft$/],
  ["POST", "/rollouts", { ...rollout, stages: [] }, /^stages has 0 entries: give at least 1$/],
  [
    "POST",
    "/rollouts",
    { ...rollout, stages: [{ percent: 0, soakSeconds: 0 }] },
    /^stages\.0\.percent is 0: give more than 0$/,
  ],
  [
    "POST",
    "/rollouts",
    { ...rollout, haltThreshold: { failedShare: 1.5 } },
    /^haltThreshold\.failedShare is 1\.5: give at most 1$/,
  ],
  [
    "POST",
    "/rollouts",
    { ...rollout, selector: { devices: ["a", "b c"] } },
    /^selector\.devices\.1 is "b c": give a letter or a digit/,
  ],
  ["GET", "/devices?limit=0", undefined, /^limit is "0": give /],
  ["GET", "/events?after=abc", undefined, /^after is "abc": give /],
  ["GET", "/rollouts/first", undefined, /^id is "first": give the number of a rollout$/],
];

for (const [method, path, payload, says] of wrong)
  test(`${method} ${path} ${JSON.stringify(payload)} is refused in words`, async (t) => {
    const fleet = await TestFleet.open(t);
    const url = `/api/v1${path}`;
    const answer = await fleet.inject({ method, url, ...(payload && { payload }) });
    assert.equal(answer.statusCode, 400, answer.body);
    assert.match(answer.json().message, says);
    assert.doesNotMatch(answer.json().message, /\^|\\|\{\d/);
  });

test("no pattern of the document is without words", async (t) => {
  const fleet = await TestFleet.open(t);
  const { paths } = (await fleet.inject({ url: "/openapi.json" })).json();
  // A parameter has the words beside its schema.
  const look = (value: unknown, at: string, around: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { pattern, description = around } = value as { pattern?: string; description?: string };
    if (pattern !== undefined) assert.equal(typeof description, "string", at);
    for (const [name, inner] of Object.entries(value)) look(inner, `${at}.${name}`, description);
  };
  look(paths, "", undefined);
});

test("an address that no one can decode is refused like any other", async (t) => {
  const fleet = await TestFleet.open(t);
  for (const url of ["/api/v1/devices/%E0%A4%A", "/DEFAULT/controller/v1/%ff", "/%"]) {
    const answer = await fleet.inject({ method: "GET", url });
    assert.equal(answer.statusCode, 400, url);
    assert.deepEqual(Object.keys(answer.json()), ["error", "message"]);
    assert.equal(answer.json().error, "bad-url");
  }
});

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encode as encodeCbor } from "cborg";
import { rolloutText } from "../../../../../hosts/cli/rollout/show.ts";
import { limits } from "../../../../../hosts/fleet/terms/limits.ts";
import { type TestDevice, TestFleet } from "../../test-fleet.ts";

interface Scene {
  readonly fleet: TestFleet;
  readonly device: TestDevice;
  readonly actionId: number;
}

async function offered(context: TestContext, definition: object = {}): Promise<Scene> {
  const fleet = await TestFleet.open(context);
  const device = await fleet.addDevice("dev1");
  await fleet.publish({ version: "1.0.0" });
  const rollout = { name: "r", releaseVersion: "1.0.0", start: true, ...definition };
  await fleet.api("POST", "/rollouts", rollout);
  const { deploymentBase, confirmationBase } = await device.poll();
  const id = /Base\/(\d+)/.exec(deploymentBase ?? confirmationBase ?? "")?.[1];
  return { fleet, device, actionId: Number(id) };
}

/** A feedback as SWUpdate 2022.12 spells it. */
function swupdate(execution: string, finished: string, details: readonly unknown[]): object {
  const result = { progress: { cnt: 0, of: 1 }, finished };
  return { id: 1, time: "20261201T011559", status: { result, execution, details } };
}

async function post({ device, actionId }: Scene, body: object, resource = "deploymentBase") {
  return device.request("POST", `${resource}/${actionId}/feedback`, { body });
}

const lines = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `[channel_log_reply] : line ${index + 1}`);

test("takes SWUpdate's log of 48 lines, and the failure that follows it as it was told", async (t) => {
  const scene = await offered(t);
  const { fleet } = scene;
  const started = swupdate("proceeding", "none", ["Installing Update Chunk Artifacts."]);
  assert.equal((await post(scene, started)).statusCode, 200);
  assert.equal((await post(scene, swupdate("proceeding", "none", lines(48)))).statusCode, 200);
  const failed = swupdate("closed", "failure", [
    "ERROR core/cpio_utils.c : get_cpiohdr : 50 : CPIO Format not recognized: magic not found",
    "No suitable .swu image found",
  ]);
  assert.equal((await post(scene, failed)).statusCode, 200);
  const told =
    "ERROR core/cpio_utils.c : get_cpiohdr : 50 : CPIO Format not recognized: magic not found; No suitable .swu image found";
  const shown = await fleet.api("GET", "/devices/dev1");
  assert.deepEqual([shown.state, shown.reason], ["failed", told]);
  const { outcomes } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual(outcomes, [{ state: "failed", reason: told, count: 1 }]);
});

test("refuses progress with more details than hawkBit allows, naming field, number and limit", async (t) => {
  const scene = await offered(t);
  assert.equal((await post(scene, swupdate("proceeding", "none", lines(50)))).statusCode, 200);
  const refused = await post(scene, swupdate("proceeding", "none", lines(51)));
  assert.equal(refused.statusCode, 403);
  assert.equal(refused.json().errorCode, "hawkbit.server.error.quota.tooManyEntries");
  assert.match(refused.json().message, /status\.details has 51 entries: give at most 50/);
});

const unwieldy: ReadonlyArray<readonly [string, unknown, string | null]> = [
  ["51 details", lines(51), "line 51"],
  ["5,000 details", lines(5000), "line 5000"],
  ["48 lines of 10 KB", Array.from({ length: 48 }, () => "x".repeat(10_000)), "xxx"],
  ["control characters", ["\u001b[31mflash\u0000 is\r\nworn\u001b[0m\u0007"], "flash is worn"],
  ["half a character", ["worn \ud83d"], "worn \ufffd"],
  ["a number and a boolean", [507, true], "507; true"],
  ["objects, lists and null", [{ a: 1 }, [1], null], "(object); (object)"],
  ["a text in place of the list", "flash is worn", "flash is worn"],
  ["null in place of the list", null, null],
  ["empty texts", ["", "  "], null],
  ["the code before a long log", ["reason=worn-out", ...lines(200)], "worn-out"],
  ["a word that our agent counts", ["no-server"], "no-server"],
];

for (const [name, details, reason] of unwieldy)
  test(`a final result counts with ${name}`, async (t) => {
    const scene = await offered(t);
    const status = { execution: "closed", result: { finished: "failure" }, details };
    const answer = await post(scene, { status });
    assert.equal(answer.statusCode, 200, answer.body);
    const shown = await scene.fleet.api("GET", "/devices/dev1");
    assert.equal(shown.state, "failed");
    if (reason === null) assert.equal(shown.reason, null);
    else assert.ok(shown.reason.includes(reason), shown.reason);
    assert.ok((shown.reason ?? "").length <= limits.reasonCharactersMax);
    const { items } = await scene.fleet.api("GET", "/events?device=dev1");
    const kept = items.find(({ kind }: { kind: string }) => kind === "feedback").details.details;
    assert.ok(kept.length <= limits.reportDetailsMax);
    for (const text of kept) assert.ok(text.length <= limits.reportDetailCharactersMax);
    assert.doesNotMatch(JSON.stringify([shown, kept]), /\\u00[01]|\\u007f/);
  });

test("a body beyond its bound is refused with both numbers", async (t) => {
  const scene = await offered(t);
  const { feedbackBodyBytesMax: max } = limits;
  const answer = await post(scene, swupdate("closed", "failure", ["x".repeat(max)]));
  assert.equal(answer.statusCode, 413);
  assert.match(answer.json().message, new RegExp(`^The body has \\d+ bytes: give at most ${max}`));
});

const wrongBodies: ReadonlyArray<readonly [string, object, RegExp]> = [
  ["no status", { id: 1 }, /^status is missing/],
  ["an unknown execution", { status: { execution: "done" } }, /^status\.execution is "done": give/],
  ["no result", { status: { execution: "closed" } }, /^status\.result\.finished is missing: give/],
  [
    "a result in capitals",
    { status: { execution: "closed", result: { finished: "SUCCESS" } } },
    /^status\.result\.finished is "SUCCESS": give one of none, success, failure$/,
  ],
];

for (const [name, body, says] of wrongBodies)
  test(`says what is wrong of a feedback with ${name}`, async (t) => {
    const scene = await offered(t);
    const answer = await post(scene, body);
    assert.equal(answer.statusCode, 400);
    assert.match(answer.json().message, says);
  });

/** Heads of CBOR (RFC 8949, 3) before the bytes of what `encode` makes. */
const cborOf = (...parts: readonly unknown[]): Buffer =>
  Buffer.concat(
    parts.map((part) => Buffer.from(part instanceof Uint8Array ? part : encodeCbor(part))),
  );
const proceeding = { execution: "proceeding", result: { finished: "none" } };
const legalBodies: readonly (readonly [string, string, Buffer | string])[] = [
  [
    "CBOR that says it is",
    "application/cbor",
    cborOf(Buffer.from("d9d9f7", "hex"), { status: proceeding }),
  ],
  [
    "a tagged time",
    "application/cbor",
    cborOf(Buffer.of(0xa2), "time", Buffer.from("c11a5f000000", "hex"), "status", proceeding),
  ],
  [
    "a number as the name of a member",
    "application/cbor",
    cborOf(Buffer.of(0xa2), 7, "x", "status", proceeding),
  ],
  [
    "maps and lists without a length",
    "application/cbor",
    cborOf(
      Buffer.of(0xbf),
      "status",
      proceeding,
      "extra",
      Buffer.from("9f01ff", "hex"),
      Buffer.of(0xff),
    ),
  ],
  [
    "the mark of UTF-8 before its JSON",
    "application/json;charset=UTF-8",
    `\ufeff${JSON.stringify({ status: proceeding })}`,
  ],
];
for (const [name, type, payload] of legalBodies)
  test(`takes a feedback with ${name}`, async (t) => {
    const { fleet, device, actionId } = await offered(t);
    const answer = await fleet.inject({
      method: "POST",
      url: `/DEFAULT/controller/v1/dev1/deploymentBase/${actionId}/feedback`,
      headers: {
        host: "fleet.test",
        "content-type": type,
        authorization: `TargetToken ${device.token}`,
      },
      payload,
    });
    assert.equal(answer.statusCode, 200, answer.body);
  });

test("takes attributes that are numbers and booleans as their text, as hawkBit does", async (t) => {
  const { fleet, device } = await offered(t);
  const data = { ram: 512, share: 0.5, secure: true, serial: "7" };
  const answer = await device.request("PUT", "configData", { body: { data } });
  assert.equal(answer.statusCode, 200, answer.body);
  const { attributes } = await fleet.api("GET", "/devices/dev1");
  assert.deepEqual(attributes, { ram: "512", share: "0.5", secure: "true", serial: "7" });
  for (const wrong of [null, {}, ["a"]]) {
    const refused = await device.request("PUT", "configData", { body: { data: { a: wrong } } });
    assert.equal(refused.statusCode, 400);
    assert.match(refused.json().message, /^data\.a is /);
  }
});

test("says which attribute is too long", async (t) => {
  const { device } = await offered(t);
  const body = { mode: "merge", data: { serial: "7".repeat(257) } };
  const answer = await device.request("PUT", "configData", { body });
  assert.equal(answer.statusCode, 400);
  assert.equal(answer.json().message, "data.serial has 257 characters: give at most 256");
});

test("shows a success that nothing proves in a column of its own", async (t) => {
  const scene = await offered(t);
  const status = {
    execution: "closed",
    result: { finished: "success" },
    details: ["Software bundle installed successfully."],
  };
  assert.equal((await post(scene, { status })).statusCode, 200);
  const shown = rolloutText(await scene.fleet.api("GET", "/rollouts/1"));
  assert.match(shown, /REPORTED/);
  const device = await scene.fleet.api("GET", "/devices/dev1");
  assert.deepEqual(
    [device.state, device.reason],
    ["reported", "Software bundle installed successfully."],
  );
});

/** As the Python client of RAUC answers every cancellation. */
const rejects = {
  id: "1",
  status: {
    result: { finished: "success" },
    execution: "rejected",
    details: ["Cancelling not supported"],
  },
};

test("an action whose cancellation the device rejects runs on to its end", async (t) => {
  const scene = await offered(t);
  const { fleet, device, actionId } = scene;
  await post(scene, swupdate("proceeding", "none", ["Downloading"]));
  await fleet.api("POST", "/rollouts/1/cancel");
  const { cancelAction, deploymentBase } = await device.poll();
  assert.deepEqual([deploymentBase, cancelAction !== undefined], [undefined, true]);
  assert.equal((await device.request("GET", `deploymentBase/${actionId}`)).statusCode, 404);
  assert.equal((await post(scene, rejects, "cancelAction")).statusCode, 200);
  assert.equal((await fleet.api("GET", "/devices/dev1")).reason, "Cancelling not supported");
  // Whatever it reports on the way, it is not asked again.
  for (const text of ["Downloading", "Installing"]) {
    const links = await device.poll();
    assert.equal(links["cancelAction"], undefined);
    const deployment = await device.request("GET", links["deploymentBase"] ?? "");
    assert.equal(deployment.statusCode, 200);
    const [artifact] = deployment.json().deployment.chunks[0].artifacts;
    const { pathname } = new URL(artifact._links["download-http"].href);
    assert.equal((await device.request("GET", pathname)).statusCode, 200);
    assert.equal((await post(scene, swupdate("proceeding", "none", [text]))).statusCode, 200);
  }
  assert.equal((await post(scene, rejects, "cancelAction")).statusCode, 405);
  assert.equal((await post(scene, swupdate("closed", "success", []))).statusCode, 200);
  assert.deepEqual(Object.keys(await device.poll()).sort(), ["configData", "installedBase"]);
});

test("a rejected cancellation agrees to nothing on behalf of the user", async (t) => {
  const scene = await offered(t, { needsConfirmation: true });
  await scene.fleet.api("POST", "/rollouts/1/cancel");
  assert.ok((await scene.device.poll())["cancelAction"]);
  assert.equal((await post(scene, rejects, "cancelAction")).statusCode, 200);
  const links = await scene.device.poll();
  assert.deepEqual([links["deploymentBase"], links["cancelAction"]], [undefined, undefined]);
  assert.ok(links["confirmationBase"]);
  const confirmed = { confirmation: "confirmed", details: lines(60) };
  assert.equal((await post(scene, confirmed, "confirmationBase")).statusCode, 200);
  const after = await scene.device.poll();
  assert.deepEqual(
    [after["cancelAction"], after["deploymentBase"] !== undefined],
    [undefined, true],
  );
});

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { hardware, makeImage, TestDevice, TestFleet } from "../fleet/test-fleet.ts";
import { runCommand } from "./run-command.ts";

const evil = "\u001b]0;owned\u0007\u001b[2J\u009b32m\u202eall devices\r\nROLLOUT 9 updated";
const obeyed = /[^\P{Cc}\n]|\p{Cf}|\p{Zl}|\p{Zp}/u;

/** A device that says such things wherever it may say anything. */
async function fleetOf(context: TestContext) {
  const fleet = await TestFleet.open(context, {});
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const image = await makeImage({ version: "1.1.0" });
  const call = (path: string, body: object) =>
    fetch(`${url}/api/v1${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await fetch(`${url}/api/v1/releases/images`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: new Blob([Uint8Array.from(image.bytes)]),
  });
  await call("/devices", { id: "lamp-1", hardware, token: "device-token-of-lamp-1" });
  await call("/rollouts", { name: evil.slice(0, 40), releaseVersion: "1.1.0", start: true });
  const lamp = new TestDevice(fleet, "lamp-1", "device-token-of-lamp-1");
  await lamp.request("GET", "");
  const details = ["state=rolledBack", `reason=${evil}`];
  const status = { execution: "closed", result: { finished: "failure" }, details };
  await lamp.request("POST", "deploymentBase/1/feedback", { body: { status } });
  await lamp.request("PUT", "configData", { body: { data: { serial: evil } } });
  const event = { id: "b-1", type: "update.health.failed", details: { [evil]: evil, text: evil } };
  await lamp.request("POST", "events", { body: [event] });
  return url;
}

test("no word of a device moves the cursor or adds a line, and JSON stays JSON", async (context) => {
  const url = await fleetOf(context);
  const lines = [
    ["device", "show", "lamp-1"],
    ["device", "list"],
    ["device", "events", "lamp-1", "--all"],
    ["rollout", "show", "1"],
    ["rollout", "list"],
    ["rollout", "pause", "1"],
    ["release", "list"],
  ];
  for (const line of lines) {
    const plain = await runCommand(...line, "--fleet", url);
    assert.doesNotMatch(plain.stdout + plain.stderr, obeyed, line.join(" "));
    assert.doesNotMatch(plain.stdout, /^ROLLOUT 9/m, line.join(" "));
    if (line[1] === "pause") continue;
    const json = await runCommand(...line, "--fleet", url, "--json");
    assert.doesNotMatch(json.stdout, obeyed, line.join(" "));
    JSON.parse(json.stdout);
  }
  const shown = await runCommand("device", "show", "lamp-1", "--fleet", url, "--json");
  assert.match(JSON.stringify(JSON.parse(shown.stdout)), /\\u001b\[2J/);
});

test("neither do errors: of the server, of the command line, of a file's name", async (context) => {
  const server = createServer((_request, response) => {
    response.writeHead(409, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: "conflict", message: evil }));
  }).listen(0, "127.0.0.1");
  context.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const line of [
    ["device", "list", "--fleet", url],
    ["device", `--${evil}`],
    [evil],
    ["rollout", "show", evil],
    ["image", "info", `/nowhere/${evil}`],
    ["device", "list", "--fleet", evil],
  ]) {
    const { exitCode, stdout, stderr } = await runCommand(...line);
    assert.ok(exitCode === 69 || exitCode === 2 || exitCode === 65, `${exitCode} ${stderr}`);
    assert.doesNotMatch(stdout + stderr, obeyed, JSON.stringify(line));
  }
});

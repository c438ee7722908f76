import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { hardware, makeImage, TestDevice, TestFleet } from "../fleet/test-fleet.ts";
import { type CommandRun, runCommand } from "./run-command.ts";

const adminToken = "admin-token";

async function listening(context: TestContext): Promise<{
  fleet: TestFleet;
  url: string;
  run(...line: string[]): Promise<CommandRun>;
  file(name: string, bytes: Uint8Array): string;
}> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-cli-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const fleet = await TestFleet.open(context, { adminToken });
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  return {
    fleet,
    url,
    run: (...line) => runCommand(...line, "--fleet", url, "--token", adminToken),
    file(name, bytes) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return path;
    },
  };
}

test("publishes an image, registers a device and brings the release to it", async (t) => {
  const { run, file } = await listening(t);
  const image = file("one.bin", (await makeImage({ version: "1.2.0" })).bytes);
  const published = await run("release", "publish", image);
  assert.equal(published.exitCode, exitCodes.ok, published.stderr);
  assert.match(published.stdout, /^RELEASE +HARDWARE/);
  assert.match(published.stderr, /one\.bin: published/);

  const added = await run("device", "add", "lamp-1", "--hardware", hardware);
  assert.match(added.stdout, /^[\w-]{32}\n$/);

  const created = await run("rollout", "create", "--release", "1.2.0", "--start", "--json");
  const rollout = JSON.parse(created.stdout);
  assert.equal(rollout.state, "running");
  assert.equal(rollout.eligible, 1);
  const shown = await run("rollout", "show", String(rollout.id));
  assert.match(shown.stdout, /^rollout 1 "1\.2\.0" of release 1\.2\.0: running, 1 devices\n/);

  const devices = await run("device", "list");
  assert.match(devices.stdout, /lamp-1 +esp32c3-b +- +/);
  const cancelled = await run("rollout", "cancel", String(rollout.id), "--json");
  assert.equal(JSON.parse(cancelled.stdout).state, "cancelled");
});

test("says why an image is refused, names its file, and fails", async (t) => {
  const { run, file } = await listening(t);
  const image = file("unsigned.bin", (await makeImage({ version: "1.0.0", signers: [] })).bytes);
  const refused = await run("release", "publish", image);
  assert.equal(refused.exitCode, exitCodes.server);
  assert.match(refused.stderr, /unsigned\.bin: unsigned: .*sluice release sign/);
  assert.equal(refused.stdout, "");
});

test("tells who publishes a folder, or gives the wrong half of a key, what to give instead", async (t) => {
  const { file } = await listening(t);
  const pair = createKeyPair();
  const privateFile = file("image.pem", Buffer.from(pair.privatePem));
  const publicFile = file("image-pub.pem", Buffer.from(pair.publicPem));
  const garbage = file("none.pem", Buffer.from("none"));
  const data = join(dirname(garbage), "fleet");
  const serve = ["fleet", "serve", "--port", "0", "--data", data];
  const sign = ["release", "sign", garbage, "--security-counter", "1", "--out", `${data}.bin`];
  for (const [line, exitCode, says] of [
    [["release", "publish", dirname(garbage)], exitCodes.input, /is a folder.*sluice release sign/],
    [
      [...serve, "--image-key", privateFile],
      exitCodes.usage,
      /image\.pem holds a private key.*keys public/,
    ],
    [
      [...serve, "--configuration-key", privateFile],
      exitCodes.usage,
      /--configuration-key .*private key/,
    ],
    [
      [...serve, "--image-key", garbage],
      exitCodes.usage,
      /none\.pem holds no key in PEM.*keys public/,
    ],
    [
      [...sign, "--version", "1.0.0", "--hardware", hardware, "--key", publicFile],
      exitCodes.input,
      /image-pub\.pem: it holds a public key; give the file of its private half/,
    ],
  ] as const) {
    const said = await runCommand(...line);
    assert.equal(said.exitCode, exitCode, `${line.join(" ")}: ${said.stderr}`);
    assert.match(said.stderr, says);
  }
});

test("names the file that it cannot read", async () => {
  const missing = await runCommand("release", "publish", "/nowhere/image.bin");
  assert.equal(missing.exitCode, exitCodes.input);
  assert.match(missing.stderr, /\/nowhere\/image\.bin/);
});

test("says what to do when no server answers, and when the token is wrong", async (t) => {
  const { url } = await listening(t);
  const silent = await runCommand("device", "list", "--fleet", "http://127.0.0.1:9");
  assert.equal(silent.exitCode, exitCodes.server);
  assert.match(silent.stderr, /sluice fleet serve/);
  const refused = await runCommand("device", "list", "--fleet", url, "--token", "wrong-token");
  assert.equal(refused.exitCode, exitCodes.server);
  assert.match(refused.stderr, /--token/);
});

test("keeps its tables within 80 columns, whatever a device sends", async (t) => {
  const { fleet, run } = await listening(t);
  const id = "a-device-with-a-name-of-the-greatest-length-that-is-allowed-64ch";
  await run(
    "device",
    "add",
    id,
    "--hardware",
    "esp32c3-with-a-long-revision.12",
    "--device-token",
    "device-token",
  );
  await fleet.inject({
    method: "GET",
    url: `/default/controller/v1/${id}`,
    headers: {
      host: "fleet.test",
      authorization: "TargetToken device-token",
      "sluice-running": `255.255.65535+4294967295;${"ab".repeat(32)};confirmed`,
    },
  });
  const { stdout } = await run("device", "list");
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
});

test("refuses flags that are no numbers, shares or stages, with what they take", async () => {
  const lines: ReadonlyArray<readonly [readonly string[], RegExp]> = [
    [["device", "list", "--limit", "501"], /--limit .*501.* whole number from 1 to 500/],
    [["rollout", "show", "one"], /'one' is invalid.* whole number from 1/],
    [["rollout", "create", "--release", "1.0.0", "--stages", "10,5"], /rising percents/],
    [["rollout", "create", "--release", "1.0.0", "--soak", "1 day"], /90s, 30m, 24h or 7d/],
    [["rollout", "create", "--release", "1.0.0", "--halt-share", "5"], /from 0 to 1/],
    [["rollout", "resume", "1", "--failed-share", "5"], /from 0 to 1/],
    [["fleet", "serve", "--data", "/tmp", "--slot", "esp32c3-b"], /HARDWARE=LAYOUT/],
    [["fleet", "serve", "--data", "/tmp", "--slot", "esp32c3-b=esp9"], /layout is "esp9"/],
    [["fleet", "serve", "--data", "/tmp", "--slot", "esp32c3-b=5000"], /5000 bytes at 0/],
    [["fleet", "serve", "--data", "/tmp", "--port", "70000"], /--port 70000/],
    [["device", "list", "--fleet", "nonsense"], /--fleet nonsense/],
  ];
  for (const [line, says] of lines) {
    const { exitCode, stderr } = await runCommand(...line);
    assert.equal(exitCode, exitCodes.usage, line.join(" "));
    assert.match(stderr, says);
  }
});

test("warns when a published release ends rolling back late", async (t) => {
  const { run, file } = await listening(t);
  const publish = async (version: string, securityCounter: number) => {
    const { bytes } = await makeImage({ version, securityCounter });
    return run("release", "publish", file(`${version}.bin`, bytes));
  };
  assert.doesNotMatch((await publish("1.0.0", 1)).stderr, /warning/);
  const raised = await publish("1.1.0", 2);
  assert.equal(raised.exitCode, exitCodes.ok);
  assert.match(raised.stderr, /^warning: .*1\.1\.0 has security counter 2.*can never go back/m);
});

test("an approved rollout takes another major version, and a cleared device gets it again", async (t) => {
  const { run, fleet } = await listening(t);
  const admin = { authorization: `Bearer ${adminToken}` };
  await runCommandOk(
    run("device", "add", "lamp-1", "--hardware", hardware, "--device-token", "token-of-the-lamp"),
  );
  const lamp = new TestDevice(fleet, "lamp-1", "token-of-the-lamp");
  lamp.runs("1.0.0", "0a".repeat(32));
  await lamp.poll();
  const { bytes, imageHash } = await makeImage({ version: "2.0.0" });
  const headers = { ...admin, "content-type": "application/octet-stream", host: "fleet.test" };
  await fleet.inject({ method: "POST", url: "/api/v1/releases/images", headers, payload: bytes });

  const create = ["rollout", "create", "--release", "2.0.0", "--start", "--stages", "100"];
  const refused = await run(...create);
  assert.equal(refused.exitCode, exitCodes.server);
  assert.match(refused.stderr, /no-eligible-devices: .*needs-approval/);
  await runCommandOk(run(...create, "--approve", "--halt-share", "1"));
  await lamp.rollsBack(
    { version: "2.0.0", imageHash },
    { version: "1.0.0", imageHash: "0a".repeat(32) },
  );
  assert.equal(await lamp.offered(), null);

  const vague = await run("release", "clear-rollback", "2.0.0");
  assert.equal(vague.exitCode, exitCodes.usage);
  const other = await run("release", "clear-rollback", "2.0.1", "--rollout", "1");
  assert.match(other.stderr, /rollout 1 is of 2\.0\.0, not of 2\.0\.1/);
  const cleared = await run("release", "clear-rollback", "2.0.0", "--rollout", "1");
  assert.equal(cleared.stdout, "lamp-1\n");
  assert.match(cleared.stderr, /1 device may be offered 2\.0\.0 again/);
  assert.notEqual(await lamp.offered(), null);
  const again = await run("release", "clear-rollback", "2.0.0", "--device", "lamp-1");
  assert.equal(again.exitCode, exitCodes.server);
  assert.match(again.stderr, /nothing-to-clear/);
  const none = await run("release", "clear-rollback", "2.0.0", "--rollout", "1", "--json");
  assert.deepEqual(JSON.parse(none.stdout), { release: "2.0.0", devices: [] });
});

test("a halt by failed devices goes on under a share that the command sets", async (t) => {
  const { run, fleet } = await listening(t);
  const { bytes } = await makeImage({ version: "1.1.0" });
  await fleet.inject({
    method: "POST",
    url: "/api/v1/releases/images",
    headers: {
      authorization: `Bearer ${adminToken}`,
      "content-type": "application/octet-stream",
      host: "fleet.test",
    },
    payload: bytes,
  });
  await runCommandOk(
    run("device", "add", "lamp-1", "--hardware", hardware, "--device-token", "token-of-the-lamp"),
  );
  const lamp = new TestDevice(fleet, "lamp-1", "token-of-the-lamp");
  lamp.runs("1.0.0", "0a".repeat(32));
  await lamp.poll();
  const stages = ["--stages", "100", "--failed-share", "0.3"];
  await runCommandOk(run("rollout", "create", "--release", "1.1.0", "--start", ...stages));
  const actionId = (await lamp.offered()) ?? 0;
  await lamp.feedback(actionId, "closed", "failure", ["state=failed", "reason=storage-failed"]);

  const halted = await run("rollout", "show", "1");
  assert.match(
    halted.stdout,
    /^stage 1: 1 of 1 failed, every device of the stage, over 30 %: halted$/m,
  );
  assert.match(
    halted.stdout,
    /sluice rollout resume 1 --failed-share SHARE\n {2}sluice rollout cancel 1/,
  );
  for (const flags of [[], ["--halt-share", "1"], ["--failed-share", "0.9"]]) {
    const refused = await run("rollout", "resume", "1", ...flags);
    assert.equal(refused.exitCode, exitCodes.server, flags.join(" "));
    assert.match(refused.stderr, /over-threshold: stage 1: 1 of 1 failed, .*: halted;/);
    assert.match(refused.stderr, /--failed-share/);
  }
  await runCommandOk(run("rollout", "resume", "1", "--failed-share", "1"));
  assert.match((await run("rollout", "show", "1")).stdout, /^rollout 1 .*: running/);
});

test("a policy is applied, shown, followed, and what it decided is told", async (t) => {
  const { run, fleet } = await listening(t);
  const { bytes } = await makeImage({ version: "1.1.0" });
  const headers = {
    authorization: `Bearer ${adminToken}`,
    "content-type": "application/octet-stream",
    host: "fleet.test",
  };
  await fleet.inject({ method: "POST", url: "/api/v1/releases/images", headers, payload: bytes });
  await runCommandOk(
    run("device", "add", "lamp-1", "--hardware", hardware, "--device-token", "token-of-the-lamp"),
  );
  const file = join(temporaryFolder(t), "careful.json");
  const shown = await run("policy", "show", "1-5-25-100");
  const preset = JSON.parse(shown.stdout);
  writeFileSync(file, JSON.stringify({ ...preset, name: "careful", description: "one by one" }));
  const applied = await run("policy", "apply", file);
  assert.equal(applied.stdout, "policy careful, version 1\n", applied.stderr);
  const list = (await run("policy", "list")).stdout;
  assert.match(list, /^emergency +1 +preset +1 %, 10 %, 100 %/m);
  assert.match(list, /^careful +1 +1 %, 5 %, 25 %, 100 % +one by one/m);
  const taken = await run("policy", "apply", file, "--name", "emergency");
  assert.match(taken.stderr, /preset: emergency is a preset/);
  const both = ["--policy", "careful", "--stages", "100"];
  const refused = await run("rollout", "create", "--release", "1.1.0", ...both);
  assert.equal(refused.exitCode, exitCodes.usage);
  await runCommandOk(
    run("rollout", "create", "--release", "1.1.0", "--policy", "careful", "--start"),
  );
  assert.match((await run("rollout", "show", "1")).stdout, /^stage 1 waits: 0 of 1 updated/m);
  const decisions = (await run("rollout", "decisions", "1")).stdout;
  assert.match(
    decisions,
    /created: 1 devices are eligible, stages of 1, 0, 0, 0, policy careful version 1/,
  );
  assert.match(decisions, /opened: started: stage 1 opens for 1 of 1 devices/);
});

async function runCommandOk(running: Promise<CommandRun>): Promise<void> {
  const { exitCode, stderr } = await running;
  assert.equal(exitCode, exitCodes.ok, stderr);
}

test("shows a confirmation that a power cut tore, and nothing of a whole one", async (t) => {
  const { run, fleet } = await listening(t);
  await runCommandOk(
    run("device", "add", "lamp-1", "--hardware", hardware, "--device-token", "token-of-the-lamp"),
  );
  const lamp = new TestDevice(fleet, "lamp-1", "token-of-the-lamp");
  for (const [confirmation, says] of [
    ["given", /^image .*\nconfig /m],
    ["torn", /^confirm +confirm-torn: the power was cut/m],
  ] as const) {
    const body = { mode: "merge", data: { hardware, confirmation } };
    assert.equal((await lamp.request("PUT", "configData", { body })).statusCode, 200);
    assert.match((await run("device", "show", "lamp-1")).stdout, says);
  }
});

test("shows what a device told of its updates, oldest first, without letting it paint the terminal", async (t) => {
  const { run, fleet } = await listening(t);
  await runCommandOk(
    run("device", "add", "lamp-1", "--hardware", hardware, "--device-token", "token-of-the-lamp"),
  );
  const nothing = await run("device", "events", "lamp-1");
  assert.match(nothing.stderr, /lamp-1 told of nothing yet/);
  const lamp = new TestDevice(fleet, "lamp-1", "token-of-the-lamp");
  const event = (id: string, details: object) => ({ id, type: "update.health.failed", details });
  const body = [
    { ...event("b-1", { reason: "memory", signalDbm: -70 }), unixMs: 1_800_000_000_000 },
    event("b-2", { reason: "\u001b[2J", batteryPercent: null }),
  ];
  assert.equal((await lamp.request("POST", "events", { body })).statusCode, 200);
  const { stdout } = await run("device", "events", "lamp-1");
  const [, first, second] = stdout.split("\n");
  assert.equal(first, "2027-01-15 08:00:00   update.health.failed  reason=memory signalDbm=-70");
  assert.match(second ?? "", /^20.*\? {2}update\.health\.failed {2}reason=\\u001b\[2J$/);
  const json = JSON.parse((await run("device", "events", "lamp-1", "--json")).stdout);
  assert.equal(json.items.length, 2);
  const unknown = await run("device", "events", "nobody");
  assert.match(unknown.stderr, /unknown-device/);
});

test("a time that no calendar has is not shown as one, whatever a device says of its own", async (t) => {
  const { run, fleet } = await listening(t);
  await runCommandOk(
    run("device", "add", "lamp-1", "--hardware", hardware, "--device-token", "token-of-the-lamp"),
  );
  const lamp = new TestDevice(fleet, "lamp-1", "token-of-the-lamp");
  const times = [-9e15, 9e15, -8.64e15, -1];
  const body = times.map((unixMs, index) => ({ id: `b-${index}`, type: "x", details: { unixMs } }));
  assert.equal((await lamp.request("POST", "events", { body })).statusCode, 200);
  const { stdout } = await run("device", "events", "lamp-1");
  const [, ...lines] = stdout.trimEnd().split("\n");
  const isReceived = lines.map((line) => /^20.*\? /.test(line));
  assert.deepEqual(isReceived, [true, true, false, false], stdout);
  assert.match(lines[3] ?? "", /^1969-12-31 23:59:59 /);
});

test("plans a rollout with windows from a file", async (t) => {
  const { run, file, fleet } = await listening(t);
  const admin = { authorization: `Bearer ${adminToken}` };
  await runCommandOk(run("device", "add", "lamp-1", "--hardware", hardware));
  const { bytes } = await makeImage({ version: "1.1.0" });
  await runCommandOk(run("release", "publish", file("one.bin", bytes)));
  const windows = new TextEncoder().encode(
    '{"install":[{"days":["sun"],"start":"02:00","minutes":120}]}',
  );
  const create = ["rollout", "create", "--release", "1.1.0", "--windows", file("w.json", windows)];
  const zoneless = await run(...create);
  assert.match(zoneless.stderr, /windows-invalid: timeZone of the windows is time-zone-missing/);
  await runCommandOk(run(...create, "--time-zone", "CET-1CEST,M3.5.0,M10.5.0/3"));
  const shown = await fleet.inject({ method: "GET", url: "/api/v1/rollouts/1", headers: admin });
  assert.equal(shown.json().definition.windows.timeZone, "CET-1CEST,M3.5.0,M10.5.0/3");
  const alone = await run("rollout", "create", "--release", "1.1.0", "--time-zone", "UTC0");
  assert.equal(alone.exitCode, exitCodes.usage);
});

import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../hosts/fleet/options.ts";
import { type Signer, SignerError } from "../../../hosts/release/keys/signer.ts";
import { addRelease } from "../../../hosts/release/trust/releases.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { signAll, signedImage, signedRepository } from "../../support/trust-repository.ts";
import { makeImage, TestFleet } from "./test-fleet.ts";
import { day, directorOf, get, nowUnixMs, online, publish, release } from "./trust/trust-scene.ts";

interface Scene {
  readonly folder: string;
  readonly databaseFile: string;
  readonly options: Partial<FleetOptions>;
  readonly fleet: TestFleet;
  /** Without metadata the files are not there. */
  readonly repository: Awaited<ReturnType<typeof signedRepository>>;
}

/** A server on the disk that serves devices whole. */
async function ready(t: TestContext, onlineSigner: Signer = online): Promise<Scene> {
  const folder = temporaryFolder(t);
  const databaseFile = join(folder, "fleet.sqlite");
  const trustFolder = join(folder, "trust");
  mkdirSync(trustFolder);
  const options: Partial<FleetOptions> = {
    databaseFile,
    artifactsFolder: join(folder, "artifacts"),
    trust: { folder: trustFolder, onlineSigner },
    readinessEveryMs: 0,
  };
  const fleet = await TestFleet.open(t, options);
  const repository = await signedRepository(temporaryFolder(t), nowUnixMs, [release]);
  await publish(fleet, repository);
  await fleet.server.tick();
  assert.deepEqual(await reasons(fleet), []);
  return { folder, databaseFile, options, fleet, repository };
}

async function reasons(fleet: TestFleet): Promise<string[]> {
  const probe = await fleet.inject({ method: "GET", url: "/ready", headers: { host: "10.0.0.9" } });
  const told = await fleet.api("GET", "/ready");
  assert.equal(probe.statusCode, told.ready ? 200 : 503);
  for (const { message } of told.problems) assert.ok(message.length > 20, message);
  const words = told.problems.map(({ reason }: { reason: string }) => reason);
  assert.deepEqual(probe.json(), { ready: told.ready, reasons: words });
  return words;
}

test("an audit log that cannot be written, or ends in garbage, is told before it is needed", async (t) => {
  const { fleet, folder } = await ready(t);
  const log = join(folder, "trust", "audit.jsonl");
  appendFileSync(log, "garbage\n");
  assert.deepEqual(await reasons(fleet), ["audit-log-failing"]);
  assert.equal((await fleet.api("GET", "/trust")).ready, false);
  rmSync(log);
  mkdirSync(log);
  assert.deepEqual(await reasons(fleet), ["audit-log-failing"]);
  rmSync(log, { recursive: true });
  assert.deepEqual(await reasons(fleet), []);
});

test("whatever keeps the next use of a key out of the log is told before it is needed", async (t) => {
  const { fleet, folder } = await ready(t);
  const trustFolder = join(folder, "trust");
  const log = join(trustFolder, "audit.jsonl");
  const whole = readFileSync(log, "utf8");
  const last = whole.trimEnd().split("\n").at(-1) ?? "";
  for (const end of ["garbage", `${last}\n`]) {
    writeFileSync(log, whole + end);
    assert.deepEqual(await reasons(fleet), ["audit-log-failing"], end.slice(0, 20));
  }
  // What a power cut leaves is replaced by the next entry.
  writeFileSync(log, whole + last.slice(0, 40));
  assert.deepEqual(await reasons(fleet), []);
  renameSync(trustFolder, `${trustFolder}.moved`);
  assert.deepEqual(await reasons(fleet), ["audit-log-failing"]);
  renameSync(`${trustFolder}.moved`, trustFolder);
  assert.deepEqual(await reasons(fleet), []);
});

test("metadata that has expired is told, whatever role it is of", async (t) => {
  const { fleet } = await ready(t);
  fleet.nowUnixMs += 4000 * day;
  const words = await reasons(fleet);
  assert.ok(words.includes("metadata-expired"), String(words));
  assert.equal((await fleet.api("GET", "/trust")).ready, false);
});

test("a signer that fails is told until it signs again, and devices are asked to come again", async (t) => {
  let isBroken = false;
  const signer: Signer = {
    ...online,
    async sign(digest) {
      if (isBroken) throw new SignerError("unavailable", "the key service does not answer; ask it");
      return online.sign(digest);
    },
  };
  const { fleet } = await ready(t, signer);
  const device = await fleet.addDevice("lamp", release.hardware);
  isBroken = true;
  const question = `director?nonce=${"0".repeat(32)}`;
  const answer = await device.request("GET", question);
  assert.equal(answer.statusCode, 503, answer.body);
  assert.ok(answer.headers["retry-after"]);
  assert.deepEqual(await reasons(fleet), ["signer-failing"]);
  isBroken = false;
  await directorOf(fleet, device);
  assert.deepEqual(await reasons(fleet), []);
  isBroken = true;
  fleet.nowUnixMs += 5 * day;
  await assert.rejects(fleet.server.tick(), /key service/);
  assert.ok((await reasons(fleet)).includes("signer-failing"));
});

test("a published file that is missing, cut off or damaged is told, and not begun to be served", async (t) => {
  const { fleet, folder } = await ready(t);
  await fleet.publish({ version: "2.0.0" });
  const device = await fleet.addDevice("lamp");
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "2.0.0", start: true });
  const { deploymentBase = "" } = await device.poll();
  const offer = (await device.request("GET", deploymentBase)).body;
  const path = new URL(/"(http:\/\/[^"]+\.bin)"/.exec(offer)?.[1] ?? "").pathname;
  assert.deepEqual(await reasons(fleet), []);
  const artifacts = join(folder, "artifacts");
  const files = readdirSync(artifacts, { recursive: true, withFileTypes: true });
  const paths = files.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  for (const file of paths) {
    const damaged = readFileSync(file).map((byte) => byte ^ 1);
    rmSync(file);
    writeFileSync(file, damaged);
  }
  assert.deepEqual(await reasons(fleet), ["artifact-missing"], "of the right length");
  for (const file of paths) writeFileSync(file, "cut");
  assert.deepEqual(await reasons(fleet), ["artifact-missing"]);
  assert.equal((await device.request("GET", path)).statusCode, 503);
  rmSync(artifacts, { recursive: true });
  assert.equal((await device.request("GET", path)).statusCode, 503);
  assert.deepEqual(await reasons(fleet), ["artifact-missing"]);
});

test("no rollout is planned or started whose file is missing, until it is published again", async (t) => {
  const { fleet, folder } = await ready(t);
  const device = await fleet.addDevice("lamp");
  const { bytes } = await makeImage({ version: "2.0.0" });
  await fleet.publishBytes(bytes);
  const wanted = { name: "r", releaseVersion: "2.0.0" };
  const { id } = await fleet.api("POST", "/rollouts", wanted);
  rmSync(join(folder, "artifacts"), { recursive: true });
  const ask = (path: string, payload: object) =>
    fleet.inject({ method: "POST", url: `/api/v1${path}`, payload });
  for (const answer of [
    await ask("/rollouts", { ...wanted, beside: true }),
    await ask(`/rollouts/${id}/start`, {}),
  ]) {
    assert.equal(answer.statusCode, 503, answer.body);
    assert.equal(answer.json().error, "artifact-missing");
    assert.match(answer.json().message, /missing.*publish it again/);
  }
  assert.equal(await device.offered(), null);
  await fleet.publishBytes(bytes);
  await fleet.api("POST", `/rollouts/${id}/start`);
  assert.notEqual(await device.offered(), null);
});

test("the file of a rollout that is finished or halted is looked for: it has devices to serve still", async (t) => {
  const { fleet, folder } = await ready(t);
  const imageHash = await fleet.publish({ version: "2.0.0" });
  const device = await fleet.addDevice("lamp");
  const stages = [{ percent: 100, soakSeconds: 0 }];
  const wanted = { name: "r", releaseVersion: "2.0.0", start: true, stages };
  await fleet.api("POST", "/rollouts", wanted);
  await device.updates("2.0.0", imageHash);
  await fleet.server.tick();
  const { images } = await fleet.api("GET", "/releases/2.0.0");
  const files = readdirSync(join(folder, "artifacts"), { recursive: true, encoding: "utf8" });
  const ours = files.filter((file) => file.endsWith(images[0].fileHash));
  assert.equal(ours.length, 1, files.join(" "));
  for (const file of ours) rmSync(join(folder, "artifacts", file));
  const stateNow = async (): Promise<string> => (await fleet.api("GET", "/rollouts/1")).state;
  assert.equal(await stateNow(), "finished");
  assert.deepEqual(await reasons(fleet), ["artifact-missing"]);
  device.runs("1.0.0", "a".repeat(64));
  await device.poll();
  assert.equal(await stateNow(), "halted");
  assert.deepEqual(await reasons(fleet), ["artifact-missing"]);
  await fleet.api("POST", "/rollouts/1/cancel");
  assert.deepEqual(await reasons(fleet), []);
});

test("a database that cannot be written is told, and passes with the next tick after it can", async (t) => {
  const { fleet, databaseFile } = await ready(t);
  const other = new DatabaseSync(databaseFile);
  t.after(() => other.close());
  other.exec("begin immediate");
  const payload = { id: "lamp", hardware: "esp32c3-b" };
  const refused = await fleet.inject({ method: "POST", url: "/api/v1/devices", payload });
  assert.equal(refused.statusCode, 503);
  assert.deepEqual(await reasons(fleet), ["database-locked"]);
  other.exec("rollback");
  await fleet.server.tick();
  assert.deepEqual(await reasons(fleet), []);
});

test("a folder of files that cannot be written is told", async (t) => {
  const { fleet, folder } = await ready(t);
  rmSync(join(folder, "artifacts"), { recursive: true });
  writeFileSync(join(folder, "artifacts"), "a file in its place");
  assert.deepEqual(await reasons(fleet), ["storage-failing", "artifact-missing"]);
  const { message } = (await fleet.api("GET", "/ready")).problems[0];
  const place = join(folder, "artifacts");
  assert.equal(message, `cannot use ${place}: something else is in its place; move that away`);
});

test("versions and ids go past what was served before a backup came back", async (t) => {
  const { fleet, databaseFile, options, repository } = await ready(t);
  await fleet.publish({ version: "2.0.0" });
  const device = await fleet.addDevice("lamp");
  await fleet.addDevice("fan");
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "2.0.0", start: true });
  const before = await device.offered();
  assert.ok(before);
  const newest = async (of: TestFleet): Promise<number> =>
    (await of.api("GET", "/events?limit=500")).items.at(-1).id;
  const versions = async (of: TestFleet): Promise<number[]> => {
    const { roles } = await of.api("GET", "/trust");
    return ["snapshot", "timestamp"].map(
      (name) => roles.find(({ role }: { role: string }) => role === name).version,
    );
  };
  const [eventBefore, versionsBefore] = [await newest(fleet), await versions(fleet)];
  await fleet.server.close();
  // A backup of the time before knows nothing of an hour in which as much again was served.
  const restored = await TestFleet.open(t, options, 3600);
  await restored.server.tick();
  const after = await device.on(restored).request("GET", `/DEFAULT/controller/v1/fan`);
  assert.equal(after.statusCode, 401);
  await restored.publish({ version: "3.0.0" });
  const fan = await restored.addDevice("new-fan");
  await restored.api("POST", "/rollouts", { name: "s", releaseVersion: "3.0.0", start: true });
  const offered = await fan.offered();
  assert.ok(offered && offered > before + 3600, `action ${offered} after ${before}`);
  assert.ok((await newest(restored)) > eventBefore + 3600);
  const versionsAfter = await versions(restored);
  for (const [index, version] of versionsAfter.entries())
    assert.ok(version >= (versionsBefore[index] ?? 0) + 3600, `${version}`);
  assert.equal((await get(restored, "timestamp.json")).json().signed.version, versionsAfter[1]);
  assert.ok(repository.root);
  assert.ok(databaseFile);
});

test("metadata of a backup that is older than the database is told until it is published again", async (t) => {
  const { fleet, folder, options, repository } = await ready(t);
  cpSync(join(folder, "trust"), join(folder, "backup"), { recursive: true });
  const images = [await signedImage("1.2.0", release.hardware)];
  assert.ok(addRelease(repository, { images, evidence: [], energy: null, now: nowUnixMs }).ok);
  await signAll(repository);
  await publish(fleet, repository);
  await fleet.server.close();
  rmSync(join(folder, "trust"), { recursive: true });
  cpSync(join(folder, "backup"), join(folder, "trust"), { recursive: true });
  const restored = await TestFleet.open(t, options, 3600);
  assert.deepEqual(await reasons(restored), ["metadata-older"]);
  const { problems } = await restored.api("GET", "/ready");
  assert.match(problems[0].message, /older than the database.* and not \d+.*sluice trust publish/);
  await publish(restored, repository);
  assert.deepEqual(await reasons(restored), []);
});

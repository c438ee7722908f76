import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { makeImage, type TestDevice, TestFleet } from "../../test-fleet.ts";

async function offeredFile(context: TestContext): Promise<{
  fleet: TestFleet;
  device: TestDevice;
  path: string;
  bytes: Buffer;
}> {
  const fleet = await TestFleet.open(context);
  const device = await fleet.addDevice("lamp");
  const { bytes } = await makeImage({ version: "1.0.0", payloadBytes: 150_000 });
  await fleet.publishBytes(bytes);
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.0.0", start: true });
  const { deploymentBase = "" } = await device.poll();
  const { deployment } = (await device.request("GET", deploymentBase)).json();
  const { href } = deployment.chunks[0].artifacts[0]._links.download;
  return { fleet, device, path: new URL(href).pathname, bytes };
}

test("names the facts of the image in the deployment", async (t) => {
  const { device, bytes } = await offeredFile(t);
  const { deploymentBase = "" } = await device.poll();
  const { id, deployment } = (await device.request("GET", deploymentBase)).json();
  assert.equal(id, "1");
  const [chunk, ...others] = deployment.chunks;
  assert.deepEqual(others, []);
  assert.deepEqual([chunk.part, chunk.version], ["bApp", "1.0.0"]);
  const { imageHash } = await makeImage({ version: "1.0.0", payloadBytes: 150_000 });
  assert.deepEqual(chunk.metadata, [
    { key: "sluice-image-hash", value: imageHash },
    { key: "sluice-version", value: "1.0.0" },
    { key: "sluice-hardware", value: "esp32c3-b" },
    { key: "sluice-security-counter", value: "1" },
    { key: "sluice-build-id", value: "010203" },
  ]);
  const [artifact] = chunk.artifacts;
  const digest = (name: string) => createHash(name).update(bytes).digest("hex");
  assert.deepEqual(artifact.hashes, {
    sha1: digest("sha1"),
    md5: digest("md5"),
    sha256: digest("sha256"),
  });
  assert.equal(artifact.size, bytes.length);
});

test("serves the whole file, its parts and its ends", async (t) => {
  const { device, path, bytes } = await offeredFile(t);
  const get = (range: string) => device.request("GET", path, { headers: { range } });
  const whole = await device.request("GET", path);
  assert.equal(whole.statusCode, 200);
  assert.ok(whole.rawPayload.equals(bytes));
  const resumed = await get("bytes=65536-");
  assert.equal(resumed.statusCode, 206);
  assert.ok(resumed.rawPayload.equals(bytes.subarray(65536)));
  assert.equal(resumed.headers["content-length"], String(bytes.length - 65536));
  const end = await get("bytes=-7");
  assert.ok(end.rawPayload.equals(bytes.subarray(-7)));
  const past = await get(`bytes=${bytes.length}-`);
  assert.deepEqual(
    [past.statusCode, past.headers["content-range"]],
    [416, `bytes */${bytes.length}`],
  );
});

test("serves several parts with their own heads and one length", async (t) => {
  const { device, path, bytes } = await offeredFile(t);
  const answer = await device.request("GET", path, { headers: { range: "bytes=0-3,100-102" } });
  assert.equal(answer.statusCode, 206);
  assert.equal(answer.headers["content-length"], String(answer.rawPayload.length));
  const boundary = /boundary=(\S+)/.exec(String(answer.headers["content-type"]))?.[1];
  const head = (range: string) =>
    `--${boundary}\r\nContent-Type: application/octet-stream\r\n` +
    `Content-Range: bytes ${range}/${bytes.length}\r\n\r\n`;
  const expected = Buffer.concat([
    Buffer.from(head("0-3")),
    bytes.subarray(0, 4),
    Buffer.from(`\r\n${head("100-102")}`),
    bytes.subarray(100, 103),
    Buffer.from(`\r\n--${boundary}--`),
  ]);
  assert.ok(answer.rawPayload.equals(expected));
});

test("gives a range only of the file that the client began with", async (t) => {
  const { device, path, bytes } = await offeredFile(t);
  const sha1 = createHash("sha1").update(bytes).digest("hex");
  const status = async (headers: Record<string, string>) =>
    (await device.request("GET", path, { headers: { range: "bytes=0-9", ...headers } })).statusCode;
  assert.equal(await status({ "if-range": `"${sha1}"` }), 206);
  assert.equal(await status({ "if-range": '"another"' }), 200);
  assert.equal(await status({ "if-range": "Sat, 21 Nov 2026 07:16:43 GMT" }), 200);
  assert.equal(await status({ "if-match": '"another"' }), 412);
  assert.equal(await status({ "if-match": `"another", "${sha1}"` }), 206);
  assert.equal(await status({ "if-match": "*" }), 206);
});

test("answers HEAD with the length and no body", async (t) => {
  const { device, path, bytes } = await offeredFile(t);
  const answer = await device.request("HEAD", path);
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers["content-length"], String(bytes.length));
  assert.equal(answer.rawPayload.length, 0);
});

test("keeps a file from devices that it is not for, and from this one once it is done", async (t) => {
  const { fleet, device, path } = await offeredFile(t);
  const stranger = await fleet.addDevice("stranger", "esp32c3-a");
  const strange = await stranger.request("GET", path.replace("/lamp/", "/stranger/"));
  assert.equal(strange.statusCode, 404);
  assert.equal((await stranger.request("GET", path)).statusCode, 401);
  await device.feedback((await device.offered()) ?? 0, "closed", "success");
  assert.equal((await device.request("GET", path)).statusCode, 404);
});

test("takes a download for the beginning of the update", async (t) => {
  const { fleet, device, path } = await offeredFile(t);
  await device.request("HEAD", path);
  assert.equal((await fleet.api("GET", "/devices/lamp")).state, "offered");
  await device.request("GET", path, { headers: { range: "bytes=0-9" } });
  assert.equal((await fleet.api("GET", "/devices/lamp")).state, "downloading");
});

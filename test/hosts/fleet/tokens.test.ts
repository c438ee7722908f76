import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { AttemptGuard } from "../../../hosts/fleet/access/attempts.ts";
import { TokenKey, tokenSha256 } from "../../../hosts/fleet/access/tokens.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { hardware, TestFleet } from "./test-fleet.ts";

test("a database alone tells no token, and the files are for their owner alone", async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile: file });
  const device = await fleet.addDevice("lamp");
  await device.poll();
  for (const name of ["fleet.sqlite", "fleet.sqlite-wal", "fleet.sqlite-shm", "fleet.token-key"])
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  await fleet.server.close();
  const bytes = readFileSync(file);
  assert.equal(bytes.includes(device.token), false);
  assert.equal(bytes.includes(tokenSha256(device.token)), false);
});

test("takes tokens of before, and keeps them in the new way from their next use on", async (t) => {
  const file = join(temporaryFolder(t), "fleet.sqlite");
  const first = await TestFleet.open(t, { databaseFile: file });
  const device = await first.addDevice("lamp");
  await first.server.close();
  const database = new DatabaseSync(file);
  database
    .prepare("update devices set token_mac = null, token_sha256 = ?")
    .run(tokenSha256(device.token));
  const second = await TestFleet.open(t, { databaseFile: file });
  const wrong = { authorization: `TargetToken ${"x".repeat(32)}` };
  const same = device.on(second);
  assert.equal((await same.request("GET", "", { headers: wrong })).statusCode, 401);
  await same.poll();
  const row = database.prepare("select token_sha256, token_mac from devices").get();
  database.close();
  assert.equal(row?.["token_sha256"], null);
  assert.match(String(row?.["token_mac"]), /^[0-9a-f]{64}$/);
  await same.poll();
});

test("the MAC of a token is the HMAC-SHA-256 that everybody knows", () => {
  const key = randomBytes(32);
  for (const token of ["", "a-token-of-a-device", "ü".repeat(60)]) {
    const expected = createHmac("sha256", key).update(token).digest("hex");
    assert.equal(new TokenKey(key).mac(token), expected);
  }
});

test("does not start with a key that is missing or damaged", async (t) => {
  const folder = temporaryFolder(t);
  const databaseFile = join(folder, "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile });
  await fleet.addDevice("lamp");
  await fleet.server.close();
  const key = join(folder, "fleet.token-key");
  writeFileSync(key, "abc");
  await assert.rejects(TestFleet.open(t, { databaseFile }), /is no key of 32 bytes/);
  rmSync(key);
  await assert.rejects(TestFleet.open(t, { databaseFile }), /token-key is missing/);
});

for (const token of ["12345678", "short-token", "aaaaaaaaaaaaaaaaaaaaaaaa"])
  test(`refuses the new token "${token}", which can be guessed`, async (t) => {
    const fleet = await TestFleet.open(t);
    const payload = { id: "lamp", hardware, token };
    const answer = await fleet.inject({ method: "POST", url: "/api/v1/devices", payload });
    assert.equal(answer.statusCode, 400, answer.body);
    assert.equal(answer.json().error, "weak-token");
  });

test("slows wrong admin tokens, notes them, and lets the right one in after the pause", async (t) => {
  const fleet = await TestFleet.open(t, { adminToken: "the-admin-token-of-it" });
  const ask = (token: string) =>
    fleet.inject({
      method: "GET",
      url: "/api/v1/events?limit=500",
      headers: { host: "fleet.test", authorization: `Bearer ${token}` },
    });
  const codes: number[] = [];
  for (let tries = 0; tries < 12; tries += 1) codes.push((await ask(`wrong-${tries}`)).statusCode);
  assert.deepEqual(codes.slice(0, 5), [401, 401, 401, 401, 401]);
  assert.ok(codes.slice(5).every((code) => code === 429));
  const paused = await ask("wrong");
  const pauseSeconds = Number(paused.headers["retry-after"]);
  assert.equal(pauseSeconds, 1);
  assert.equal((await ask("the-admin-token-of-it")).statusCode, 429);
  await fleet.wait(pauseSeconds);
  const { items } = (await ask("the-admin-token-of-it")).json();
  const noted = items.filter(({ kind }: { kind: string }) => kind === "admin-token-refused");
  assert.deepEqual(
    noted.map(({ details }: { details: { failures: number } }) => details.failures),
    [1, 2, 4],
  );
});

test("slows wrong tokens of one device, and no other device behind the same address", async (t) => {
  const fleet = await TestFleet.open(t);
  const [lamp, fan] = await fleet.addDevices(2);
  assert.ok(lamp && fan);
  const wrong = { headers: { authorization: `TargetToken ${"x".repeat(32)}` } };
  const codes: number[] = [];
  for (let tries = 0; tries < 7; tries += 1)
    codes.push((await lamp.request("GET", "", wrong)).statusCode);
  assert.deepEqual(codes, [401, 401, 401, 401, 401, 429, 429]);
  await fan.poll();
});

test("pauses double up to a bound, and end when nobody guesses any more", () => {
  let nowMs = 0;
  const guard = new AttemptGuard(() => nowMs);
  const fail = (address: string): number => guard.fail("admin", address).failures;
  for (let tries = 0; tries < 40; tries += 1) fail("10.0.0.1");
  assert.equal(guard.pauseSeconds("admin", "10.0.0.1"), 30);
  assert.equal(guard.pauseSeconds("admin", "10.0.0.2"), 0);
  nowMs += 30_000;
  assert.equal(guard.pauseSeconds("admin", "10.0.0.1"), 0);
  nowMs += 11 * 60_000;
  assert.equal(fail("10.0.0.1"), 1);
  for (let tries = 0; tries < 5; tries += 1) fail(`2001:db8::${tries + 1}`);
  assert.ok(guard.pauseSeconds("admin", "2001:db8:0:0:9::1") > 0, "the same /64");
  assert.equal(guard.pauseSeconds("admin", "2001:db8:0:1::1"), 0);
});

test("what is kept of guesses, and what is told of them, is bounded", () => {
  const guard = new AttemptGuard(() => 0);
  let noted = 0;
  for (let at = 0; at < 50_000; at += 1)
    if (guard.fail("admin", `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`).isNoted) noted += 1;
  assert.equal(noted, 200);
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RealFleet, until } from "../../../hosts/moddable/real-fleet.ts";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { hangMs } from "../../support/patience.ts";
import { certificate, servedToDevices } from "../../support/tls.ts";

const waitSeconds = hangMs / 1000;

async function secureFleet(t: TestContext): Promise<RealFleet> {
  const directory = mkdtempSync(join(tmpdir(), "real-fleet-"));
  const { publicPem } = createKeyPair();
  const fleet = await RealFleet.start(directory, publicPem, servedToDevices(certificate()));
  t.after(async () => {
    await fleet.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return fleet;
}

/** Says this to the server, and goes once something came back or the server closed. */
async function say(fleet: RealFleet, words: Uint8Array | string): Promise<void> {
  const socket = connect(Number(new URL(fleet.url).port), "127.0.0.1");
  socket.on("error", () => {}); // a reset is an end too
  await once(socket, "connect");
  socket.write(words);
  await Promise.race([once(socket, "data"), once(socket, "close")]);
  socket.destroy();
}

/** ClientHello for TLS 1.2 with the suite and curve of a device. */
const hello = Uint8Array.of(
  ...[22, 3, 1, 0, 69, 1, 0, 0, 65, 3, 3, ...new Uint8Array(32).fill(7), 0],
  ...[0, 2, 0xc0, 0x2b, 1, 0, 0, 22, 0, 10, 0, 4, 0, 2, 0, 23],
  ...[0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3],
);

test("counts a handshake that a device left, by a restart say, as refused by nobody", async (t) => {
  const fleet = await secureFleet(t);
  await say(fleet, hello);
  await until("the end of the handshake", waitSeconds, () => fleet.cutHandshakes === 1);
  assert.deepEqual(fleet.refusedHandshakes, []);
});

test("tells a handshake that is none", async (t) => {
  const fleet = await secureFleet(t);
  await say(fleet, "GET / HTTP/1.1\r\n\r\n");
  await until("the refusal", waitSeconds, () => fleet.refusedHandshakes.length === 1);
  assert.equal(fleet.cutHandshakes, 0);
});

test("waits longer than its limit for what makes progress, and not for what is silent", async () => {
  let looks = 0;
  const isThird = (): boolean => {
    looks += 1;
    return looks === 3;
  };
  await until("the third look", 0.15, isThird, () => looks);
  await assert.rejects(
    until("what never comes", 0.15, () => false),
    /waited 0.15 s for: what never comes/,
  );
});

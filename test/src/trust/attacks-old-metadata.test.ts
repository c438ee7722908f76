import assert from "node:assert/strict";
import { test } from "node:test";
import type { Signer } from "../../../hosts/release/keys/signer.ts";
import { AttackedFleet, forged, hardware, keys, withBody } from "../../support/attacked-fleet.ts";
import type { Loose } from "../../support/tuf-repository.ts";

// What somebody can do with old files and files of other roles, partly with the stolen online key.
// Each attack ends with the old image running and its reason at the server.
const stolen: readonly Signer[] = keys.online;
/** Timestamps that are good for an hour and a half. */
const lifeDays = { root: 365, targets: 180, snapshot: 7, timestamp: 1 / 16 };
const hour = 3_600_000;
const releases = `${hardware}.json`;

const kept = (reason: string): string => `1.1.0 failed trust-${reason}`;
const held = (reason: string): string => `1.0.0 failed trust-${reason}`;

/** A device that took 1.1.0 honestly; 1.2.0 is signed, published, and about to be offered. */
async function updated(context: Parameters<typeof AttackedFleet.start>[0]): Promise<AttackedFleet> {
  const fleet = await AttackedFleet.start(context, { lifeDays });
  await fleet.offer();
  assert.equal(await fleet.outcome(), "1.1.0 updated");
  await fleet.sign({ version: "1.2.0" });
  return fleet;
}

/** The same after 1.2.0, with 1.3.0 before it, and the timestamp from before 1.2.0. */
async function updatedTwice(
  context: Parameters<typeof AttackedFleet.start>[0],
): Promise<{ readonly fleet: AttackedFleet; readonly old: Uint8Array }> {
  const fleet = await updated(context);
  const old = await fleet.file("timestamp.json");
  await fleet.publish({ version: "1.2.0" });
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), "1.2.0 updated");
  await fleet.sign({ version: "1.3.0" });
  await fleet.publish({ version: "1.3.0" });
  return { fleet, old };
}

test("rollback: the timestamp from before the last update", async (context) => {
  const { fleet, old } = await updatedTwice(context);
  fleet.falsify = (asked, answer) => (asked === "timestamp.json" ? withBody(answer, old) : answer);
  await fleet.offer("1.3.0");
  assert.equal(await fleet.outcome(), "1.2.0 failed trust-version-rollback");
});

test("rollback: a new timestamp over the snapshot from before the last update", async (context) => {
  const { fleet } = await updatedTwice(context);
  const back = (signed: Loose): void => {
    signed.version += 1;
    signed.meta["snapshot.json"].version = 1;
  };
  fleet.falsify = async (asked, answer) =>
    asked === "timestamp.json" ? forged(answer, back, stolen) : answer;
  await fleet.offer("1.3.0");
  assert.equal(await fleet.outcome(), "1.2.0 failed trust-version-rollback");
});

/** The stolen online key signs the next snapshot after `change`. */
function resigned(fleet: AttackedFleet, change: (meta: Loose) => void): void {
  const again = ({ meta }: Loose): void => change(meta);
  fleet.falsify = async (asked, answer) =>
    asked === "snapshot.json" ? forged(answer, again, stolen) : answer;
}

for (const [name, file] of [
  ["targets", "targets.json"],
  ["releases", releases],
] as const) {
  test(`rollback: a new snapshot that lists the ${name} of last week`, async (context) => {
    const fleet = await updated(context);
    await fleet.publish({ version: "1.2.0" });
    resigned(fleet, (meta) => {
      meta[file].version = 1;
    });
    await fleet.offer("1.2.0");
    assert.equal(await fleet.outcome(), kept("version-rollback"));
  });

  test(`rollback: a new snapshot that lists no ${name} any more`, async (context) => {
    const fleet = await updated(context);
    await fleet.publish({ version: "1.2.0" });
    resigned(fleet, (meta) => delete meta[file]);
    await fleet.offer("1.2.0");
    assert.equal(await fleet.outcome(), kept("role-removed"));
  });
}

test("rollback: the first root under the next number", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const first = await fleet.file("1.root.json");
  fleet.falsify = (asked, answer) => (asked === "2.root.json" ? withBody(answer, first) : answer);
  await fleet.offer();
  assert.equal(await fleet.outcome(), held("version-mismatch"));
});

test("rollback: a director document with a lower version than before", async (context) => {
  const fleet = await updated(context);
  await fleet.publish({ version: "1.2.0" });
  const lower = (signed: Loose): void => {
    signed.version = 1;
  };
  fleet.falsify = async (asked, answer) =>
    asked === "director" ? forged(answer, lower, stolen) : answer;
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), kept("director-rollback"));
});

test("freeze: the timestamp of today, for another two hours", async (context) => {
  const fleet = await updated(context);
  await fleet.publish({ version: "1.2.0" });
  const today = await fleet.file("timestamp.json");
  fleet.falsify = (asked, answer) =>
    asked === "timestamp.json" ? withBody(answer, today) : answer;
  await fleet.sleep(2 * hour);
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), kept("expired"));
});

test("freeze: no newer root, until the one that is known has expired", async (context) => {
  const fleet = await AttackedFleet.start(context, { lifeDays: { ...lifeDays, root: 1 / 16 } });
  fleet.falsify = (asked, answer) =>
    asked.endsWith(".root.json") ? { ...answer, status: 404 } : answer;
  await fleet.sleep(2 * hour);
  await fleet.offer();
  assert.equal(await fleet.outcome(), held("expired"));
});

test("mix-and-match: new metadata with the releases of last week", async (context) => {
  const fleet = await updated(context);
  const old = await fleet.file(`2.${releases}`);
  await fleet.publish({ version: "1.2.0" });
  fleet.falsify = (asked, answer) => (asked === `3.${releases}` ? withBody(answer, old) : answer);
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), kept("version-mismatch"));
});

test("mix-and-match: one role's file in the place of another's", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const timestamp = await fleet.file("timestamp.json");
  fleet.falsify = (asked, answer) =>
    asked === "snapshot.json" ? withBody(answer, timestamp) : answer;
  await fleet.offer();
  assert.equal(await fleet.outcome(), held("wrong-type"));
});

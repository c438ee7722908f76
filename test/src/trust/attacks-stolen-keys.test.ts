import assert from "node:assert/strict";
import { test } from "node:test";
import { type Signer, sha256, tufKey } from "../../../hosts/release/keys/signer.ts";
import {
  AttackedFleet,
  deviceId,
  forged,
  hardware,
  keys,
  testImage,
  withBody,
} from "../../support/attacked-fleet.ts";
import { metadataSigner } from "../../support/trust-repository.ts";
import type { Loose } from "../../support/tuf-repository.ts";

// What somebody can do who has the server, its network, or its keys. Each attack ends with the old
// image running and its reason at the server.
const stolen: readonly Signer[] = keys.online;
const stranger = metadataSigner(99);
const hour = 3_600_000;

const honest = (reason: string) => `1.0.0 failed ${reason}`;

test("an honest server updates the device, which asks for trust before the image", async (context) => {
  const fleet = await AttackedFleet.start(context);
  await fleet.offer();
  assert.equal(await fleet.outcome(), "1.1.0 updated");
  assert.deepEqual(fleet.asked.slice(0, 3), ["2.root.json", "director", "timestamp.json"]);
});

/** The stolen key assigns that file under that name. */
function assigning(fleet: AttackedFleet, name: string, bytes: Uint8Array, counter = 1): void {
  const hashes = { sha256: sha256(bytes).toString("hex") };
  const target = { name, length: bytes.length, hashes, counter };
  fleet.falsify = async (file, answer) =>
    file === "director"
      ? forged(answer, (signed) => Object.assign(signed, { target }), stolen)
      : answer;
}

test("arbitrary image: the server offers one that the offline keys never saw", async (context) => {
  const fleet = await AttackedFleet.start(context);
  await fleet.client.postBytes("/releases/images", await testImage({ version: "1.2.0" }));
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), honest("trust-nothing-assigned"));
});

test("arbitrary image: the stolen director names it too", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const bytes = await testImage({ version: "1.2.0" });
  fleet.offered = bytes;
  assigning(fleet, `${hardware}/1.2.0.img`, bytes);
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-target-not-found"));
});

test("arbitrary image: the stolen director gives it the name of a signed one", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const bytes = await testImage({ version: "1.2.0" });
  fleet.offered = bytes;
  assigning(fleet, `${hardware}/1.1.0.img`, bytes);
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-assignment-mismatch"));
});

for (const [file, name] of [
  ["director", "the director document"],
  ["timestamp.json", "the timestamp"],
  ["snapshot.json", "the snapshot"],
  ["2.targets.json", "the targets"],
  ["2.esp32c3-a.json", "the releases"],
] as const)
  test(`wrong key: ${name} by a key that nobody named`, async (context) => {
    const fleet = await AttackedFleet.start(context);
    fleet.falsify = async (asked, answer) =>
      asked === file ? forged(answer, () => {}, [stranger]) : answer;
    await fleet.offer();
    assert.equal(await fleet.outcome(), honest("trust-too-few-signatures"));
  });

for (const file of ["director", "snapshot.json"])
  test(`one stolen online key: one that may sign timestamps only signs no ${file}`, async (context) => {
    const clock = metadataSigner(32);
    const fleet = await AttackedFleet.start(context, {
      root: (signed) => {
        signed.keys[clock.keyId] = tufKey(clock.publicKey);
        const { timestamp } = signed.roles;
        signed.roles.timestamp = { ...timestamp, keyids: [...timestamp.keyids, clock.keyId] };
      },
    });
    fleet.falsify = async (asked, answer) => {
      const later = (signed: Loose): void => {
        signed.version += 1;
      };
      if (asked === "timestamp.json") return forged(answer, later, [clock]);
      return asked === file ? forged(answer, () => {}, [clock]) : answer;
    };
    await fleet.offer();
    assert.equal(await fleet.outcome(), honest("trust-too-few-signatures"));
    assert.ok(fleet.asked.some((asked) => asked.endsWith(file)));
  });

test("all online keys stolen: targets of the attacker's own are signed by nobody", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const bytes = await testImage({ version: "1.2.0" });
  fleet.offered = bytes;
  const file = { length: bytes.length, hashes: { sha256: sha256(bytes).toString("hex") } };
  const target = { name: `${hardware}/1.2.0.img`, ...file, counter: 1 };
  fleet.falsify = async (asked, answer) => {
    if (asked === "director")
      return forged(answer, (signed) => Object.assign(signed, { target }), stolen);
    if (asked !== `2.${hardware}.json`) return answer;
    const add = (signed: Loose): void => {
      const [known] = Object.values(signed.targets) as Loose[];
      signed.targets[target.name] = { ...known, ...file };
    };
    return forged(answer, add, stolen);
  };
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-too-few-signatures"));
});

test("all online keys stolen: the attacker can choose an older release, which is no downgrade's way", async (context) => {
  const fleet = await AttackedFleet.start(context);
  await fleet.offer();
  assert.equal(await fleet.outcome(), "1.1.0 updated");
  await fleet.sign({ version: "1.2.0" });
  await fleet.publish({ version: "1.2.0" });
  const bytes = await testImage({ version: "1.0.0" });
  fleet.offered = bytes;
  assigning(fleet, `${hardware}/1.0.0.img`, bytes);
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), "1.1.0 failed downgrade");
});

test("one stolen offline key: below the threshold it signs nothing", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const [first] = keys.targets;
  fleet.falsify = async (asked, answer) =>
    asked === `2.${hardware}.json` ? forged(answer, () => {}, [first]) : answer;
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-too-few-signatures"));
});

/** A server that gives out a second root of its own: the first after `change`, signed by these. */
async function withSecondRoot(
  fleet: AttackedFleet,
  change: (signed: Loose) => void,
  signers: readonly Signer[],
): Promise<void> {
  const first = await fleet.file("1.root.json");
  fleet.falsify = async (asked, answer) => {
    if (asked !== "2.root.json") return answer;
    const next = (signed: Loose): void => {
      signed.version = 2;
      change(signed);
    };
    return forged(withBody(answer, first), next, signers);
  };
}

test("one stolen root key: below the threshold it changes no keys", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const change = (signed: Loose): void => {
    signed.keys[stranger.keyId] = tufKey(stranger.publicKey);
    for (const role of ["targets", "root"])
      signed.roles[role] = { keyids: [stranger.keyId], threshold: 1 };
  };
  await withSecondRoot(fleet, change, [keys.root[0], stranger]);
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-too-few-signatures"));
});

test("key confusion: a key under the id of another is found out", async (context) => {
  const fleet = await AttackedFleet.start(context);
  const change = (signed: Loose): void => {
    for (const { keyId } of keys.root) signed.keys[keyId] = tufKey(stranger.publicKey);
  };
  const disguised = keys.root.map(({ keyId }) => ({ ...stranger, keyId }));
  await withSecondRoot(fleet, change, disguised);
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-key-id-mismatch"));
});

test("replay: a director document of another device", async (context) => {
  const fleet = await AttackedFleet.start(context);
  fleet.falsify = async (asked, answer) =>
    asked === "director"
      ? forged(answer, (signed) => Object.assign(signed, { device: `${deviceId}0` }), stolen)
      : answer;
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-director-other-device"));
});

test("replay: a director document of another day", async (context) => {
  const fleet = await AttackedFleet.start(context);
  let kept: Uint8Array | null = null;
  fleet.falsify = (asked, answer) => {
    if (asked !== "director") return answer;
    kept ??= answer.body;
    return withBody(answer, kept);
  };
  await fleet.offer();
  assert.equal(await fleet.outcome(), "1.1.0 updated");
  await fleet.sign({ version: "1.2.0" });
  await fleet.publish({ version: "1.2.0" });
  await fleet.sleep(4 * hour);
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), "1.1.0 failed trust-director-replayed");
});

test("time set back: the stolen director says that it is yesterday", async (context) => {
  const fleet = await AttackedFleet.start(context);
  await fleet.offer();
  await fleet.sign({ version: "1.2.0" });
  await fleet.publish({ version: "1.2.0" });
  fleet.falsify = async (asked, answer) =>
    asked === "director"
      ? forged(
          answer,
          (signed) => {
            signed.version += 1000;
            signed.time = new Date(Date.parse(signed.time) - 24 * hour)
              .toISOString()
              .replace(".000", "");
          },
          stolen,
        )
      : answer;
  await fleet.offer("1.2.0");
  assert.equal(await fleet.outcome(), "1.1.0 failed trust-time-set-back");
});

test("wrong hardware: the stolen director assigns what is signed for another board", async (context) => {
  const fleet = await AttackedFleet.start(context);
  await fleet.sign({ version: "1.1.0", hardware: "esp32c6-a" });
  await fleet.publish();
  const bytes = await testImage({ version: "1.1.0", hardware: "esp32c6-a" });
  fleet.offered = bytes;
  assigning(fleet, "esp32c6-a/1.1.0.img", bytes);
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("hardware-mismatch"));
});

test("security-counter downgrade: the stolen director assigns a signed release with a lower one", async (context) => {
  const fleet = await AttackedFleet.start(context);
  await fleet.sign({ version: "1.2.0", securityCounter: 0 });
  await fleet.publish();
  const bytes = await testImage({ version: "1.2.0", securityCounter: 0 });
  fleet.offered = bytes;
  assigning(fleet, `${hardware}/1.2.0.img`, bytes, 0);
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("security-counter"));
  assigning(fleet, `${hardware}/1.2.0.img`, bytes, 1);
  await fleet.offer();
  assert.equal(await fleet.outcome(), honest("trust-assignment-mismatch"));
});

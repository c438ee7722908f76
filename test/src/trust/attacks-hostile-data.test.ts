import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AttackedFleet,
  hardware,
  keys,
  signedFile,
  withBody,
} from "../../support/attacked-fleet.ts";

// What somebody can do who answers in the server's place, without any key. Each attack ends with
// the old image running and its reason at the server.
const hourMs = 3_600_000;
const held = (reason: string): string => `1.0.0 failed trust-${reason}`;

const files = ["2.root.json", "director", "timestamp.json", "snapshot.json", "2.targets.json"];

for (const file of [...files, `2.${hardware}.json`]) {
  test(`endless data: ${file} that does not end`, async (context) => {
    const fleet = await AttackedFleet.start(context);
    const endless = new Uint8Array(4_000_000).fill(0x20);
    fleet.falsify = (asked, answer) => (asked === file ? withBody(answer, endless) : answer);
    await fleet.offer();
    assert.equal(await fleet.outcome(), held("too-large"));
  });

  test(`metadata bombs: ${file} that is deep, wide or ambiguous`, async (context) => {
    const fleet = await AttackedFleet.start(context);
    for (const [bomb, reason] of [
      ["[".repeat(1500), "json-too-deep"],
      [`[${"1,".repeat(950)}1]`.padEnd(2000), "malformed-metadata"],
      ['{"signed":{"version":1,"version":2},"signatures":[]}', "duplicate-name"],
      ['{"signed":{},"signatures":[]', "malformed-json"],
      ['{"signed":{"version":1e999},"signatures":[]}', "malformed-json"],
    ] as const) {
      const bytes = new TextEncoder().encode(bomb);
      fleet.falsify = (asked, answer) => (asked === file ? withBody(answer, bytes) : answer);
      await fleet.offer();
      assert.equal(await fleet.outcome(), held(reason), bomb.slice(0, 40));
    }
  });
}

test("slow data: files that come byte by byte stop nothing but the update", async (context) => {
  const fleet = await AttackedFleet.start(context);
  fleet.falsify = (_, answer) => ({ ...answer, bytesPerSecond: 1 });
  await fleet.offer("1.1.0", hourMs);
  assert.equal(fleet.lastRefusal, "network");
  assert.match(await fleet.outcome(), /^1\.0\.0 /);
  fleet.falsify = (_, answer) => answer;
  await fleet.goOn();
  assert.equal(await fleet.outcome(), "1.1.0 updated");
});

test("path traversal: no name leads out of the folder of the targets", async (context) => {
  const fleet = await AttackedFleet.start(context);
  for (const name of ["../../etc/passwd", "/esp32c3-a/1.1.0.img", `${hardware}/../1.1.0.img`]) {
    fleet.falsify = async (asked, answer) => {
      if (asked !== "director") return answer;
      const { signed } = JSON.parse(new TextDecoder().decode(answer.body));
      signed.target.name = name;
      return withBody(answer, await signedFile(signed, keys.online));
    };
    await fleet.offer();
    assert.equal(await fleet.outcome(), held("malformed-metadata"), name);
  }
});

test("no metadata at all: a server that lost it, or never had it", async (context) => {
  const fleet = await AttackedFleet.start(context);
  fleet.falsify = (_, answer) => ({ ...answer, status: 404 });
  await fleet.offer();
  assert.equal(await fleet.outcome(), held("metadata-missing"));
});

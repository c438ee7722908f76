import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenHandles, ResourceLeak } from "../../../hosts/simulator/board/open-handles.ts";
import { text } from "../../../hosts/simulator/ddi-server.ts";
import { benchSigner, DeviceBench, image, strangeSigner } from "../../support/device-bench.ts";

/** What of a device is open between two polls. */
function atRest(bench: DeviceBench): Readonly<Record<string, number>> {
  const { open } = bench.device.device;
  assert.ok(open !== null, "no firmware runs");
  const { digest, socket } = open;
  return { digest, socket };
}

/** More than may ever be open of a kind. */
const times = 80;

for (const [what, answer] of [
  ["ends with 404", () => text(404, "")],
  ["breaks behind its header", { brokenAfterBytes: 0 }],
] as const)
  test(`closes everything when reading an image ${what} ${times} times in one boot`, async () => {
    const bench = await DeviceBench.start();
    bench.server.interfere = (request, own) => {
      if (!request.path.startsWith("/artifact/")) return null;
      if (typeof answer === "function") return answer();
      return own.kind === "response" ? { ...own, ...answer } : null;
    };
    bench.offer("1", "1.1.0", await image("1.1.0"));
    await bench.powerOn();
    for (let hours = 0; hours < 300 && bench.server.artifactRanges.length < times; hours += 1)
      await bench.pass(60);
    assert.ok(bench.server.artifactRanges.length >= times);
    assert.deepEqual(atRest(bench), { digest: 0, socket: 0 });
    bench.server.interfere = () => null;
    await bench.pass(120);
    assert.equal(bench.running, "1.1.0");
    assert.equal(bench.boots.length, 2);
    bench.world.close();
  });

test(`closes everything when ${times} offers are refused in one boot`, async () => {
  const bench = await DeviceBench.start();
  const strange = await image("1.1.0", { signers: [strangeSigner] });
  await bench.powerOn();
  for (let action = 1; action <= times; action += 1) {
    bench.offer(String(action), "1.1.0", strange);
    await bench.pass(2);
    assert.match(bench.verdict ?? "", /reason=key-unknown/, `offer ${action}`);
  }
  assert.deepEqual(atRest(bench), { digest: 0, socket: 0 });
  bench.offer(String(times + 1), "1.1.0", await image("1.1.0", { signers: [benchSigner] }));
  await bench.pass(60);
  assert.equal(bench.running, "1.1.0");
  bench.world.close();
});

test("fails a run whose firmware leaves a digest open at every poll", async () => {
  const entry = "test/support/firmware/leaves-digests-open.ts";
  const bench = await DeviceBench.start({ first: { entry } });
  await bench.powerOn();
  await assert.rejects(() => bench.pass(10), ResourceLeak);
});

test("counts what is open, and names what is too many", () => {
  const open = new OpenHandles();
  open.opened("socket");
  assert.match(open.leakAtRest()?.message ?? "", /1 of kind socket are open at rest, at most 0/);
  open.closed("socket");
  assert.equal(open.leakAtRest(), null);
  assert.throws(() => {
    for (let digest = 0; digest < 9; digest += 1) open.opened("digest");
  }, /9 of kind digest are open, at most 8 may be/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { FlashError } from "../../../../src/ports/flash.ts";
import { AgentBench, slotBytes } from "../../../support/agent-bench.ts";
import type { Script } from "../../../support/scripted-http.ts";
import { smallImage } from "../../../support/small-images.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 40_000);
const minute = 60_000;

function offered(setUp: (bench: AgentBench) => void = () => undefined): AgentBench {
  const bench = new AgentBench(running);
  bench.server.offer = { actionId: "7", image: newer };
  setUp(bench);
  bench.boot();
  return bench;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const isPending = (bench: AgentBench): boolean =>
  bench.agent.running.confirmed && bench.chip.peek(2 * slotBytes - 16, 1)[0] !== 0xff;

// ---- storage

test("follows every state that cannot be stored, but not into a swap", async () => {
  const bench = offered((fresh) => {
    fresh.keyValue.refuses = () => true;
  });
  await bench.untilKind("failed");
  await bench.pass(minute);
  assert.equal(
    bench.server.reports.at(-1),
    "7 proceeding none state=failed version=1.1.0 reason=storage-error",
  );
  assert.equal(isPending(bench), false);
  assert.equal(bench.restarts, 0);
  bench.keyValue.refuses = () => false;
  await bench.untilRestart(3 * 60 * minute);
  assert.equal(isPending(bench), true);
});

test("does not ask for a swap that it could not note beforehand", async () => {
  const bench = offered((fresh) => {
    fresh.keyValue.refuses = (_key, value) => text(value).includes('"requested":true');
  });
  await bench.untilKind("failed");
  await bench.pass(minute);
  assert.equal(
    bench.server.reports.at(-1),
    "7 proceeding none state=failed version=1.1.0 reason=storage-error",
  );
  assert.equal(isPending(bench), false);
  assert.equal(bench.restarts, 0);
  bench.keyValue.refuses = () => false;
  await bench.untilRestart(3 * 60 * minute);
  assert.equal(isPending(bench), true);
});

test("restarts into a swap that it asked for, also when nothing can be stored any more", async () => {
  const held: ((script: Script) => void)[] = [];
  const bench = offered((fresh) => {
    fresh.server.interfere = ({ body }) =>
      text(body ?? new Uint8Array(0)).includes("state=activating")
        ? { hold: (finish) => void held.push(finish) }
        : null;
  });
  await bench.until(() => held.length === 1);
  assert.equal(isPending(bench), true);
  bench.keyValue.refuses = () => true;
  held[0]?.({ status: 200 });
  await bench.untilRestart();
  bench.keyValue.refuses = () => false;
  bench.swap();
  bench.boot("software");
  await bench.pass(minute);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
});

test("one lost write at any place costs the update nothing but time", async () => {
  const clean = offered();
  await clean.untilRestart();
  const places = clean.keyValue.writes.length;
  for (let place = 0; place < places; place += 1) {
    let writes = 0;
    const bench = offered((fresh) => {
      fresh.keyValue.refuses = () => {
        writes += 1;
        return writes - 1 === place;
      };
    });
    await bench.until(() => bench.restarts > 0 || bench.state.kind === "failed");
    if (bench.restarts > 0) continue;
    const waiting = "failed 7 storage-error > downloading 7 prepared";
    assert.equal(stateText(bench.state), waiting, `write ${place}`);
    assert.equal(isPending(bench), false);
    await bench.untilRestart(3 * 60 * minute);
  }
});

test("confirms a trial whose states cannot be stored, and tells of it", async () => {
  const bench = offered();
  await bench.untilRestart();
  bench.swap();
  bench.keyValue.refuses = () => true;
  bench.boot("software");
  await bench.pass(minute);
  assert.equal(bench.agent.running.confirmed, true);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
});

test("tells of a rollback that it cannot remember", async () => {
  const bench = offered();
  await bench.untilRestart();
  bench.swap();
  bench.revert();
  bench.keyValue.refuses = () => true;
  bench.boot("watchdog");
  await bench.pass(minute);
  assert.match(bench.server.reports.at(-1) ?? "", /rolledBack .* reason=watchdog$/);
});

test("does not ask for the swap of another image than the one that it verified", async () => {
  const bench = offered((fresh) => {
    fresh.server.offer = { actionId: "7", image: newer, window: "unavailable" };
  });
  await bench.untilKind("deferred");
  bench.chip.poke(slotBytes, new Uint8Array(4096).fill(0xff));
  bench.server.offer = { actionId: "7", image: newer, window: "available" };
  bench.server.revision += 1;
  await bench.untilKind("failed");
  assert.equal(stateText(bench.state), "failed 7 hash-mismatch");
  assert.equal(isPending(bench), false);
});

// ---- flash

test("runs with a secondary slot that cannot be read, and fails the update, not the device", async () => {
  const bench = offered((fresh) => {
    fresh.flashFails = (operation) => operation === "read";
  });
  await bench.untilKind("failed");
  await bench.pass(minute);
  assert.match(bench.server.reports.at(-1) ?? "", /state=failed .* reason=flash-error$/);
  await bench.pass(10 * minute);
  assert.equal(bench.state.kind, "idle");
});

test("does not start on a primary slot that cannot be read or holds nothing", () => {
  const unreadable = new AgentBench(running);
  unreadable.primaryFails = () => true;
  assert.throws(() => unreadable.boot(), FlashError);
  const blank = new AgentBench(running);
  blank.chip.poke(0, new Uint8Array(4096).fill(0xff));
  assert.throws(() => blank.boot(), /no readable image/);
});

for (const [name, fails] of [
  ["erase", (operation) => operation === "erase"],
  ["write of the image", (operation) => operation === "write"],
  ["write of the trailer", (operation, offset) => operation === "write" && offset > slotBytes / 2],
] as const satisfies readonly (readonly [string, AgentBench["flashFails"]])[])
  test(`ends an update whose ${name} fails with flash-error, and asks for no swap`, async () => {
    const bench = offered((fresh) => {
      fresh.chip.poke(slotBytes, new Uint8Array(8192).fill(0));
      fresh.flashFails = fails;
    });
    await bench.untilKind("failed");
    assert.equal(stateText(bench.state), "failed 7 flash-error");
    assert.equal(bench.restarts, 0);
  });

test("ends an update whose image cannot be read back", async () => {
  const bench = offered((fresh) => {
    fresh.flashFails = (operation) => operation === "read" && fresh.kind === "verifying";
  });
  await bench.untilKind("failed");
  assert.equal(stateText(bench.state), "failed 7 flash-error");
});

// ---- exceptions that nothing foresaw

for (const kind of ["checking", "downloading", "verifying"] as const)
  test(`an exception while ${kind} becomes a failure that is told, and polling goes on`, async () => {
    let isBroken = true;
    const bench = offered((fresh) => {
      const broken = (): boolean => isBroken && fresh.kind === kind;
      fresh.flashFails = () => {
        if (broken()) throw new TypeError("undefined is not a function");
        return false;
      };
      fresh.server.interfere = (request) => {
        if (kind === "checking" && broken() && request.url.includes("/file/"))
          return { throws: new TypeError("undefined is not a function") };
        return null;
      };
    });
    await bench.untilKind("failed");
    const reason = kind === "checking" ? "network" : "internal-error";
    assert.match(stateText(bench.state), new RegExp(`^failed 7 ${reason}`));
    assert.ok(bench.log.lines.some((line) => line.includes("undefined is not a function")));
    isBroken = false;
    await bench.untilRestart();
  });

test("an exception in every verification ends the release at the third", async () => {
  const bench = offered((fresh) => {
    fresh.flashFails = () => {
      if (fresh.kind === "verifying") throw new TypeError("undefined is not a function");
      return false;
    };
  });
  await bench.until(() => bench.server.reports.at(-1)?.includes("closed failure") ?? false);
  assert.match(bench.server.reports.at(-1) ?? "", /closed failure .* reason=internal-error$/);
  const found = bench.server.reports.filter((report) => report.includes("internal-error"));
  assert.equal(found.length, 3);
});

test("an event that was lost to an exception is made up for at the next poll", async () => {
  for (const kind of ["checking", "downloading", "verifying"] as const) {
    const bench = offered();
    let lost = 0;
    const { keyValue } = bench;
    const read = keyValue.read.bind(keyValue);
    // The list of refused images is read for every event: one exception there loses the event.
    keyValue.read = (key) => {
      if (lost === 0 && bench.state.kind === kind && key === "refused") {
        lost += 1;
        throw new TypeError("undefined is not a function");
      }
      return read(key);
    };
    await bench.pass(minute);
    assert.equal(lost, 1, kind);
    assert.equal(bench.restarts, 0, kind);
    await bench.untilRestart(10 * minute);
    assert.deepEqual(bench.chip.peek(slotBytes, newer.bytes.length), newer.bytes);
  }
});

test("a restart that was lost to an exception is made up for", async () => {
  const bench = offered();
  let lost = 0;
  const { keyValue } = bench;
  const read = keyValue.read.bind(keyValue);
  keyValue.read = (key) => {
    if (lost === 0 && stateText(bench.state) === "activating 7 #1" && key === "refused") {
      lost += 1;
      throw new TypeError("undefined is not a function");
    }
    return read(key);
  };
  await bench.untilRestart(10 * minute);
  assert.equal(lost, 1);
  assert.equal(isPending(bench), true);
});

test("a battery that cannot be read does not hold up the update", async () => {
  const bench = offered((fresh) => {
    fresh.power = () => {
      throw new Error("the sensor does not answer");
    };
  });
  await bench.untilRestart();
});

test("a console that throws does not stop the device", async () => {
  const bench = offered((fresh) => {
    fresh.log.write = () => {
      throw new Error("the console is gone");
    };
  });
  await bench.untilRestart(60 * minute);
});

test("a network that fails in a new way each time does not stop the device", async () => {
  let number = 0;
  const bench = offered((fresh) => {
    fresh.server.interfere = () => {
      number += 1;
      const step = number % 9;
      if (step === 1) return { failure: "connection" };
      if (step === 2) return { status: 500, body: new Uint8Array(9000) };
      if (step === 3) return { status: 200, body: "{" };
      if (step === 4) return { throws: new Error("no memory") };
      if (step === 5) return { status: 302 };
      return null;
    };
  });
  await bench.untilRestart(24 * 60 * minute);
  assert.deepEqual(bench.chip.peek(slotBytes, newer.bytes.length), newer.bytes);
});

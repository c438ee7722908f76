import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ports } from "../../../src/ports/ports.ts";
import { loadDeviceModule } from "../../support/device-module.ts";

const dayMs = 86_400_000;

/** A board whose ticks and timers a test moves by hand. */
function openBoard(startTicks: number, facts: object = {}) {
  const board = {
    ticks: startTicks,
    entropy: Uint8Array.of(0x40, 0, 0, 0),
    timers: [] as { run(): void; delayMs: number; cleared: boolean }[],
  };
  const modules = {
    "embedded:storage/flash": { open: () => ({ status: () => ({}) }) },
    "embedded:storage/key-value": { open: () => ({}) },
    "embedded:io/analog": class {},
    "sluice/secure-socket": class {},
    "sluice/board": {
      partitions: { primary: "image-0", secondary: "image-1", bootctl: undefined },
      network: { socket: { io: class {} }, dns: {} },
      entropy: () => board.entropy.slice().buffer,
      ...facts,
    },
    time: {
      get ticks() {
        return board.ticks;
      },
    },
    timer: {
      set(run: () => void, delayMs: number) {
        const timer = { run, delayMs, cleared: false };
        board.timers.push(timer);
        return timer;
      },
      clear(timer: { cleared: boolean }) {
        timer.cleared = true;
      },
    },
    crypt: {},
    curve: class {},
    ecp: class {},
    ecdsa: class {},
  };
  const { openPorts, boardSettings } = loadDeviceModule<{
    openPorts(): Ports;
    boardSettings(): Readonly<Record<string, unknown>>;
  }>("ports.ts", modules);
  return { board, ports: openPorts(), boardSettings };
}

test("reads the hosts of redirects from the settings of a build, and none of a wrong list", (t) => {
  const said: string[] = [];
  const trace = Reflect.get(globalThis, "trace");
  Reflect.set(globalThis, "trace", (line: string) => said.push(line));
  t.after(() => Reflect.set(globalThis, "trace", trace));
  const read = (redirectHosts?: string | readonly string[]) =>
    openBoard(0, { settings: { trialMs: 5, redirectHosts } }).boardSettings();
  assert.deepEqual(read("cdn.example, Files.example"), {
    trialMs: 5,
    redirectHosts: ["cdn.example", "files.example"],
  });
  assert.deepEqual(read(["cdn.example"]), { trialMs: 5, redirectHosts: ["cdn.example"] });
  assert.deepEqual(read(""), { trialMs: 5, redirectHosts: [] });
  assert.deepEqual(read(), { trialMs: 5 });
  assert.deepEqual(said, []);
  assert.deepEqual(read("cdn.example,https://x"), { trialMs: 5 });
  assert.match(said.join(""), /error: redirectHosts: "https:\/\/x" is no name of a host/);
});

test("counts its uptime from its start, whatever the ticks begin with", () => {
  const { board, ports } = openBoard(1_800_000_000_123);
  assert.equal(ports.clock.uptimeMs(), 0);
  board.ticks += 1500;
  assert.equal(ports.clock.uptimeMs(), 1500);
});

test("goes on counting when 32 bits of ticks wrap", () => {
  const { board, ports } = openBoard(0x7fff_ff00);
  board.ticks = -0x7fff_ff00;
  assert.equal(ports.clock.uptimeMs(), 0x200);
  board.ticks += 20 * dayMs;
  assert.equal(ports.clock.uptimeMs(), 0x200 + 20 * dayMs);
});

test("stands still, and never runs back, while ticks that follow a wall clock are set back", () => {
  const { board, ports } = openBoard(1_800_000_000_000);
  board.ticks += 5000;
  assert.equal(ports.clock.uptimeMs(), 5000);
  board.ticks -= 3_600_000;
  assert.equal(ports.clock.uptimeMs(), 5000);
  board.ticks += 10;
  assert.equal(ports.clock.uptimeMs(), 5010);
});

test("waits in parts for what 32 bits of milliseconds cannot hold", () => {
  const { board, ports } = openBoard(0);
  let fired = 0;
  ports.clock.after(40 * dayMs, () => {
    fired += 1;
  });
  let waitedMs = 0;
  for (let turn = 0; fired === 0 && turn < 10; turn += 1) {
    const timer = board.timers.at(-1)!;
    assert.ok(timer.delayMs < 2 ** 31);
    waitedMs += timer.delayMs;
    timer.run();
  }
  assert.equal(fired, 1);
  assert.equal(waitedMs, 40 * dayMs);
});

test("cancels the part that it waits for, and leaves a timer that fired alone", () => {
  const { board, ports } = openBoard(0);
  const long = ports.clock.after(40 * dayMs, () => assert.fail("cancelled"));
  board.timers.at(-1)!.run();
  long.cancel();
  assert.deepEqual(
    board.timers.map(({ cleared }) => cleared),
    [false, true],
  );
  const short = ports.clock.after(1, () => {});
  board.timers.at(-1)!.run();
  short.cancel();
  assert.equal(board.timers.at(-1)!.cleared, false);
});

test("draws its random numbers from the board's generator", () => {
  const { board, ports } = openBoard(0);
  assert.equal(ports.random.next(), 0.25);
  board.entropy = Uint8Array.of(0xff, 0xff, 0xff, 0xff);
  assert.ok(ports.random.next() < 1);
});

test("reads memory and link of a board that tells them", () => {
  const memory = { usedBytes: 40_000, limitBytes: 81_920 };
  const link = { isUp: () => false, signalDbm: () => -71 };
  const { ports } = openBoard(0, { readMemory: () => memory, link });
  assert.deepEqual(ports.memory?.read(), memory);
  assert.equal(ports.link?.isUp(), false);
  assert.equal(ports.link?.signalDbm(), -71);
});

test("has neither on a board that does not tell, so that nothing is concluded from them", () => {
  const { ports } = openBoard(0);
  assert.equal("memory" in ports, false);
  assert.equal("link" in ports, false);
});

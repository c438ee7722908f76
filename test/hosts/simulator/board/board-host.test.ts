import assert from "node:assert/strict";
import { test } from "node:test";
import { BoardHost } from "../../../../hosts/simulator/board/board-host.ts";
import { hostCall, hostReply, message } from "../../../../hosts/simulator/board/host-calls.ts";
import { OpenHandles } from "../../../../hosts/simulator/board/open-handles.ts";
import { nobleCrypto } from "../../../../src/ports/noble-crypto.ts";

/** A board whose every action is noted. */
function board(alive: boolean): { host: BoardHost; did: string[] } {
  const did: string[] = [];
  const note = (what: string) => (): void => void did.push(what);
  const host = new BoardHost({
    partitions: [],
    storage: {
      read: () => null,
      write: note("write"),
      delete: note("delete"),
      keys: () => [],
    },
    crypto: nobleCrypto,
    open: new OpenHandles(),
    log: note("log"),
    uptimeMs: () => 5,
    unixMs: () => 6,
    setTimer: note("set timer"),
    clearTimer: note("clear timer"),
    openSocket: note("open"),
    writeSocket: note("send"),
    closeSocket: note("close"),
    analogRaw: () => 0,
    charging: () => true,
    restart: note("restart"),
    startWatchdog: note("watchdog"),
    isAlive: () => alive,
    failed: note("failed"),
  });
  return { host, did };
}

const timer = message(hostCall.timerSet, [
  ["u32", 1],
  ["f64", 0],
]);
const log = message(hostCall.log, [], new TextEncoder().encode("here"));

test("a board with power does what it is asked", () => {
  const { host, did } = board(true);
  for (const call of [log, timer, message(hostCall.restart, [])]) host.handle(call);
  assert.deepEqual(did, ["log", "set timer", "restart"]);
});

test("what a turn still calls after the power failed has no effect and no exception of its own", () => {
  const { host, did } = board(false);
  for (const call of [log, timer, message(hostCall.restart, []), message(hostCall.now, [])])
    assert.equal(host.handle(call)[0], hostReply.ok);
  assert.deepEqual(did, []);
});

test("a board without power answers neither from its storage nor from its digests", () => {
  const { host, did } = board(false);
  const key = new TextEncoder().encode("sluice/config");
  for (const call of [message(hostCall.keyValueRead, [], key), message(hostCall.shaOpen, [])])
    assert.equal(host.handle(call)[0], hostReply.error);
  assert.deepEqual(did, ["failed", "failed"]);
});

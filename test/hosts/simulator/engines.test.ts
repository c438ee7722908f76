import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  hostCall,
  hostEvent,
  hostReply,
  MessageReader,
  message,
} from "../../../hosts/simulator/board/host-calls.ts";
import type {
  Engine,
  EngineKind,
  HostCallHandler,
} from "../../../hosts/simulator/engines/engine.ts";
import { NodeEngine } from "../../../hosts/simulator/engines/node-engine.ts";
import { XsEngine, xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";

const facts = JSON.stringify({
  partitions: [],
  roles: { primary: "image-0", secondary: "image-1" },
  resetReason: "power-on",
  seed: 7,
});

/** A board that answers logs, the clock and timers, and remembers them. */
function recordingBoard(): { handle: HostCallHandler; logs: string[]; timers: number[] } {
  const logs: string[] = [];
  const timers: number[] = [];
  const handle: HostCallHandler = (request) => {
    const reader = new MessageReader(request);
    if (request[0] === hostCall.log) logs.push(new TextDecoder().decode(reader.rest()).trimEnd());
    else if (request[0] === hostCall.timerSet) timers.push(reader.u32());
    else if (request[0] === hostCall.now)
      return message(hostReply.ok, [
        ["f64", 1234],
        ["f64", 1_800_000_000_000],
      ]);
    else if (request[0] === hostCall.restart)
      return message(hostReply.error, [], new TextEncoder().encode("the board is down"));
    return message(hostReply.ok, []);
  };
  return { handle, logs, timers };
}

const engines: readonly {
  kind: EngineKind;
  skip: string | false;
  open(h: HostCallHandler): Engine;
}[] = [
  { kind: "node", skip: false, open: (handle) => new NodeEngine(handle) },
  { kind: "xs", skip: xsEngineMissing() ?? false, open: (handle) => new XsEngine(handle) },
];

for (const { kind, skip, open } of engines) {
  const run = async (firmware: string) => {
    const board = recordingBoard();
    const engine = open(board.handle);
    const result = await engine.start(facts, firmware);
    return { ...board, engine, result };
  };

  test(`engine ${kind} runs firmware over the board's modules`, { skip }, async () => {
    const { engine, result, logs, timers } = await run(`
      const timer = require("timer");
      trace("ticks ", require("time").ticks, " ", Date.now());
      timer.set(async () => { await null; trace("later"); }, 10);`);
    assert.deepEqual(result, { kind: "done" });
    assert.deepEqual(await engine.turn(message(hostEvent.timer, [["u32", timers[0] ?? 0]])), {
      kind: "done",
    });
    assert.deepEqual(logs, ["ticks 1234 1800000000000", "later"]);
    engine.close();
  });

  test(`engine ${kind} reports what firmware throws at its start`, { skip }, async () => {
    const { engine, result } = await run(`throw new Error("bad release");`);
    assert.equal(result.kind, "exception");
    assert.match(result.kind === "exception" ? result.message : "", /bad release/);
    engine.close();
  });

  test(`engine ${kind} reports a syntax error as an exception`, { skip }, async () => {
    const { engine, result } = await run("const = 1;");
    assert.equal(result.kind, "exception");
    engine.close();
  });

  test(`engine ${kind} stops a loop that never ends`, { skip }, async () => {
    const { engine, result } = await run("for (;;);");
    assert.deepEqual(result, { kind: "overrun" });
    engine.close();
  });

  test(`engine ${kind} gives the error of a refused call to the firmware`, { skip }, async () => {
    const { engine, logs } = await run(`
      try { require("sluice/board").restart(); } catch (error) { trace(error.message); }`);
    assert.deepEqual(logs, ["the board is down"]);
    engine.close();
  });

  test(`engine ${kind} draws the same random numbers for the same seed`, { skip }, async () => {
    const first = await run("trace(Math.random(), ' ', Math.random());");
    const second = await run("trace(Math.random(), ' ', Math.random());");
    assert.deepEqual(first.logs, second.logs);
    first.engine.close();
    second.engine.close();
  });
}

test("engine node stops a loop of microtasks, and the process goes on with other devices", () => {
  const script = fileURLToPath(new URL("../../support/microtask-hang.ts", import.meta.url));
  assert.equal(execFileSync(process.execPath, [script], { encoding: "utf8" }), "overrun done");
});

test("engine xs stops a loop of microtasks", { skip: xsEngineMissing() ?? false }, async () => {
  const engine = new XsEngine(recordingBoard().handle);
  const result = await engine.start(facts, "(async () => { for (;;) await null; })();");
  assert.deepEqual(result, { kind: "overrun" });
  engine.close();
});

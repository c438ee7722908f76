import assert from "node:assert/strict";
import { test } from "node:test";
import { runPatiently } from "./patience.ts";

const run = (script: string, cpuSecondsMax: number) =>
  runPatiently(process.execPath, ["-e", script], { cpuSecondsMax });

test("tells the end of a program, and what it said", async () => {
  const script = "console.log('out'); console.error('err'); process.exitCode = 3";
  assert.deepEqual(await run(script, 60), { status: 3, stdout: "out\n", stderr: "err\n" });
});

test("ends a program that uses more processor time than it may", {
  skip: process.platform !== "linux" && "no /proc",
}, async () => {
  const { status, stderr } = await run("for (;;);", 1);
  assert.equal(status, null);
  assert.match(stderr, /ended: it used [\d.]+ s of processor time/);
});

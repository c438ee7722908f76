import assert from "node:assert/strict";
import { test } from "node:test";
import { windowsOf } from "../../../src/config/windows.ts";
import { isOpen, noWindows } from "../../../src/policy/windows.ts";

const sunday = { days: ["sun"], start: "02:00", minutes: 120 };

test("a document without windows configures none", () => {
  assert.deepEqual(windowsOf({}), { ok: true, windows: noWindows });
});

test("the windows of a document are those of its value", () => {
  const decoded = windowsOf({ windows: { timeZone: "UTC0", install: [sunday] } });
  assert.ok(decoded.ok);
  const { zone, install, download } = decoded.windows;
  assert.equal(download, null);
  assert.equal(isOpen(install, zone, Date.UTC(2026, 10, 22, 3)), true);
  assert.equal(isOpen(install, zone, Date.UTC(2026, 10, 23, 3)), false);
});

for (const [value, at] of [
  [null, "windows"],
  [[], "windows"],
  ["always", "windows"],
  [{}, "windows.timeZone"],
  [{ timeZone: "UTC0", install: [{ ...sunday, minutes: 0 }] }, "windows.install[0].minutes"],
] as const)
  test(`windows that are ${JSON.stringify(value)} are refused at ${at}: they never mean "always open"`, () => {
    const decoded = windowsOf({ windows: value });
    assert.equal(decoded.ok, false);
    assert.equal(decoded.ok ? null : decoded.at, at);
  });

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../../..");

/** A wall time less another one, as in `nowUnixMs - startedUnixMs` or `Date.now() - started`. */
const subtraction =
  /(?:[uU]nixMs|Date\.now)(?:\(\))?\)? - |- [\w.#?]*(?:[uU]nixMs\b|Date\.now\(\))/;

/** Those that are no durations, by file and text of the line. */
const allowed: ReadonlyMap<string, string> = new Map([
  ["hosts/fleet/time/service-time.ts", "const aheadMs = this.#clock.unixMs() - passedMs;"],
  ["hosts/fleet/operations/outages.ts", "const awayMs = now.unixMs - before.unixMs;"],
  ["hosts/fleet/operations/contact.ts", "Math.abs(nowUnixMs - written) >= lastSeenResolutionMs"],
  ["src/update/agent/poller.ts", "const opensInMs = Math.max(0, untilMs - unixMs)"], // a window, bounded
  // A device's own date, made a duration once.
  ["hosts/fleet/terms/next-wake.ts", "Date.parse(text) - nowUnixMs"],
  ["hosts/fleet/filter/matches.ts", "nowUnixMs - moment.agoMs"], // a date, from one
  // Dates of before a start: no other time says what was offered in the minute before it.
  ["hosts/fleet/operations/admission.ts", "const sinceUnixMs = options.unixMs() - minuteMs;"],
  ["src/trust/director.ts", "if (timeUnixMs < question.trustedUnixMs - clockToleranceMs)"],
  ["hosts/bench/xs-memory.ts", "notBeforeUnixMs: Date.now() - dayMs"],
]);

test("no duration is the difference of two wall times", () => {
  const files = globSync("{src,hosts}/**/*.ts", { cwd: root });
  assert.ok(files.length > 300, "the sources are where they were");
  const found = files.flatMap((file) =>
    readFileSync(join(root, file), "utf8")
      .split("\n")
      .filter((line) => subtraction.test(line))
      .filter((line) => !line.includes(allowed.get(file) ?? "\n"))
      .map((line) => `${file}: ${line.trim()}`),
  );
  assert.deepEqual(found, [], "use ServiceTime, Stopwatch or performance.now()");
});

test("a subtraction of wall times is seen in any of its forms", () => {
  for (const line of ["now - a.unixMs", "Date.now() - t", "clock.unixMs() - t", "t - Date.now()"])
    assert.ok(subtraction.test(line), line);
});

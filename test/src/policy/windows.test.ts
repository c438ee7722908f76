import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseTimeZone, type TimeZone, utc } from "../../../src/policy/time-zone.ts";
import {
  decideWindow,
  decodeWindows,
  encodeWindows,
  isOpen,
  type MaintenanceWindow,
  type MaintenanceWindows,
  nextOpening,
  noWindows,
  windowsMax,
} from "../../../src/policy/windows.ts";
import { encodeJson, type JsonObject, parseJsonObject } from "../../../src/protocol/json.ts";

const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** `sat sun 22:00 480` */
function windowOf(text: string): MaintenanceWindow {
  const words = text.split(" ");
  const minutes = Number(words.pop());
  const [hour, minute] = (words.pop() ?? "").split(":").map(Number);
  const days = words.reduce((bits, day) => bits | (1 << dayNames.indexOf(day)), 0);
  return { days, startMinute: (hour ?? 0) * 60 + (minute ?? 0), durationMinutes: minutes };
}

function zoneOf(text: string): TimeZone {
  const parsed = parseTimeZone(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.zone;
}

const berlin = zoneOf("CET-1CEST,M3.5.0,M10.5.0/3");
const at = (isoUtc: string): number => Date.parse(isoUtc);

test("a window is open by the local clock, on its days, up to its last minute", () => {
  const rows: ReadonlyArray<readonly [string, string, boolean]> = [
    // 2025-01-05 is a Sunday; Berlin is at UTC+1
    ["sun 02:00 120", "2025-01-05T00:59:59.999Z", false],
    ["sun 02:00 120", "2025-01-05T01:00:00Z", true],
    ["sun 02:00 120", "2025-01-05T02:59:59.999Z", true],
    ["sun 02:00 120", "2025-01-05T03:00:00Z", false],
    ["sun 02:00 120", "2025-01-06T01:30:00Z", false],
    // over midnight, and over the end of the week
    ["sat 22:00 480", "2025-01-05T04:59:00Z", true],
    ["sat 22:00 480", "2025-01-05T05:00:00Z", false],
    ["sun 22:00 480", "2025-01-05T04:59:00Z", false],
    // the local day is another than the one in UTC
    ["mon 00:00 30", "2025-01-05T23:15:00Z", true],
    // a whole week is always
    ["wed 12:00 10080", "2025-01-08T10:59:59Z", true],
    ["wed 12:00 10079", "2025-01-08T10:59:59Z", false],
  ];
  for (const [window, instant, open] of rows)
    assert.equal(isOpen([windowOf(window)], berlin, at(instant)), open, `${window} at ${instant}`);
});

test("when the clock goes forward, what lies in the hour left out does not happen", () => {
  // 2025-03-30 in Berlin: 01:59:59 is followed by 03:00:00, at 01:00 UTC
  const inside = [windowOf("sun 02:00 60")];
  assert.equal(isOpen(inside, berlin, at("2025-03-30T00:59:59Z")), false);
  assert.equal(isOpen(inside, berlin, at("2025-03-30T01:00:00Z")), false);
  assert.equal(nextOpening(inside, berlin, at("2025-03-29T12:00Z")), at("2025-04-06T00:00Z"));

  const across = [windowOf("sun 01:30 120")];
  assert.equal(isOpen(across, berlin, at("2025-03-30T00:30:00Z")), true);
  assert.equal(isOpen(across, berlin, at("2025-03-30T01:29:59Z")), true);
  assert.equal(isOpen(across, berlin, at("2025-03-30T01:30:00Z")), false);

  const begun = [windowOf("sun 02:30 60")]; // its start is left out, its second half is not
  assert.equal(nextOpening(begun, berlin, at("2025-03-30T00:00Z")), at("2025-03-30T01:00Z"));
  assert.equal(isOpen(begun, berlin, at("2025-03-30T01:29:59Z")), true);
  assert.equal(isOpen(begun, berlin, at("2025-03-30T01:30:00Z")), false);
});

test("when the clock goes back, what lies in the repeated hour is open both times", () => {
  // 2025-10-26 in Berlin: 02:59:59 is followed by 02:00:00, at 01:00 UTC
  const half = [windowOf("sun 02:00 30")];
  const rows: ReadonlyArray<readonly [string, boolean]> = [
    ["2025-10-26T00:00:00Z", true],
    ["2025-10-26T00:29:59Z", true],
    ["2025-10-26T00:30:00Z", false],
    ["2025-10-26T00:59:59Z", false],
    ["2025-10-26T01:00:00Z", true],
    ["2025-10-26T01:30:00Z", false],
  ];
  for (const [instant, open] of rows) assert.equal(isOpen(half, berlin, at(instant)), open);
  assert.equal(nextOpening(half, berlin, at("2025-10-26T00:30Z")), at("2025-10-26T01:00Z"));
});

test("without a clock no configured window is open, and none can be foretold", () => {
  const always = [windowOf("sun 00:00 10080")];
  assert.equal(isOpen(always, utc, null), false);
  assert.equal(isOpen(always, utc, Number.NaN), false);
  assert.equal(nextOpening(always, utc, null), null);
});

test("windows that are not configured are always open; an empty list never is", () => {
  assert.equal(isOpen(null, utc, null), true);
  assert.equal(isOpen(null, utc, 0), true);
  assert.equal(nextOpening(null, utc, 5), 5);
  assert.equal(isOpen([], utc, 0), false);
  assert.equal(nextOpening([], berlin, at("2025-01-01")), null);
});

test("download and install windows are apart, and only a fix forced by server and signature overrides", () => {
  const windows: MaintenanceWindows = {
    zone: utc,
    download: null,
    install: [windowOf("sun 02:00 60")],
  };
  const monday = at("2025-01-06T00:00Z");
  const closed = {
    allowed: false,
    reason: "window-closed",
    opensAtUnixMs: at("2025-01-12T02:00Z"),
  };
  const noClock = { allowed: false, reason: "no-clock", opensAtUnixMs: null };
  const open = { allowed: true, overridden: false };
  const overridden = { allowed: true, overridden: true };
  const fix = (byServer: boolean, bySignedRelease: boolean) => ({ byServer, bySignedRelease });
  const rows = [
    ["download", monday, fix(false, false), open],
    ["download", null, fix(false, false), open],
    ["install", monday, fix(false, false), closed],
    ["install", monday, fix(true, false), closed],
    ["install", monday, fix(false, true), closed],
    ["install", monday, fix(true, true), overridden],
    ["install", null, fix(true, false), noClock],
    ["install", null, fix(true, true), overridden],
    ["install", at("2025-01-12T02:00Z"), fix(true, true), open],
  ] as const;
  for (const [step, unixMs, forced, expected] of rows)
    assert.deepEqual(decideWindow(step, windows, unixMs, forced), expected);
  assert.deepEqual(decideWindow("install", noWindows, null, fix(false, false)), open);
});

const quarter = 15;
const anyWindow: fc.Arbitrary<MaintenanceWindow> = fc.record(
  {
    days: fc.integer({ min: 1, max: 127 }),
    startMinute: fc.nat(95).map((quarters) => quarters * quarter),
    durationMinutes: fc.integer({ min: 1, max: 672 }).map((quarters) => quarters * quarter),
  },
  { noNullPrototype: true },
);
const anyWindows = fc.array(anyWindow, { minLength: 1, maxLength: 3 });
const zones: ReadonlyArray<readonly [string, TimeZone]> = [
  ["Europe/Berlin", berlin],
  ["America/New_York", zoneOf("EST5EDT,M3.2.0,M11.1.0")],
  ["Australia/Lord_Howe", zoneOf("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0")],
  ["Asia/Kolkata", zoneOf("IST-5:30")],
];
/** Instants of 2014 to 2037, half of them within two days of a change in Berlin or New York. */
const changes = ["2025-03-30", "2025-10-26", "2026-03-08", "2026-11-01", "2026-10-04"].map(at);
const anyInstant = fc.oneof(
  fc.integer({ min: at("2014-01-01"), max: at("2037-12-31") }),
  fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -2 * 86_400, max: 2 * 86_400 }))
    .map(([change, seconds]) => change + seconds * 1000),
);

/** The definition itself, on the clock that ECMA-402 shows. */
function opensByIntl(name: string): (window: MaintenanceWindow, unixMs: number) => boolean {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    hourCycle: "h23",
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (window, unixMs) => {
    const parts = Object.fromEntries(
      format.formatToParts(unixMs).map(({ type, value }) => [type, value]),
    );
    const today = dayNames.indexOf(String(parts["weekday"]).toLowerCase());
    const minute = Number(parts["hour"]) * 60 + Number(parts["minute"]);
    for (let daysAgo = 0; daysAgo <= 7; daysAgo += 1) {
      const opensThatDay = (window.days & (1 << ((today - daysAgo + 7) % 7))) !== 0;
      const minutesSince = daysAgo * 1440 + minute - window.startMinute;
      if (opensThatDay && minutesSince >= 0 && minutesSince < window.durationMinutes) return true;
    }
    return false;
  };
}

for (const [name, zone] of zones) {
  test(`agrees with the clock that Intl shows in ${name}`, () => {
    const opens = opensByIntl(name);
    fc.assert(
      fc.property(anyWindow, anyInstant, (window, unixMs) => {
        assert.equal(isOpen([window], zone, unixMs), opens(window, unixMs));
      }),
      { numRuns: 300 },
    );
  });

  test(`finds the very next opening in ${name}`, () => {
    fc.assert(
      fc.property(anyWindows, anyInstant, (windows, unixMs) => {
        const found = nextOpening(windows, zone, unixMs);
        assert.ok(found !== null && found >= unixMs && isOpen(windows, zone, found));
        // Offsets, changes and windows lie on quarters of an hour, so looking at each quarter
        // misses nothing.
        const quarterMs = quarter * 60_000;
        assert.equal(found === unixMs, isOpen(windows, zone, unixMs));
        const first = Math.floor(unixMs / quarterMs) * quarterMs;
        for (let instant = first + quarterMs; instant < found; instant += quarterMs)
          assert.equal(isOpen(windows, zone, instant), false, `open earlier, at ${instant}`);
      }),
      { numRuns: 60 },
    );
  });
}

test("the search is bounded for zones that change their clocks at absurd times", () => {
  const absurd = zoneOf("AAA-1BBB-2,M1.1.0/167,M1.2.0/-167");
  for (const month of ["01", "02", "07", "12"]) {
    const found = nextOpening([windowOf("tue 02:00 15")], absurd, at(`2025-${month}-01`));
    assert.ok(found !== null && isOpen([windowOf("tue 02:00 15")], absurd, found));
  }
});

const document = {
  timeZone: "CET-1CEST,M3.5.0,M10.5.0/3",
  download: [{ days: ["sat", "sun"], start: "22:00", minutes: 480 }],
  install: [{ days: ["sun"], start: "02:05", minutes: 10080, note: "ignored" }],
};

test("reads the windows document", () => {
  assert.deepEqual(decodeWindows(document), {
    ok: true,
    windows: {
      zone: berlin,
      download: [windowOf("sat sun 22:00 480")],
      install: [windowOf("sun 02:05 10080")],
    },
  });
  const partly = { timeZone: "UTC0", download: null };
  assert.deepEqual(decodeWindows(partly), {
    ok: true,
    windows: { zone: utc, download: null, install: null },
  });
  const frozen = decodeWindows({ timeZone: "UTC0", install: [] });
  assert.deepEqual(frozen.ok && frozen.windows.install, []);
});

test("refuses a document with its first fault and where it is", () => {
  const window = document.install[0] ?? {};
  const rows: ReadonlyArray<readonly [JsonObject, string, string]> = [
    [{}, "time-zone-missing", "timeZone"],
    [{ timeZone: 1 }, "time-zone-missing", "timeZone"],
    [{ timeZone: "CET" }, "time-zone-offset", "timeZone"],
    [{ ...document, download: {} }, "malformed-windows", "download"],
    [{ ...document, install: [1] }, "malformed-windows", "install[0]"],
    [{ ...document, install: Array(windowsMax + 1).fill(window) }, "too-many-windows", "install"],
    [
      { ...document, install: [window, { ...window, days: [] }] },
      "malformed-days",
      "install[1].days",
    ],
    [{ ...document, install: [{ ...window, days: "sun" }] }, "malformed-days", "install[0].days"],
    [{ ...document, install: [{ ...window, days: ["Sun"] }] }, "malformed-days", "install[0].days"],
    [
      { ...document, install: [{ ...window, days: Array(8).fill("sun") }] },
      "malformed-days",
      "install[0].days",
    ],
    [
      { ...document, install: [{ ...window, start: "24:00" }] },
      "malformed-start",
      "install[0].start",
    ],
    [
      { ...document, install: [{ ...window, start: "2:00" }] },
      "malformed-start",
      "install[0].start",
    ],
    [{ ...document, install: [{ ...window, start: null }] }, "malformed-start", "install[0].start"],
    [
      { ...document, install: [{ ...window, minutes: 0 }] },
      "malformed-minutes",
      "install[0].minutes",
    ],
    [
      { ...document, install: [{ ...window, minutes: 10081 }] },
      "malformed-minutes",
      "install[0].minutes",
    ],
    [
      { ...document, install: [{ ...window, minutes: 1.5 }] },
      "malformed-minutes",
      "install[0].minutes",
    ],
  ];
  for (const [value, reason, where] of rows)
    assert.deepEqual(decodeWindows(value), { ok: false, reason, at: where });
});

test("what it writes it reads back", () => {
  const anyList = fc.option(fc.array(anyWindow, { maxLength: windowsMax }));
  const anyZone = fc.constantFrom(...zones.map(([, zone]) => zone));
  fc.assert(
    fc.property(anyZone, anyList, anyList, (zone, download, install) => {
      const windows = { zone, download, install };
      assert.deepEqual(decodeWindows(encodeWindows(windows)), { ok: true, windows });
    }),
  );
});

test("any JSON object is read or refused, never thrown at", () => {
  const anyDocument = fc.dictionary(
    fc.constantFrom("timeZone", "download", "install", "__proto__"),
    fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constant("UTC0"),
      fc.array(
        fc.record(
          {
            days: fc.jsonValue(),
            start: fc.constantFrom("02:00", "", "25:00"),
            minutes: fc.integer(),
          },
          { requiredKeys: [] },
        ),
        { maxLength: 20 },
      ),
    ),
  );
  fc.assert(
    fc.property(anyDocument, (value) => {
      const parsed = parseJsonObject(encodeJson(value as JsonObject), 1 << 20);
      if (parsed === null) return;
      const decoded = decodeWindows(parsed);
      assert.ok(decoded.ok || decoded.reason.length > 0);
    }),
  );
});

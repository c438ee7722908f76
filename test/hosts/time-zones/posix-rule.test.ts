import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { posixRuleOf, ruleYears } from "../../../hosts/time-zones/posix-rule.ts";
import { nextChangeAfter, offsetSecondsAt, parseTimeZone } from "../../../src/policy/time-zone.ts";
import { intlOffset } from "../../support/intl-offset.ts";

const fromUnixMs = Date.UTC(2027, 0, 15, 8);
const endUnixMs = Date.UTC(2027 + ruleYears, 0, 15, 8);
const names = Intl.supportedValuesOf("timeZone");

function rulesOf(): ReadonlyMap<string, string> {
  const found = names.map((name) => [name, posixRuleOf(name, fromUnixMs)] as const);
  return new Map(found.flatMap(([name, made]) => (made.ok ? [[name, made.rule] as const] : [])));
}

function zoneOf(rule: string) {
  const parsed = parseTimeZone(rule);
  assert.ok(parsed.ok, rule);
  return parsed.zone;
}

test("nearly every zone of the database has a rule", () => {
  const without = names.filter((name) => !posixRuleOf(name, fromUnixMs).ok);
  assert.ok(names.length > 400, `${names.length} zones`);
  assert.ok(without.length < 10, without.join(" "));
});

test("a derived rule tells the time that ECMA-402 tells, at any instant of ten years", () => {
  const rules = rulesOf();
  const offsets = new Map([...rules.keys()].map((name) => [name, intlOffset(name)]));
  const instant = fc.integer({ min: fromUnixMs / 1000, max: endUnixMs / 1000 - 1 });
  fc.assert(
    fc.property(fc.constantFrom(...rules), instant, ([name, rule], second) => {
      const zone = zoneOf(rule);
      const told = offsets.get(name);
      assert.equal(offsetSecondsAt(zone, second), told?.(second), `${name} ${rule} at ${second}`);
    }),
    { numRuns: 5000 },
  );
});

test("the device's reader and ECMA-402 change each zone's clock at the same second", () => {
  for (const [name, rule] of rulesOf()) {
    const zone = zoneOf(rule);
    const told = intlOffset(name);
    let second = fromUnixMs / 1000;
    for (;;) {
      const change = nextChangeAfter(zone, second) ?? endUnixMs / 1000;
      if (change >= endUnixMs / 1000) break;
      assert.equal(told(change - 1), offsetSecondsAt(zone, change - 1), `${name} before ${change}`);
      assert.equal(told(change), offsetSecondsAt(zone, change), `${name} at ${change}`);
      assert.notEqual(told(change - 1), told(change), `${name} changes at ${change}`);
      second = change;
    }
  }
});

const examples: ReadonlyArray<readonly [string, string]> = [
  ["UTC", "UTC0"],
  ["Asia/Kolkata", "<+0530>-5:30"],
  ["America/Caracas", "<-04>4"],
  ["Pacific/Marquesas", "<-0930>9:30"],
  ["Europe/Berlin", "<+01>-1<+02>,M3.5.0,M10.5.0/3"],
  ["Europe/Dublin", "<+00>0<+01>,M3.5.0/1,M10.5.0"],
  ["America/New_York", "<-05>5<-04>,M3.2.0,M11.1.0"],
  ["Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"],
  ["Pacific/Chatham", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45"],
  ["America/Godthab", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"],
  ["Asia/Jerusalem", "<+02>-2<+03>,M3.4.4/26,M10.5.0"],
  ["Antarctica/Troll", "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3"],
];

for (const [name, rule] of examples)
  test(`the rule of ${name} is ${rule}`, () => {
    assert.deepEqual(posixRuleOf(name, fromUnixMs), { ok: true, rule });
  });

test("a rule is the same whenever in the year it is derived", () => {
  for (let month = 0; month < 12; month += 1)
    for (const [name, rule] of examples)
      assert.deepEqual(posixRuleOf(name, Date.UTC(2028, month, 29)), { ok: true, rule }, name);
});

test("a zone whose clocks follow another calendar has no rule, and says what to do", () => {
  const refused = posixRuleOf("Africa/Casablanca", Date.UTC(2024, 0));
  assert.ok(!refused.ok);
  assert.equal(refused.reason, "no-posix-rule");
  assert.match(refused.message, /Africa\/Casablanca for the next 10 years; .*"timeZone": "device"/);
});

test("a zone that changes its law within the ten years has a rule only after that", () => {
  assert.equal(posixRuleOf("America/Vancouver", Date.UTC(2024, 0)).ok, false);
  const after = posixRuleOf("America/Vancouver", Date.UTC(2027, 0));
  assert.deepEqual(after, { ok: true, rule: "<-07>7" });
});

test("a zone that the database does not have is told with its edition", () => {
  for (const name of ["Europe/Atlantis", "", "CET-1CEST", "x".repeat(10_000)]) {
    const refused = posixRuleOf(name, fromUnixMs);
    assert.ok(!refused.ok);
    assert.equal(refused.reason, "time-zone-unknown");
    assert.match(refused.message, /database \d{4}[a-z] has no zone/);
  }
});

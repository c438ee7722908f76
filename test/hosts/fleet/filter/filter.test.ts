import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceFacts } from "../../../../hosts/fleet/filter/fields.ts";
import { parseFilter } from "../../../../hosts/fleet/filter/filter.ts";
import { matches } from "../../../../hosts/fleet/filter/matches.ts";

const now = Date.parse("2026-11-30T12:00:00Z");
const hour = 3_600_000;

const lamp: DeviceFacts = {
  id: "lamp-17",
  hardware: "esp32c3-a",
  version: "1.10.0+3",
  confirmed: true,
  configuration: 12,
  state: "updated",
  reason: null,
  region: "eu/north",
  timezone: "Europe/Berlin",
  connectivity: "cellular",
  criticality: null,
  bootloader: "1.4.2",
  battery: 55.5,
  signal: -71,
  created: now - 1000 * hour,
  seen: now - 5 * hour,
  wake: now + 2 * hour,
  tag: new Set(["indoor", "frozen"]),
  group: new Set(["pilot"]),
  attribute: new Map([["site", "hall 3"]]),
};
const bare: DeviceFacts = {
  ...lamp,
  id: "bare",
  hardware: null,
  version: null,
  confirmed: null,
  configuration: null,
  state: "unknown",
  region: null,
  timezone: null,
  connectivity: null,
  bootloader: null,
  battery: null,
  signal: null,
  seen: null,
  wake: null,
  tag: new Set(),
  group: new Set(),
  attribute: new Map(),
};

/** Whether the lamp and the bare device pass. */
const passes: readonly (readonly [string, boolean, boolean])[] = [
  ["id==lamp-17", true, false],
  ["id==lamp-*", true, false],
  ["id=='lamp-*'", false, false],
  ["id==*", true, true],
  ["id==*a*e", false, true],
  ["hardware=in=(esp32c3-a,esp32c3-b)", true, false],
  ["hardware!=esp32c3-a", false, true],
  ["hardware=out=(esp32c3-a,esp32c3-b)", false, true],
  ["version==1.10.0+3", true, false],
  ["version=lt=1.9.0", false, false],
  ["version>1.9", true, false],
  ["version>=1.10.0+3;version<=1.10.0+3", true, false],
  ["version<1.10.0+4", true, false],
  ["version!=1.10.0", true, true],
  ["confirmed==true", true, false],
  ["confirmed!=true", false, true],
  ["configuration>=12", true, false],
  ["state==updated", true, false],
  ["region==eu/*", true, false],
  ["region==EU/north", false, false],
  ["battery<60", true, false],
  ["battery==55.5", true, false],
  ["signal>-80", true, false],
  ["seen<-1h", true, false],
  ["wake>-0s", true, false],
  ["wake=is=null", false, true],
  ["seen>-6h", true, false],
  ["seen<2026-11-30T08:00Z", true, false],
  ["created<2026-11-01", true, true],
  ["tag==frozen", true, false],
  ["tag!=frozen", false, true],
  ["tag=in=(a,indoor)", true, false],
  ["tag=out=(a,b)", true, true],
  ["tag==f*", true, false],
  ["group==pilot;tag!=outdoor", true, false],
  ["attribute.site==hall*", true, false],
  ["attribute.site!=hall*", false, true],
  ["criticality=is=null", true, true],
  ["region=is=null", false, true],
  ["region=not=null", true, false],
  ["tag=is=null", false, true],
  ["attribute.site=not=null", true, false],
  ["region==eu/north,hardware=is=null", true, true],
  ["(region==x,tag==frozen);battery>50", true, false],
];

for (const [text, first, second] of passes)
  test(`${text} takes ${[first && "the lamp", second && "the bare device"].filter(Boolean).join(" and ") || "none"}`, () => {
    const parsed = parseFilter(text);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.equal(matches(parsed.value, lamp, now), first);
    assert.equal(matches(parsed.value, bare, now), second);
  });

const refused: readonly (readonly [string, number, RegExp])[] = [
  ["regoin==eu", 1, /no field is called "regoin"; fields: id, hardware, version.*attribute\.KEY/],
  ["region==eu;toString==x", 12, /no field is called "toString"/],
  ["attribute.==x", 1, /no field is called "attribute\."/],
  ["region=like=eu", 7, /no operator is called "=like="; operators: == =in=/],
  ["version<new", 9, /"new" is no version, such as 1\.4, 1\.4\.0 or 1\.4\.0\+7/],
  ["version=in=(1.0.0,x)", 19, /"x" is no version/],
  ["region<eu", 7, /region has no order: ask with == != =in= =out=/],
  ["tag>a", 4, /tag has no order/],
  ["battery==full", 10, /battery is a number, and "full" is none/],
  ["battery<(1,2)", 12, /< takes one value/],
  ["state==upgraded", 8, /state is never "upgraded"; it is one of unknown, /],
  ["connectivity==lan", 15, /connectivity is never "lan"; it is one of wifi, /],
  ["confirmed==yes", 12, /confirmed is true or false, not "yes"/],
  ["seen==2026-11-30", 5, /seen is a time: ask for before or after/],
  ["seen<yesterday", 6, /seen is a time: "yesterday" is neither 2026-11-30, .* nor -7d/],
  ["seen<2026-13-45", 6, /is neither/],
  ["region=is=eu", 11, /=is= and =not= take the word "null"/],
];

for (const [text, column, message] of refused)
  test(`refuses ${text} at column ${column}`, () => {
    const parsed = parseFilter(text);
    assert.ok(!parsed.ok);
    assert.equal(parsed.defect.column, column);
    assert.match(parsed.defect.message, message);
  });

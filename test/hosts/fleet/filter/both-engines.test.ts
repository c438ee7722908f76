// The predicate over a device and the condition on its row are two readings of one filter.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Insertable } from "kysely";
import type { DeviceFacts } from "../../../../hosts/fleet/filter/fields.ts";
import { parseFilter } from "../../../../hosts/fleet/filter/filter.ts";
import { matches } from "../../../../hosts/fleet/filter/matches.ts";
import type { ShownState } from "../../../../hosts/fleet/rollout/member.ts";
import { FleetDatabase } from "../../../../hosts/fleet/storage/database.ts";
import { listDevices } from "../../../../hosts/fleet/storage/devices.ts";
import type { DeviceTable } from "../../../../hosts/fleet/storage/tables.ts";
import { versionKey } from "../../../../hosts/fleet/terms/version-key.ts";
import { parseVersion } from "../../../../src/image/version.ts";

const now = Date.parse("2026-11-30T12:00:00Z");
const devicesCount = 100;
const filtersCount = 200;

// Few values, so that filters meet devices; some with what patterns and quotes are made of.
const words = ["a", "A", "ab", "b", "a*b", "a?b", "[ab]", "é", "x y", ""];
const versions = ["0.9.0", "1.0.0", "1.0.0+1", "1.2.0", "1.10.0", "2.0.0"];
const numbers = [-90, -70, 0, 12.5, 50, 100];
const times = [now - 10 * 86_400_000, now - 3_600_000, now - 60_000];
const text = fc.constantFrom(...words);
const orNull = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: null });
const labels = fc.uniqueArray(text, { maxLength: 3 }).map((list) => new Set(list));

const device = fc.record({
  hardware: orNull(words),
  version: orNull(versions),
  confirmed: orNull([true, false]),
  configuration: orNull([1, 12]),
  state: fc.constantFrom("unknown", "updated", "failed"),
  reason: orNull(words),
  region: orNull(words),
  timezone: orNull(words),
  connectivity: orNull(["wifi", "cellular"]),
  criticality: orNull(["low", "high"]),
  bootloader: orNull(words),
  battery: orNull(numbers),
  signal: orNull(numbers),
  created: fc.constantFrom(...times),
  seen: orNull(times),
  wake: orNull(times),
  tag: labels,
  group: labels,
  attribute: fc
    .dictionary(fc.constantFrom("k", "l"), text)
    .map((of) => new Map(Object.entries(of))),
});

const quoted = (value: string): string => `'${value.replaceAll(/['\\]/g, "\\$&")}'`;
const value = fc.oneof(
  text.map(quoted),
  fc.constantFrom("a", "*", "a*", "*b", "a*b", "*?*", "**", "[a*", "é*"),
);
const textField = fc.constantFrom(
  ...[
    "id",
    "hardware",
    "reason",
    "region",
    "timezone",
    "bootloader",
    "tag",
    "group",
    "attribute.k",
  ],
);
const order = fc.constantFrom("<", "<=", ">", ">=", "=lt=", "=ge=");
const list = (values: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(values, { minLength: 1, maxLength: 3 }).map((all) => `(${all.join(",")})`);
const comparison = fc.oneof(
  fc.tuple(textField, fc.constantFrom("==", "!="), value).map((parts) => parts.join("")),
  fc.tuple(textField, fc.constantFrom("=in=", "=out="), list(value)).map((parts) => parts.join("")),
  fc.tuple(textField, fc.constantFrom("=is=null", "=not=null")).map((parts) => parts.join("")),
  fc
    .tuple(fc.oneof(order, fc.constantFrom("==", "!=")), fc.constantFrom(...versions, "1.2"))
    .map(([operator, version]) => `version${operator}${version}`),
  fc
    .tuple(
      fc.constantFrom("battery", "signal", "configuration"),
      fc.oneof(order, fc.constantFrom("==", "!=")),
      fc.constantFrom(...numbers),
    )
    .map((parts) => parts.join("")),
  fc
    .tuple(
      fc.constantFrom("seen", "created", "wake"),
      order,
      fc.constantFrom("-1h", "-7d", "2026-11-30"),
    )
    .map((parts) => parts.join("")),
  fc.constantFrom(
    "confirmed==true",
    "confirmed!=false",
    "state=out=(updated,failed)",
    "version=is=null",
    "battery=not=null",
  ),
);
const filter = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthIdentifier: "filter" },
    comparison,
    fc
      .tuple(tie("any"), fc.constantFrom(";", ","), tie("any"))
      .map(([a, sign, b]) => `(${a}${sign}${b})`),
  ),
})).any;

test(`agree on ${devicesCount * filtersCount} pairs of a device and a filter`, async () => {
  const database = await FleetDatabase.open(":memory:", { unixMs: () => now });
  const devices: DeviceFacts[] = fc
    .sample(device, { numRuns: devicesCount, seed: 7 })
    .map((facts, index) => ({ id: `d-${String(index).padStart(4, "0")}`, ...facts }));
  await database.write(async ({ db }) => {
    for (const facts of devices) {
      await db.insertInto("devices").values(rowOf(facts)).execute();
      for (const kind of ["tag", "group"] as const)
        for (const label of facts[kind])
          await db
            .insertInto("device_labels")
            .values({ device_id: facts.id, kind, label })
            .execute();
      for (const [key, of] of facts.attribute)
        await db
          .insertInto("device_attributes")
          .values({ device_id: facts.id, key, value: of })
          .execute();
    }
  });
  let [some, all] = [0, 0];
  for (const written of fc.sample(filter, { numRuns: filtersCount, seed: 11 })) {
    const parsed = parseFilter(written);
    assert.ok(parsed.ok, `${written}: ${JSON.stringify(parsed)}`);
    const expected = devices.filter((one) => matches(parsed.value, one, now)).map(({ id }) => id);
    const wanted = { filter: { wanted: parsed.value, nowUnixMs: now } };
    const found = await listDevices(database.queries, wanted, { after: null, limit: 500 });
    assert.deepEqual(
      found.map(({ id }) => id),
      expected,
      written,
    );
    if (expected.length > 0) some += 1;
    if (expected.length === devices.length) all += 1;
  }
  assert.ok(some > filtersCount / 2, `${some} filters take somebody`);
  assert.ok(all < filtersCount / 4, `${all} filters take everybody`);
  await database.close();
});

function rowOf(facts: DeviceFacts): Insertable<DeviceTable> {
  const version = facts.version === null ? null : parseVersion(facts.version);
  return {
    id: facts.id,
    token_sha256: null,
    token_mac: null,
    hardware: facts.hardware,
    hardware_by_operator: 0,
    created_at: facts.created,
    last_seen_at: facts.seen,
    next_wake_at: facts.wake,
    running_version: facts.version,
    running_version_key: version && versionKey(version),
    running_hash: null,
    running_confirmed: facts.confirmed === null ? null : Number(facts.confirmed),
    state: facts.state as ShownState,
    reason: facts.reason,
    state_at: now,
    attributes_wanted: 0,
    installed_action_id: null,
    auto_confirm_at: null,
    auto_confirm_initiator: null,
    auto_confirm_remark: null,
    configuration_version: facts.configuration,
    known_from: null,
    region: facts.region,
    timezone: facts.timezone,
    connectivity: facts.connectivity,
    criticality: facts.criticality,
    bootloader: facts.bootloader,
    battery: facts.battery,
    signal: facts.signal,
  };
}

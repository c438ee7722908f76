import { type Expression, type ExpressionBuilder, type SqlBool, sql } from "kysely";
import type { FieldRef } from "../filter/fields.ts";
import type { Filter, Pattern, Relation, Test } from "../filter/filter.ts";
import { momentMs } from "../filter/matches.ts";
import { hasForm } from "./sqlite/statements.ts";
import type { DeviceTable, Tables } from "./tables.ts";

type Builder = ExpressionBuilder<Tables, "devices">;

/**
 * A filter as a condition on the rows of `devices`, every value a parameter; `matches` answers the
 * same of the same device.
 */
export function filterCondition(
  build: Builder,
  filter: Filter,
  nowUnixMs: number,
): Expression<SqlBool> {
  switch (filter.kind) {
    case "all":
      return build.and(filter.of.map((part) => filterCondition(build, part, nowUnixMs)));
    case "any":
      return build.or(filter.of.map((part) => filterCondition(build, part, nowUnixMs)));
    default:
      return testCondition(build, filter, nowUnixMs);
  }
}

function testCondition(build: Builder, test: Test, nowUnixMs: number): Expression<SqlBool> {
  switch (test.kind) {
    case "present":
      return unless(build, test.negated, presence(build, test.field));
    case "matches":
      return unless(build, test.negated, membership(build, test.field, test.patterns));
    case "equals": {
      const column = build.ref(`devices.${columns[test.field.name]}`);
      const keys: readonly (string | number)[] = test.keys;
      return unless(build, test.negated, sql`coalesce(${column} in (${sql.join(keys)}), ${no})`);
    }
    case "compares": {
      const column = build.ref(`devices.${columns[test.field.name]}`);
      const key = typeof test.key === "object" ? momentMs(test.key, nowUnixMs) : test.key;
      return sql`coalesce(${column} ${signs[test.relation]} ${key}, ${no})`;
    }
  }
}

const no = sql.lit(0);

const signs: Readonly<Record<Relation, ReturnType<typeof sql.raw>>> = {
  lt: sql.raw("<"),
  le: sql.raw("<="),
  gt: sql.raw(">"),
  ge: sql.raw(">="),
};

type ColumnField = Exclude<FieldRef, { type: "attribute" | "set" }>["name"];

const columns = {
  id: "id",
  hardware: "hardware",
  version: "running_version_key",
  confirmed: "running_confirmed",
  configuration: "configuration_version",
  state: "state",
  reason: "reason",
  region: "region",
  timezone: "timezone",
  connectivity: "connectivity",
  criticality: "criticality",
  bootloader: "bootloader",
  battery: "battery",
  signal: "signal",
  created: "created_at",
  seen: "last_seen_at",
  wake: "next_wake_at",
} as const satisfies Readonly<Record<ColumnField, keyof DeviceTable>>;

function unless(
  build: Builder,
  negated: boolean,
  condition: Expression<SqlBool>,
): Expression<SqlBool> {
  return negated ? build.not(condition) : condition;
}

function presence(build: Builder, field: FieldRef): Expression<SqlBool> {
  if (field.type === "set" || field.type === "attribute") return membership(build, field, null);
  return build(`devices.${columns[field.name]}`, "is not", null);
}

/** Is there a text that fits one of the patterns, or any text at all? */
function membership(
  build: Builder,
  field: Extract<FieldRef, { type: "text" | "attribute" | "set" }>,
  patterns: readonly Pattern[] | null,
): Expression<SqlBool> {
  if (field.type === "text") {
    const column = build.ref(`devices.${columns[field.name]}`);
    return sql`coalesce(${fits(build, column, patterns ?? [])}, ${no})`;
  }
  if (field.type === "set") {
    const labels = build
      .selectFrom("device_labels")
      .select("label")
      .whereRef("device_labels.device_id", "=", "devices.id")
      .where("kind", "=", field.name);
    return build.exists(
      patterns === null ? labels : labels.where(fits(build, sql.ref("label"), patterns)),
    );
  }
  const attributes = build
    .selectFrom("device_attributes")
    .select("value")
    .whereRef("device_attributes.device_id", "=", "devices.id")
    .where("key", "=", field.key);
  return build.exists(
    patterns === null ? attributes : attributes.where(fits(build, sql.ref("value"), patterns)),
  );
}

function fits(
  build: Builder,
  text: Expression<unknown>,
  patterns: readonly Pattern[],
): Expression<SqlBool> {
  const exact = patterns.flatMap((pattern) => ("exact" in pattern ? [pattern.exact] : []));
  const forms = patterns.flatMap((pattern) => ("parts" in pattern ? [pattern.parts] : []));
  return build.or([
    ...(exact.length > 0 ? [sql<SqlBool>`${text} in (${sql.join(exact)})`] : []),
    ...forms.map((parts) => hasForm(text, parts)),
  ]);
}

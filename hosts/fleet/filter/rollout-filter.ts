import { type Filter, parseFilter } from "./filter.ts";
import { type Comparison, type Expression, type Parsed, parseExpression } from "./syntax.ts";

/**
 * Fields that change by a rollout's own offers, or with each contact: asked by them, devices would
 * come and go.
 */
const changedByRollouts: readonly string[] = ["state", "reason", "seen", "wake"];

/** Reads the filter of a rollout, over what its offers leave as it is. */
export function parseRolloutFilter(text: string): Parsed<Filter> {
  const written = parseExpression(text);
  if (!written.ok) return written;
  const changing = comparisonsOf(written.value).find(({ field }) =>
    changedByRollouts.includes(field),
  );
  if (changing === undefined) return parseFilter(text);
  const message = `a rollout cannot ask for ${changing.field}, which its own offers change`;
  return { ok: false, defect: { message, column: changing.fieldColumn } };
}

/** What a device must pass to be of a stage: its group and its filter; null when it has neither. */
export function filterOfStage({
  group,
  filter,
}: {
  readonly group?: string;
  readonly filter?: string;
}): Parsed<Filter | null> {
  const field = { type: "set", name: "group" } as const;
  const own: readonly Filter[] =
    group === undefined
      ? []
      : [{ kind: "matches", field, patterns: [{ exact: group }], negated: false }];
  const read = filter === undefined ? null : parseRolloutFilter(filter);
  if (read?.ok === false) return read;
  const all = read === null ? own : [...own, read.value];
  const [first = null] = all;
  return { ok: true, value: all.length > 1 ? { kind: "all", of: all } : first };
}

function comparisonsOf(expression: Expression): readonly Comparison[] {
  return expression.kind === "comparison" ? [expression] : expression.of.flatMap(comparisonsOf);
}

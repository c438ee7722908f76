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

function comparisonsOf(expression: Expression): readonly Comparison[] {
  return expression.kind === "comparison" ? [expression] : expression.of.flatMap(comparisonsOf);
}

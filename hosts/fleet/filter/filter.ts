import { parseVersion } from "../../../src/image/version.ts";
import { versionKey } from "../terms/version-key.ts";
import { type FieldRef, fieldNames, fieldOf, wordsOf } from "./fields.ts";
import {
  type Comparison,
  type Expression,
  type FilterDefect,
  type Parsed,
  parseExpression,
  type WrittenValue,
} from "./syntax.ts";

/** A text, or the texts between the `*` of a pattern, each of which stands for any text. */
export type Pattern = { readonly exact: string } | { readonly parts: readonly string[] };

export type Relation = "lt" | "le" | "gt" | "ge";

/** A moment: fixed, or so long before the time at which the filter is asked. */
export type Moment = { readonly unixMs: number } | { readonly agoMs: number };

type Field<Type extends FieldRef["type"]> = Extract<FieldRef, { readonly type: Type }>;

/**
 * One question about one field. What a device lacks is in no list, so that it is out of every one;
 * and it is neither more nor less than anything.
 */
export type Test =
  | { readonly kind: "present"; readonly field: FieldRef; readonly negated: boolean }
  | {
      readonly kind: "matches";
      readonly field: Field<"text" | "attribute" | "set">;
      readonly patterns: readonly Pattern[];
      readonly negated: boolean;
    }
  | {
      readonly kind: "equals";
      readonly field: Field<"version">;
      readonly keys: readonly string[];
      readonly negated: boolean;
    }
  | {
      readonly kind: "equals";
      readonly field: Field<"number" | "truth">;
      readonly keys: readonly number[];
      readonly negated: boolean;
    }
  | {
      readonly kind: "compares";
      readonly field: Field<"version">;
      readonly relation: Relation;
      readonly key: string;
    }
  | {
      readonly kind: "compares";
      readonly field: Field<"number">;
      readonly relation: Relation;
      readonly key: number;
    }
  | {
      readonly kind: "compares";
      readonly field: Field<"time">;
      readonly relation: Relation;
      readonly key: Moment;
    };

export type Filter = Test | { readonly kind: "all" | "any"; readonly of: readonly Filter[] };

/**
 * Reads a filter over devices. A defect names the column, the value and what would have been
 * taken; nothing of a filter with a defect is used.
 */
export function parseFilter(text: string): Parsed<Filter> {
  const parsed = parseExpression(text);
  return parsed.ok ? typed(parsed.value) : parsed;
}

function typed(expression: Expression): Parsed<Filter> {
  if (expression.kind === "comparison") return typedTest(expression);
  const of: Filter[] = [];
  for (const part of expression.of) {
    const read = typed(part);
    if (!read.ok) return read;
    of.push(read.value);
  }
  return { ok: true, value: { kind: expression.kind, of } };
}

type Operation = "in" | "out" | "is" | "not" | Relation;

/** RSQL's operators and FIQL's long forms of them. */
const operations: Readonly<Record<string, Operation>> = {
  "==": "in",
  "=in=": "in",
  "!=": "out",
  "=out=": "out",
  "=lt=": "lt",
  "<": "lt",
  "=le=": "le",
  "<=": "le",
  "=gt=": "gt",
  ">": "gt",
  "=ge=": "ge",
  ">=": "ge",
  "=is=": "is",
  "=not=": "not",
};

function typedTest(comparison: Comparison): Parsed<Filter> {
  const { field: name, fieldColumn, operator, operatorColumn, values } = comparison;
  const field = fieldOf(name);
  if (field === null)
    return defect(`no field is called "${name}"; fields: ${fieldNames.join(", ")}`, fieldColumn);
  const operation = Object.hasOwn(operations, operator) ? operations[operator] : undefined;
  if (operation === undefined)
    return defect(
      `no operator is called "${operator}"; operators: ${Object.keys(operations).join(" ")}`,
      operatorColumn,
    );
  if (operation === "is" || operation === "not")
    return presence(field, operation === "not", values);
  if (operation === "in" || operation === "out")
    return membership(field, name, operation === "out", comparison);
  const [first, second] = values;
  if (first === undefined || second !== undefined)
    return defect(`${operator} takes one value`, second?.column ?? operatorColumn);
  return order(field, name, operation, first, operatorColumn);
}

function presence(
  field: FieldRef,
  negated: boolean,
  values: readonly WrittenValue[],
): Parsed<Filter> {
  const [value] = values;
  if (values.length !== 1 || value?.text !== "null")
    return defect('=is= and =not= take the word "null"', value?.column ?? 1);
  return { ok: true, value: { kind: "present", field, negated: !negated } };
}

function membership(
  field: FieldRef,
  name: string,
  negated: boolean,
  { values, operatorColumn }: Comparison,
): Parsed<Filter> {
  switch (field.type) {
    case "text":
    case "attribute":
    case "set": {
      const known = field.type === "text" ? wordsOf[field.name] : undefined;
      const patterns = each(values, (value) => patternOf(value, name, known));
      return patterns.ok
        ? { ok: true, value: { kind: "matches", field, patterns: patterns.value, negated } }
        : patterns;
    }
    case "version": {
      const keys = each(values, (value) => versionOf(value));
      return keys.ok
        ? { ok: true, value: { kind: "equals", field, keys: keys.value, negated } }
        : keys;
    }
    case "number":
    case "truth": {
      const keys = each(values, (value) =>
        field.type === "number" ? numberOf(value, name) : truthOf(value, name),
      );
      return keys.ok
        ? { ok: true, value: { kind: "equals", field, keys: keys.value, negated } }
        : keys;
    }
    case "time":
      return defect(`${name} is a time: ask for before or after with < <= > >=`, operatorColumn);
  }
}

function order(
  field: FieldRef,
  name: string,
  relation: Relation,
  value: WrittenValue,
  operatorColumn: number,
): Parsed<Filter> {
  switch (field.type) {
    case "version": {
      const key = versionOf(value);
      return key.ok
        ? { ok: true, value: { kind: "compares", field, relation, key: key.value } }
        : key;
    }
    case "number": {
      const key = numberOf(value, name);
      return key.ok
        ? { ok: true, value: { kind: "compares", field, relation, key: key.value } }
        : key;
    }
    case "time": {
      const key = momentOf(value, name);
      return key.ok
        ? { ok: true, value: { kind: "compares", field, relation, key: key.value } }
        : key;
    }
    default:
      return defect(
        `${name} has no order: ask with == != =in= =out=, where * stands for any text`,
        operatorColumn,
      );
  }
}

function patternOf(
  { text, column, quoted }: WrittenValue,
  name: string,
  known: readonly string[] | undefined,
): Parsed<Pattern> {
  if (!quoted && text.includes("*")) return { ok: true, value: { parts: text.split("*") } };
  if (known !== undefined && !known.includes(text))
    return defect(`${name} is never "${text}"; it is one of ${known.join(", ")}`, column);
  return { ok: true, value: { exact: text } };
}

function versionOf({ text, column }: WrittenValue): Parsed<string> {
  const version = parseVersion(text);
  return version === null
    ? defect(`"${text}" is no version, such as 1.4, 1.4.0 or 1.4.0+7`, column)
    : { ok: true, value: versionKey(version) };
}

function numberOf({ text, column }: WrittenValue, name: string): Parsed<number> {
  return /^-?[0-9]{1,15}(?:[.][0-9]{1,6})?$/.test(text)
    ? { ok: true, value: Number(text) }
    : defect(`${name} is a number, and "${text}" is none`, column);
}

function truthOf({ text, column }: WrittenValue, name: string): Parsed<number> {
  return text === "true" || text === "false"
    ? { ok: true, value: Number(text === "true") }
    : defect(`${name} is true or false, not "${text}"`, column);
}

const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function momentOf({ text, column }: WrittenValue, name: string): Parsed<Moment> {
  const [, count, unit] = /^-([0-9]{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined)
    return { ok: true, value: { agoMs: Number(count) * unitsMs[unit as keyof typeof unitsMs] } };
  const isDate = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?Z)?$/.test(text);
  const unixMs = isDate ? Date.parse(text) : Number.NaN;
  return Number.isNaN(unixMs)
    ? defect(
        `${name} is a time: "${text}" is neither 2026-11-30, 2026-11-30T12:00Z nor -7d (s, m, h, d ago)`,
        column,
      )
    : { ok: true, value: { unixMs } };
}

function each<T>(
  values: readonly WrittenValue[],
  read: (value: WrittenValue) => Parsed<T>,
): Parsed<T[]> {
  const all: T[] = [];
  for (const value of values) {
    const one = read(value);
    if (!one.ok) return one;
    all.push(one.value);
  }
  return { ok: true, value: all };
}

function defect(message: string, column: number): { ok: false; defect: FilterDefect } {
  return { ok: false, defect: { message, column } };
}

import type { PageAnswer } from "../../fleet/routes/requests/common-schemas.ts";

/** Whether a value that came from outside has a shape. */
export type Check<T> = (value: unknown) => value is T;

export const isText: Check<string> = (value) => typeof value === "string";
export const isNumber: Check<number> = (value) => typeof value === "number";
export const isFlag: Check<boolean> = (value) => typeof value === "boolean";

export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value): value is T | null => value === null || check(value);
}

export function orAbsent<T>(check: Check<T>): Check<T | undefined> {
  return (value): value is T | undefined => value === undefined || check(value);
}

export function listOf<T>(check: Check<T>): Check<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(check);
}

/** An object of any names. */
export function recordOf<T>(check: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value): value is Readonly<Record<string, T>> =>
    isObject(value) && Object.values(value).every(check);
}

/**
 * The part of an answer that a command reads, each member with its check; a newer server may say
 * more. A member that the answer's schema does not name, and a check that refuses what the schema
 * lets through, fail the compiler: `partOf<DeviceAnswer>()({ id: isText })`.
 */
export function partOf<Answer extends object>() {
  return <Read>(
    members: { readonly [Name in keyof Read]: Check<Read[Name]> } & NoInfer<Fitting<Answer, Read>>,
  ): Check<Part<Answer, Read>> => objectOf(members);
}

export type Page<T> = PageAnswer<T>;

export function isPageOf<T>(item: Check<T>): Check<Page<T>> {
  return objectOf<Page<T>>({ items: listOf(item), next: orNull(isText) } satisfies {
    [Name in keyof Page<T>]: Check<Page<T>[Name]>;
  });
}

/** What a check proves. */
export type Checked<C> = C extends Check<infer T> ? T : never;

/** Nothing fits a member that the answer lacks, or a check narrower than the answer's type. */
type Fitting<Answer, Read> = {
  readonly [Name in keyof Read]: Name extends keyof Answer
    ? Answer[Name] extends Read[Name]
      ? unknown
      : never
    : never;
};

/** What is optional in the answer stays optional in its part. */
type Part<Answer, Read> = {
  readonly [Name in keyof Answer as Name extends keyof Read ? Name : never]: Name extends keyof Read
    ? Read[Name]
    : never;
};

function objectOf<T>(members: Readonly<Record<string, Check<unknown>>>): Check<T> {
  const checks = Object.entries(members);
  return (value): value is T =>
    isObject(value) &&
    checks.every(([name, check]) => check(Object.hasOwn(value, name) ? value[name] : undefined));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

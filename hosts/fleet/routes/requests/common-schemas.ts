import { deviceIdPattern } from "../../terms/names.ts";
import type { TypeOf } from "./schema-types.ts";

/**
 * JSON schemas of the management API, by noun; the OpenAPI document is made of them. Times are
 * milliseconds since 1970.
 */

export const time = { type: "integer", description: "milliseconds since 1970" } as const;
export const timeOrNull = { ...time, type: ["integer", "null"] } as const;
export const textOrNull = { type: ["string", "null"] } as const;
export const numberOrNull = { type: ["number", "null"] } as const;
export const integerOrNull = { type: ["integer", "null"] } as const;
export const share = { type: "number", minimum: 0, maximum: 1 } as const;
export const seconds = { type: "integer", minimum: 0, maximum: 365 * 24 * 3600 } as const;
export const anyObject = { type: "object", additionalProperties: true } as const;
export const hardwareId = {
  type: "string",
  maxLength: 32,
  pattern: "^[a-z0-9.]+(-[a-z0-9.]+)+$",
  description: "family-revision such as esp32c3-b, in lower case",
} as const;
export const version = { type: "string", minLength: 1, maxLength: 32 } as const;

/**
 * An object of an answer: all of its properties are always there, but for those named as optional.
 */
export function answerSchema<
  const P extends Readonly<Record<string, object>>,
  Optional extends keyof P & string = never,
>(properties: P, optional: readonly Optional[] = []) {
  type Required = Exclude<keyof P & string, Optional>;
  const isRequired = (name: string): name is Required => !optional.some((one) => one === name);
  const required: readonly Required[] = Object.keys(properties).filter(isRequired);
  return { type: "object", required, properties } as const;
}

export const error = answerSchema({
  error: { type: "string", description: "the reason, one word of a closed set" },
  message: { type: "string", description: "what happened, the value, the limit, the next step" },
});

/** The errors that every route may answer. A status that a route names itself goes before. */
export const errorResponses = {
  400: { description: "The request is not of the form that this document gives", ...error },
  401: { description: "The server asks for its admin token", ...error },
  "4xx": { description: "Refused: `error` says why in a word, `message` in a sentence", ...error },
  "5xx": { description: "The server failed; its log has the cause", ...error },
} as const;

/** Answered without a body. */
export const nothing = { type: "null", description: "Done" } as const;

/** `{items, next}`: `next` is the cursor of the page after, or null at the end. */
export function pageSchema<const Item extends object>(items: Item) {
  return answerSchema({ items: { type: "array", items }, next: textOrNull });
}

type AnyPage = TypeOf<ReturnType<typeof pageSchema<object>>>;

export type PageAnswer<Item> = {
  readonly [Name in keyof AnyPage]: Name extends "items" ? readonly Item[] : AnyPage[Name];
};

const pageLimitQuery = {
  type: "string",
  pattern: "^([1-9][0-9]?|[1-4][0-9][0-9]|500)$",
  description: "1 to 500, 100 when absent",
} as const;
const cursor = "the `next` of the page before";

/** The query of lists in the order of numbers. */
export const numberPageQuery = {
  limit: pageLimitQuery,
  after: { type: "string", pattern: "^[0-9]{1,15}$", description: cursor },
} as const;

/** The query of lists in the order of the devices' ids. */
export const devicePageQuery = {
  limit: pageLimitQuery,
  after: { type: "string", pattern: deviceIdPattern, description: cursor },
} as const;

/** A list with these parameters; one that is misspelt is refused, not passed over. */
export function listQuery<const T extends object>(properties: T) {
  return { type: "object", additionalProperties: false, properties } as const;
}

export function pathParameter<const Name extends string, const S extends object>(
  name: Name,
  schema: S,
) {
  const properties = { [name]: schema } as Readonly<Record<Name, S>>;
  return { type: "object", required: [name], properties } as const;
}

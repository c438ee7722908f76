import { labelPattern } from "../../../terms/registry.ts";
import {
  answerSchema,
  anyObject,
  listQuery,
  numberPageQuery,
  pathParameter,
  time,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

export const groupParameters = pathParameter("group", {
  type: "string",
  pattern: labelPattern,
  description: "a group of devices",
});

export const windowsQuery = listQuery({
  limit: numberPageQuery.limit,
  after: { type: "string", pattern: labelPattern, description: "`next` of the page before" },
} as const);

export const newWindowsSchema = {
  type: "object",
  additionalProperties: true,
  description: "a windows document without `groups`, see docs/windows.md",
} as const;

export const groupWindowsSchema = answerSchema({
  group: { type: "string" },
  windows: { ...anyObject, description: "the document, as it was set" },
  changedAtUnixMs: time,
});

export type GroupWindowsAnswer = TypeOf<typeof groupWindowsSchema>;

import {
  answerSchema,
  anyObject,
  listQuery,
  numberPageQuery,
  time,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

export const cohortsQuery = listQuery(numberPageQuery);

export const cohortSchema = answerSchema({
  hourUnixMs: { ...time, description: "when the hour began" },
  hardware: { type: "string", description: "empty when it is not known" },
  region: { type: "string" },
  version: { type: "string" },
  reports: { type: "integer" },
  metrics: { ...anyObject, description: "by metric: {hours, amount}" },
});

const group = answerSchema({
  devices: { type: "integer" },
  value: { type: "number", description: "a mean, or devices that had an event" },
});

const standing = answerSchema({
  metric: { type: "string" },
  updated: group,
  waiting: group,
  evidence: { type: "number", description: "that updated devices are worse" },
  limit: { type: "number", description: "where the evidence halts the rollout" },
  accepted: { type: "boolean", description: "an operator let the rollout go on all the same" },
  sentence: { type: "string" },
});

export const comparisonSchema = answerSchema({
  control: { ...anyObject, type: ["object", "null"], description: "null compares nothing" },
  metrics: { type: "array", items: standing },
});

export type CohortAnswer = TypeOf<typeof cohortSchema>;
export type ComparisonAnswer = TypeOf<typeof comparisonSchema>;

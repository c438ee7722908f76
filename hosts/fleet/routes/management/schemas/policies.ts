import { filterLengthMax } from "../../../filter/syntax.ts";
import { abortActions, abortMetrics } from "../../../rollout/abort.ts";
import { limits } from "../../../terms/limits.ts";
import {
  answerSchema,
  anyObject,
  integerOrNull,
  pathParameter,
  seconds,
  share,
  textOrNull,
  time,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";
import { controlSchema } from "./control.ts";

export const policyName = {
  type: "string",
  minLength: 1,
  maxLength: 64,
  pattern: "^[a-z0-9][a-z0-9._-]*$",
  description: "lower-case letters, digits, dots, dashes and underscores",
} as const;

const stageSchema = {
  type: "object",
  required: ["soakSeconds"],
  additionalProperties: false,
  properties: {
    percent: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 100,
      description: "of the devices, those of the stages before included",
    },
    count: { type: "integer", minimum: 1, maximum: limits.devicesMax },
    group: { type: "string", minLength: 1, maxLength: 64 },
    filter: {
      type: "string",
      minLength: 1,
      maxLength: filterLengthMax,
      description: "RSQL over devices, but not their state; see docs/filters.md",
    },
    soakSeconds: seconds,
    advance: {
      description: "how the stage gives way to the next one once it soaked",
      anyOf: [
        { type: "string", enum: ["automatic", "manual"] },
        {
          type: "object",
          required: ["approvals", "role"],
          additionalProperties: false,
          properties: {
            approvals: { type: "integer", minimum: 1, maximum: limits.approvalsMax },
            role: { type: "string", minLength: 1, maxLength: 64 },
          },
        },
      ],
    },
    success: {
      type: ["object", "null"],
      required: ["share"],
      additionalProperties: false,
      description: "when the stage is settled before every device has an outcome",
      properties: {
        share: { type: "number", exclusiveMinimum: 0, maximum: 1 },
        of: { type: "string", enum: ["attempted", "reachable"] },
        minSample: { type: "integer", minimum: 1, maximum: limits.devicesMax },
      },
    },
  },
} as const;

/** What a policy says, and a rollout may say in its place. */
export const policyRules = {
  stages: { type: "array", minItems: 1, maxItems: limits.rolloutStagesMax, items: stageSchema },
  abort: {
    type: "array",
    maxItems: limits.abortRulesMax,
    items: {
      type: "object",
      required: ["metric", "share", "action"],
      additionalProperties: false,
      properties: {
        metric: { type: "string", enum: abortMetrics },
        share: { ...share, description: "the limit that the lower bound must be over" },
        minSample: { type: "integer", minimum: 1, maximum: limits.devicesMax },
        action: { type: "string", enum: abortActions },
      },
    },
  },
  confidence: {
    type: "number",
    minimum: 0.5,
    maximum: 0.9999,
    description: "one-sided, of the lower bound: 0.95 when absent",
  },
  stragglers: {
    type: "object",
    additionalProperties: false,
    properties: { allowedShare: share, afterSeconds: seconds },
  },
  resume: {
    type: ["object", "null"],
    required: ["afterSeconds"],
    additionalProperties: false,
    description: "a rollout that a rule stopped goes on once the rule was kept for so long",
    properties: { afterSeconds: { ...seconds, minimum: 1 } },
  },
  control: controlSchema,
  newcomers: {
    type: "string",
    enum: ["join", "wait"],
    description: "devices that come later: into the stage of their bucket, or into the last one",
  },
} as const;

export const newPolicySchema = {
  type: "object",
  required: ["stages"],
  additionalProperties: false,
  properties: {
    name: policyName,
    description: { type: "string", maxLength: 1000 },
    ...policyRules,
  },
} as const;

export const policyParameters = pathParameter("name", policyName);

export const policyQuery = {
  type: "object",
  additionalProperties: false,
  properties: {
    version: {
      type: "string",
      pattern: "^[1-9][0-9]{0,8}$",
      description: "the newest when absent",
    },
  },
} as const;

export const policySchema = answerSchema({
  name: { type: "string" },
  version: { type: "integer" },
  isPreset: { type: "boolean", description: "every server has it, and nobody changes it" },
  description: textOrNull,
  createdAtUnixMs: integerOrNull,
  rules: anyObject,
});

export const decisionSchema = answerSchema({
  id: { type: "integer" },
  stage: { type: "integer" },
  kind: { type: "string" },
  sentence: { type: "string", description: "what was decided and why, with its arithmetic" },
  inputs: anyObject,
  atUnixMs: time,
});

export const approvalSchema = {
  type: "object",
  required: ["approver"],
  additionalProperties: false,
  properties: {
    approver: {
      type: "string",
      minLength: 1,
      maxLength: limits.nameCharactersMax,
      description: "who approves; nobody counts twice for a stage",
    },
  },
} as const;

export type PolicyAnswer = TypeOf<typeof policySchema>;
export type DecisionAnswer = TypeOf<typeof decisionSchema>;

import { limits } from "../../../limits.ts";
import { answerSchema, textOrNull } from "./common.ts";

const expirySchema = answerSchema({
  role: { type: "string" },
  version: { type: "integer" },
  expiresAtUnixMs: { type: "integer", description: "milliseconds since 1970" },
  lifeLeftPercent: { type: "integer", description: "of the life that it was signed for" },
  level: { type: "string", enum: ["good", "half", "soon", "expired"] },
});

export const trustSchema = answerSchema({
  ready: { type: "boolean", description: "devices find all that they need" },
  problem: textOrNull,
  roles: { type: "array", items: expirySchema },
  targets: { type: "integer" },
});

const missingFile = answerSchema({ name: { type: "string" }, sha256: { type: "string" } });

export const missingSchema = {
  description: "Files that the targets name are not here yet: send them, then the metadata again",
  ...answerSchema({
    error: { type: "string" },
    message: { type: "string" },
    missing: { type: "array", items: missingFile },
  }),
} as const;

const lifeDaysSchema = { type: "number", minimum: 0.04, maximum: 3650 } as const;

export const newMetadataSchema = {
  type: "object",
  required: ["documents"],
  properties: {
    documents: {
      type: "object",
      description: "signed documents as texts, by file name",
      maxProperties: limits.metadataFilesMax,
      additionalProperties: { type: "string" },
    },
    lifeDays: {
      type: "object",
      description: "how long snapshots and timestamps are valid",
      properties: { snapshot: lifeDaysSchema, timestamp: lifeDaysSchema },
      additionalProperties: false,
    },
  },
} as const;

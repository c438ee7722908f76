import { limits } from "../../../terms/limits.ts";
import { answerSchema, textOrNull } from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

const expirySchema = answerSchema({
  role: { type: "string" },
  version: { type: "integer" },
  expiresAtUnixMs: { type: "integer", description: "milliseconds since 1970" },
  lifeLeftPercent: { type: "integer", description: "of the life that it was signed for" },
  level: { type: "string", enum: ["good", "half", "soon", "expired"] },
});

const aheadSchema = answerSchema({
  count: { type: "integer", description: "1,000 stands for more, too" },
  latestUnixMs: { type: "integer", description: "milliseconds since 1970" },
  deviceIds: { type: "array", items: { type: "string" }, description: "a few of them" },
});

export const trustSchema = answerSchema({
  ready: { type: "boolean", description: "devices find all that they need" },
  problem: textOrNull,
  ahead: {
    description:
      "devices that learnt a later time from a wrong clock than what the offline keys signed is good for, or null",
    anyOf: [aheadSchema, { type: "null" }],
  },
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

export const targetQuery = {
  type: "object",
  additionalProperties: false,
  required: ["sha256"],
  properties: {
    sha256: {
      type: "string",
      pattern: "^[0-9a-f]{64}$",
      description: "64 lower-case hex digits",
    },
  },
} as const;

export type NewMetadataBody = TypeOf<typeof newMetadataSchema>;
export type TrustAnswer = TypeOf<typeof trustSchema>;
export type MissingAnswer = TypeOf<typeof missingSchema>;

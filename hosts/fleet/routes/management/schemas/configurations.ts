import { answerSchema, time } from "../../requests/common-schemas.ts";

const properties = {
  version: { type: "integer" },
  fileHash: { type: "string" },
  sizeBytes: { type: "integer" },
  createdAtUnixMs: time,
} as const;

export const configurationSchema = answerSchema(properties);

export const publishedConfigurationSchema = answerSchema({
  ...properties,
  created: { type: "boolean", description: "false: these very bytes were published before" },
});

import { answerSchema, time } from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

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

export type PublishedConfigurationAnswer = TypeOf<typeof publishedConfigurationSchema>;
export type ConfigurationAnswer = TypeOf<typeof configurationSchema>;

import {
  answerSchema,
  anyObject,
  integerOrNull,
  textOrNull,
  time,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

const text = { type: "string" } as const;

const image = answerSchema({
  hardware: text,
  imageHash: text,
  fileHash: text,
  fileName: text,
  sizeBytes: { type: "integer" },
  securityCounter: integerOrNull,
  buildId: textOrNull,
  createdAtUnixMs: time,
  facts: { ...anyObject, description: "what the image says of its release under its signature" },
});

export const releaseSchema = answerSchema({
  version: text,
  createdAtUnixMs: time,
  images: { type: "array", items: image },
});

const warning = answerSchema({ warning: text, message: text });

export const publishedSchema = answerSchema({
  version: text,
  created: { type: "boolean", description: "false: these very bytes were published before" },
  image,
  warnings: { type: "array", items: warning },
});

export type ReleaseAnswer = TypeOf<typeof releaseSchema>;
export type PublishedAnswer = TypeOf<typeof publishedSchema>;

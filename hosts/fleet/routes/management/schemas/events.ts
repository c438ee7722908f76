import {
  answerSchema,
  anyObject,
  integerOrNull,
  textOrNull,
  time,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

export const eventSchema = answerSchema({
  id: { type: "integer" },
  atUnixMs: time,
  kind: { type: "string" },
  deviceId: textOrNull,
  rolloutId: integerOrNull,
  releaseVersion: textOrNull,
  deviceEventId: textOrNull,
  details: anyObject,
});

export type EventAnswer = TypeOf<typeof eventSchema>;

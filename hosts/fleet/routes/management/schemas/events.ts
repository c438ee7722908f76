import { deviceIdRule } from "../../../../../src/protocol/device-id.ts";
import { deviceIdPattern } from "../../../terms/names.ts";
import {
  answerSchema,
  anyObject,
  integerOrNull,
  listQuery,
  numberPageQuery,
  textOrNull,
  time,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

export const eventsQuery = listQuery({
  ...numberPageQuery,
  device: { type: "string", pattern: deviceIdPattern, description: deviceIdRule },
});

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

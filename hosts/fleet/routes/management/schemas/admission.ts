import { admissionBounds } from "../../../admission/limits.ts";
import { growthPerHourMax, offersPerMinuteMax } from "../../../rollout/rate.ts";
import { answerSchema, integerOrNull, textOrNull } from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

const limitOf = (minimum: number, maximum: number, description: string) =>
  ({ type: ["integer", "null"], minimum, maximum, description }) as const;

export const limitChangeSchema = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  properties: {
    region: {
      type: "string",
      pattern: "^[A-Za-z0-9][A-Za-z0-9._+/-]{0,63}$",
      description: "of the devices in this region; of the whole server when absent",
    },
    offersPerMinute: limitOf(
      1,
      admissionBounds.offersPerMinuteMax,
      "devices that are offered a release in any minute; null for as many as come",
    ),
    downloads: limitOf(
      1,
      admissionBounds.downloadsMax,
      "devices that download at once; null for as many as come",
    ),
    bytesPerSecond: limitOf(
      admissionBounds.bytesPerSecondMin,
      admissionBounds.bytesPerSecondMax,
      "of all downloads together, each of which gets at least 8192; null for as many as go",
    ),
  },
} as const;

const limitsSchema = answerSchema({
  region: { ...textOrNull, description: "null for the whole server" },
  offersPerMinute: integerOrNull,
  downloads: integerOrNull,
  bytesPerSecond: integerOrNull,
  offersLastMinute: { type: "integer", description: "made while there is a limit of them" },
  downloading: { type: "integer", description: "counted while there is a limit of them" },
});

export const admissionSchema = answerSchema({
  waiting: { type: "integer", description: "devices that were told to come again for their turn" },
  limits: { type: "array", items: limitsSchema },
});

export const rateSchema = {
  type: ["object", "null"],
  required: ["offersPerMinute"],
  additionalProperties: false,
  description: "how fast the release is offered; as fast as devices come when null or absent",
  properties: {
    offersPerMinute: { type: "integer", minimum: 1, maximum: offersPerMinuteMax },
    growthPerHour: {
      type: "number",
      minimum: 1,
      maximum: growthPerHourMax,
      description: "what the rate is multiplied with in each hour without a pause; 1 when absent",
    },
    offersPerMinuteMax: {
      type: "integer",
      minimum: 1,
      maximum: offersPerMinuteMax,
      description: "what it grows to; not below `offersPerMinute`",
    },
  },
} as const;

export type LimitChangeBody = TypeOf<typeof limitChangeSchema>;
export type AdmissionAnswer = TypeOf<typeof admissionSchema>;

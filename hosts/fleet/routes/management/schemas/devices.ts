import { deviceIdRule } from "../../../../../src/protocol/device-id.ts";
import { shownStates } from "../../../rollout/member.ts";
import { limits } from "../../../terms/limits.ts";
import { deviceIdPattern } from "../../../terms/names.ts";
import {
  answerSchema,
  devicePageQuery,
  hardwareId,
  integerOrNull,
  listQuery,
  numberPageQuery,
  pathParameter,
  textOrNull,
  time,
  timeOrNull,
  version,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";
import { eventSchema } from "./events.ts";

/** Any text may be asked for; what is no id is no device either. */
const deviceId = { type: "string", maxLength: 256 } as const;

export const deviceParameters = pathParameter("id", deviceId);

export const refusalParameters = {
  type: "object",
  required: ["id", "version"],
  properties: { id: deviceId, version },
} as const;

export const devicesQuery = listQuery({
  ...devicePageQuery,
  hardware: {
    type: "string",
    pattern: "^[A-Za-z0-9._-]{1,32}$",
    description: "1 to 32 letters, digits and . _ -",
  },
  version: {
    type: "string",
    pattern: "^(0|[1-9][0-9]{0,2})([.](0|[1-9][0-9]{0,4})){2}([+][1-9][0-9]{0,9})?$",
    description: "the version of the image that runs, such as 1.2.3 or 1.2.3+4",
  },
  state: { type: "string", enum: shownStates },
});

export const deviceEventsQuery = listQuery({
  ...numberPageQuery,
  source: {
    type: "string",
    enum: ["device", "all"],
    description: "`all`: also what the server saw of the device",
  },
});

export const newDeviceSchema = {
  type: "object",
  required: ["id", "hardware"],
  additionalProperties: false,
  properties: {
    id: { type: "string", pattern: deviceIdPattern, description: deviceIdRule },
    hardware: hardwareId,
    token: {
      type: "string",
      minLength: limits.tokenCharactersMin,
      maxLength: limits.tokenCharactersMax,
      pattern: "^[!-~]+$",
      description: "printable ASCII without spaces",
    },
  },
} as const;

const running = answerSchema({
  version: { type: "string" },
  imageHash: { type: "string" },
  confirmed: { type: "boolean" },
});

const properties = {
  id: { type: "string" },
  hardware: textOrNull,
  running: {
    ...running,
    type: ["object", "null"],
    description: "the image that runs, as the device proves it; null when it never told",
  },
  configurationVersion: {
    ...integerOrNull,
    description: "of the configuration in effect, as the device tells it",
  },
  state: { type: "string" },
  reason: { ...textOrNull, description: "why, in the words of the device" },
  stateAtUnixMs: time,
  lastSeenAtUnixMs: timeOrNull,
  createdAtUnixMs: time,
} as const;

export const deviceSchema = answerSchema(properties);

export const addedDeviceSchema = answerSchema({ ...properties, token: { type: "string" } });

const refusal = answerSchema({
  releaseVersion: { type: "string" },
  imageHash: { type: "string" },
  reason: textOrNull,
  atUnixMs: time,
});

const action = answerSchema({
  id: { type: "integer" },
  rolloutId: { type: "integer" },
  releaseVersion: { type: "string" },
  status: { type: "string" },
  lastReport: { type: "string" },
  createdAtUnixMs: time,
  changedAtUnixMs: time,
});

export const deviceDetailSchema = answerSchema({
  ...properties,
  attributes: { type: "object", additionalProperties: { type: "string" } },
  refusals: { type: "array", items: refusal },
  actions: { type: "array", items: action },
  events: { type: "array", items: eventSchema },
});

export const cancelSchema = {
  type: ["object", "null"],
  additionalProperties: false,
  properties: {
    force: { type: "boolean", description: "do not ask the device, which may be out of reach" },
  },
} as const;

export const cancelledSchema = answerSchema({
  status: {
    type: "string",
    enum: ["canceling", "canceled"],
    description: "`canceling`: the device is asked at its next poll",
  },
});

export type NewDeviceBody = TypeOf<typeof newDeviceSchema>;
export type CancelBody = TypeOf<typeof cancelSchema>;
export type DeviceAnswer = TypeOf<typeof deviceSchema>;
export type AddedDeviceAnswer = TypeOf<typeof addedDeviceSchema>;
export type CancelledAnswer = TypeOf<typeof cancelledSchema>;
export type DeviceDetailAnswer = TypeOf<typeof deviceDetailSchema>;

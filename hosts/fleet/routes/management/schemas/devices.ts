import { deviceIdRule } from "../../../../../src/protocol/device-id.ts";
import { filterLengthMax } from "../../../filter/syntax.ts";
import { shownStates } from "../../../rollout/member.ts";
import { limits } from "../../../terms/limits.ts";
import { deviceIdPattern } from "../../../terms/names.ts";
import {
  connectivities,
  criticalities,
  labelPattern,
  labelsPerDeviceMax,
} from "../../../terms/registry.ts";
import {
  answerSchema,
  devicePageQuery,
  hardwareId,
  integerOrNull,
  listQuery,
  numberOrNull,
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
  filter: {
    type: "string",
    maxLength: filterLengthMax,
    description: "RSQL over devices, such as region==eu;version=lt=1.4.0; see docs/filters.md",
  },
});

const labels = {
  type: "object",
  additionalProperties: false,
  properties: {
    add: {
      type: "array",
      maxItems: labelsPerDeviceMax,
      items: { type: "string", pattern: labelPattern },
    },
    remove: {
      type: "array",
      maxItems: labelsPerDeviceMax,
      items: { type: "string", pattern: labelPattern },
    },
  },
} as const;

const registryValue = { type: ["string", "null"], maxLength: 64 } as const;

/** Null takes the operator's word back; what is absent stays. */
export const deviceRegistrySchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    region: registryValue,
    timezone: { ...registryValue, description: "an IANA name, such as Europe/Berlin" },
    connectivity: { ...registryValue, description: connectivities.join(", ") },
    criticality: { ...registryValue, description: criticalities.join(", ") },
    bootloader: registryValue,
    tags: labels,
    groups: labels,
  },
} as const;

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
  region: textOrNull,
  timezone: textOrNull,
  connectivity: textOrNull,
  criticality: textOrNull,
  bootloader: textOrNull,
  battery: { ...numberOrNull, description: "percent" },
  signal: { ...numberOrNull, description: "dBm" },
  state: { type: "string" },
  reason: { ...textOrNull, description: "why, in the words of the device" },
  stateAtUnixMs: time,
  lastSeenAtUnixMs: timeOrNull,
  contact: {
    ...textOrNull,
    enum: ["asleep", "silent", null],
    description: "until its next wake, or past it and a grace; null when it announced none",
  },
  nextWakeAtUnixMs: { ...timeOrNull, description: "when it wakes, or was to, as it announced" },
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
  tags: { type: "array", items: { type: "string" } },
  groups: { type: "array", items: { type: "string" } },
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
export type DeviceRegistryBody = TypeOf<typeof deviceRegistrySchema>;

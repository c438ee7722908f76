import { deviceIdRule } from "../../../../../src/protocol/device-id.ts";
import { filterLengthMax } from "../../../filter/syntax.ts";
import type { Halt } from "../../../rollout/halt.ts";
import { type MemberState, memberStates } from "../../../rollout/member.ts";
import { limits } from "../../../terms/limits.ts";
import { deviceIdPattern } from "../../../terms/names.ts";
import {
  answerSchema,
  anyObject,
  devicePageQuery,
  hardwareId,
  integerOrNull,
  listQuery,
  pathParameter,
  seconds,
  share,
  textOrNull,
  time,
  timeOrNull,
  version,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";
import { rateSchema } from "./admission.ts";
import { policyName, policyRules } from "./policies.ts";

export const rolloutParameters = pathParameter("id", {
  type: "string",
  pattern: "^[0-9]{1,10}$",
  description: "the number of a rollout",
});

export const membersQuery = listQuery({
  ...devicePageQuery,
  state: { type: "string", enum: memberStates },
});

const haltThresholdSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    rolledBackShare: share,
    failedShare: share,
    healthFailedShare: share,
    noLinkShare: share,
    batteryDropShare: share,
    attemptedMin: { type: "integer", minimum: 1, maximum: limits.devicesMax },
  },
} as const;

/** What the server checks; `newRolloutForms` says the same to clients. */
export const newRolloutSchema = {
  type: "object",
  required: ["name"],
  additionalProperties: false,
  properties: {
    name: { type: "string", minLength: 1, maxLength: limits.nameCharactersMax },
    releaseVersion: version,
    configurationVersion: {
      type: "integer",
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: "instead of a release: the configuration document to roll out",
    },
    selector: {
      type: "object",
      additionalProperties: false,
      properties: {
        hardware: {
          type: "array",
          items: hardwareId,
          minItems: 1,
          maxItems: limits.rolloutHardwareMax,
        },
        devices: {
          type: "array",
          items: { type: "string", pattern: deviceIdPattern, description: deviceIdRule },
          minItems: 1,
          maxItems: limits.rolloutDevicesMax,
        },
        filter: {
          type: "string",
          minLength: 1,
          maxLength: filterLengthMax,
          description: "RSQL over devices, but not their state; see docs/filters.md",
        },
      },
    },
    policy: { ...policyName, description: "a policy by its name; 1-10-50-100 when absent" },
    policyVersion: {
      type: "integer",
      minimum: 1,
      description: "of the policy; the newest when absent",
    },
    ...policyRules,
    haltThreshold: haltThresholdSchema,
    proofSeconds: { ...seconds, minimum: 1 },
    actionSeconds: {
      ...seconds,
      minimum: 1,
      description: "an action of which nothing is heard for so long is taken back",
    },
    cancelSeconds: {
      ...seconds,
      minimum: 1,
      description: "a cancellation that is not answered for so long is done without an answer",
    },
    rate: rateSchema,
    mode: { type: "string", enum: ["forced", "soft"] },
    needsConfirmation: { type: "boolean" },
    allowDowngrade: { type: "boolean" },
    approved: {
      type: "boolean",
      description: "devices may take another major version, or one that is marked as breaking",
    },
    windows: {
      type: ["object", "null"],
      additionalProperties: true,
      description:
        "when devices are offered the release and may install it: the windows document, see docs/windows.md",
    },
    retryRolledBack: {
      type: "boolean",
      description: "devices that rolled the release back before are offered it again",
    },
    acceptReported: { type: "boolean" },
    start: { type: "boolean" },
    leaveBehind: {
      type: "boolean",
      description:
        "also where no allowed step leads some of the devices to the release; else that is refused (409, `strands-devices`)",
    },
    beside: {
      type: "boolean",
      description:
        "also where an open rollout of the same release has some of the devices; else that is refused (409, `overlaps`)",
    },
  },
} as const;

/** A rollout is of a release or of a configuration: the two forms of the body. */
export const newRolloutForms = () => {
  const { releaseVersion, configurationVersion, ...both } = newRolloutSchema.properties;
  const form = (what: string, properties: object): object => ({
    ...newRolloutSchema,
    title: `Rollout of a ${what}`,
    required: [...newRolloutSchema.required, ...Object.keys(properties)],
    properties: { ...both, ...properties },
  });
  return {
    oneOf: [form("release", { releaseVersion }), form("configuration", { configurationVersion })],
  };
};

export const resumeSchema = {
  type: ["object", "null"],
  additionalProperties: false,
  properties: { haltThreshold: haltThresholdSchema },
} as const;

const outcome = answerSchema({
  state: { type: "string" },
  reason: textOrNull,
  count: { type: "integer" },
});

/** When the devices' windows come, of the devices that are counted. */
export const lastOpening = {
  lastOpensAtUnixMs: {
    ...timeOrNull,
    description: "when the last device can have downloaded and may install; null when none may",
  },
  withoutTimeZone: {
    type: "integer",
    description: "devices that wait, because nobody said their time zone",
  },
  neverOpen: { type: "integer", description: "devices whose windows never open" },
} as const;

const windowsOutlook = answerSchema({
  ...lastOpening,
  groups: {
    type: "array",
    items: { type: "string" },
    description: "groups whose own windows come first; their devices are counted by the rollout's",
  },
});

const integer = { type: "integer" } as const;

const stage = answerSchema({
  stage: { type: "integer" },
  percent: { type: "number", description: "of the eligible devices, those before it included" },
  count: { ...integerOrNull, description: "of a stage that holds a number of devices" },
  group: { ...textOrNull, description: "of a stage that holds a group" },
  filter: textOrNull,
  soakSeconds: { type: "integer" },
  openedAtUnixMs: timeOrNull,
  settledAtUnixMs: timeOrNull,
  completedAtUnixMs: timeOrNull,
  waitsFor: { ...textOrNull, description: "why the stage that is open does not go on" },
  members: { type: "integer" },
  joined: {
    type: "integer",
    description: "members that it ever had, those included that are gone",
  },
  attempted: { type: "integer" },
  approvals: { type: "integer", description: "people who approved that it goes on from here" },
  healthFailed: { type: "integer", description: "went back for a health check that failed" },
  batteryDropped: { type: "integer", description: "updated, and lost battery since the offer" },
  counts: answerSchema(
    Object.fromEntries(memberStates.map((state) => [state, integer])) as Readonly<
      Record<MemberState, typeof integer>
    >,
  ),
});

export const rolloutSchema = answerSchema(
  {
    id: { type: "integer" },
    name: { type: "string" },
    releaseVersion: { type: "string" },
    configurationVersion: { ...integerOrNull, description: "null for a rollout of firmware" },
    state: { type: "string" },
    currentStage: { type: "integer" },
    eligible: { type: "integer" },
    policy: {
      ...anyObject,
      type: ["object", "null"],
      description: "name and version; null of rules that came with the rollout",
    },
    halt: { ...anyObject, type: ["object", "null"], description: "why it stopped by itself" },
    definition: anyObject,
    createdAtUnixMs: time,
    windowOpensAtUnixMs: {
      ...timeOrNull,
      description:
        "when the windows to install open next; null when they are open, there are none, or each device has its own time (`windows` of one rollout)",
    },
    startedAtUnixMs: timeOrNull,
    endedAtUnixMs: timeOrNull,
    outcomes: {
      type: "array",
      description: "of one rollout: why attempts ended badly, most frequent first",
      items: outcome,
    },
    windows: {
      ...windowsOutlook,
      type: ["object", "null"],
      description: "of one rollout: when windows come; null when it has none",
    },
    stages: { type: "array", items: stage },
  },
  ["outcomes", "windows"],
);

export const clearedSchema = answerSchema({
  devices: { type: "array", items: { type: "string" } },
  more: { type: "boolean" },
});

export const memberSchema = answerSchema({
  deviceId: { type: "string" },
  stage: { type: "integer" },
  state: { type: "string" },
  reason: textOrNull,
  changedAtUnixMs: time,
});

export type NewRolloutBody = TypeOf<typeof newRolloutSchema>;
export type ResumeBody = TypeOf<typeof resumeSchema>;

/** The document leaves open what an answer says of a halt, which grows with the reasons for one. */
export type RolloutAnswer = Omit<TypeOf<typeof rolloutSchema>, "halt" | "policy"> & {
  readonly halt: { readonly [Name in keyof Halt]: Halt[Name] } | null;
  readonly policy: { readonly name: string; readonly version: number } | null;
};
export type ClearedAnswer = TypeOf<typeof clearedSchema>;
export type MemberAnswer = TypeOf<typeof memberSchema>;

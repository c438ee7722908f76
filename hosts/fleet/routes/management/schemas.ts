import { limits } from "../../limits.ts";
import { deviceIdPattern } from "../../names.ts";
import { memberStates } from "../../rollout/member.ts";

/** JSON schemas of the management API; the OpenAPI document is made of them. Times are milliseconds since 1970. */

const time = { type: "integer", description: "milliseconds since 1970" } as const;
const timeOrNull = { ...time, nullable: true } as const;
const textOrNull = { type: "string", nullable: true } as const;
const share = { type: "number", minimum: 0, maximum: 1 } as const;
export const hardwareId = {
  type: "string",
  maxLength: 32,
  pattern: "^[a-z0-9.]+(-[a-z0-9.]+)+$",
} as const;
const version = { type: "string", minLength: 1, maxLength: 32 } as const;

export const errorSchema = {
  type: "object",
  required: ["error", "message"],
  properties: {
    error: { type: "string", description: "the reason, one word of a closed set" },
    message: { type: "string", description: "what happened, the value, the limit, the next step" },
  },
} as const;

/** For every 4xx and 5xx. */
export const errorResponses = { "4xx": errorSchema, "5xx": errorSchema } as const;

const image = {
  type: "object",
  properties: {
    hardware: { type: "string" },
    imageHash: { type: "string" },
    fileHash: { type: "string" },
    fileName: { type: "string" },
    sizeBytes: { type: "integer" },
    securityCounter: { type: "integer", nullable: true },
    buildId: textOrNull,
    createdAtUnixMs: time,
    facts: {
      type: "object",
      description: "what the image says of its release under its signature",
      additionalProperties: true,
    },
  },
} as const;

export const releaseSchema = {
  type: "object",
  properties: {
    version: { type: "string" },
    createdAtUnixMs: time,
    images: { type: "array", items: image },
  },
} as const;

export const publishedSchema = {
  type: "object",
  properties: {
    version: { type: "string" },
    created: { type: "boolean" },
    image,
    warnings: {
      type: "array",
      items: {
        type: "object",
        properties: { warning: { type: "string" }, message: { type: "string" } },
      },
    },
  },
} as const;

const configurationProperties = {
  version: { type: "integer" },
  fileHash: { type: "string" },
  sizeBytes: { type: "integer" },
  createdAtUnixMs: time,
} as const;

export const configurationSchema = { type: "object", properties: configurationProperties } as const;

export const publishedConfigurationSchema = {
  type: "object",
  properties: { ...configurationProperties, created: { type: "boolean" } },
} as const;

export const newDeviceSchema = {
  type: "object",
  required: ["id", "hardware"],
  additionalProperties: false,
  properties: {
    id: { type: "string", pattern: deviceIdPattern },
    hardware: hardwareId,
    token: {
      type: "string",
      minLength: limits.tokenCharactersMin,
      maxLength: limits.tokenCharactersMax,
      pattern: "^[!-~]+$",
    },
  },
} as const;

const deviceProperties = {
  id: { type: "string" },
  hardware: textOrNull,
  running: {
    type: "object",
    nullable: true,
    properties: {
      version: { type: "string" },
      imageHash: { type: "string" },
      confirmed: { type: "boolean" },
    },
  },
  configurationVersion: {
    type: "integer",
    nullable: true,
    description: "of the configuration in effect, as the device tells it",
  },
  state: { type: "string" },
  reason: textOrNull,
  stateAtUnixMs: time,
  lastSeenAtUnixMs: timeOrNull,
  createdAtUnixMs: time,
} as const;

export const deviceSchema = { type: "object", properties: deviceProperties } as const;

export const addedDeviceSchema = {
  type: "object",
  properties: { ...deviceProperties, token: { type: "string" } },
} as const;

export const eventSchema = {
  type: "object",
  properties: {
    id: { type: "integer" },
    atUnixMs: time,
    kind: { type: "string" },
    deviceId: textOrNull,
    rolloutId: { type: "integer", nullable: true },
    releaseVersion: textOrNull,
    deviceEventId: textOrNull,
    details: { type: "object", additionalProperties: true },
  },
} as const;

export const deviceDetailSchema = {
  type: "object",
  properties: {
    ...deviceProperties,
    attributes: { type: "object", additionalProperties: { type: "string" } },
    refusals: {
      type: "array",
      items: {
        type: "object",
        properties: {
          releaseVersion: { type: "string" },
          imageHash: { type: "string" },
          reason: textOrNull,
          atUnixMs: time,
        },
      },
    },
    actions: {
      type: "array",
      items: {
        type: "object",
        properties: {
          id: { type: "integer" },
          rolloutId: { type: "integer" },
          releaseVersion: { type: "string" },
          status: { type: "string" },
          lastReport: { type: "string" },
          createdAtUnixMs: time,
          changedAtUnixMs: time,
        },
      },
    },
    events: { type: "array", items: eventSchema },
  },
} as const;

export const haltThresholdSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    rolledBackShare: share,
    failedShare: share,
    attemptedMin: { type: "integer", minimum: 1, maximum: limits.devicesMax },
  },
} as const;

const seconds = { type: "integer", minimum: 0, maximum: 365 * 24 * 3600 } as const;

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
          items: { type: "string", pattern: deviceIdPattern },
          minItems: 1,
          maxItems: limits.rolloutDevicesMax,
        },
      },
    },
    stages: {
      type: "array",
      minItems: 1,
      maxItems: limits.rolloutStagesMax,
      items: {
        type: "object",
        required: ["percent", "soakSeconds"],
        additionalProperties: false,
        properties: {
          percent: { type: "number", exclusiveMinimum: 0, maximum: 100 },
          soakSeconds: seconds,
        },
      },
    },
    haltThreshold: haltThresholdSchema,
    stragglers: {
      type: "object",
      additionalProperties: false,
      properties: { allowedShare: share, afterSeconds: seconds },
    },
    proofSeconds: { ...seconds, minimum: 1 },
    mode: { type: "string", enum: ["forced", "soft"] },
    needsConfirmation: { type: "boolean" },
    allowDowngrade: { type: "boolean" },
    approved: {
      type: "boolean",
      description: "devices may take another major version, or one that is marked as breaking",
    },
    windows: {
      type: "object",
      nullable: true,
      additionalProperties: true,
      description: "when devices may install: the windows document with `timeZone` and `install`",
    },
    retryRolledBack: {
      type: "boolean",
      description: "devices that rolled the release back before are offered it again",
    },
    acceptReported: { type: "boolean" },
    start: { type: "boolean" },
  },
} as const;

export const rolloutSchema = {
  type: "object",
  properties: {
    id: { type: "integer" },
    name: { type: "string" },
    releaseVersion: { type: "string" },
    configurationVersion: {
      type: "integer",
      nullable: true,
      description: "null for a rollout of firmware",
    },
    state: { type: "string" },
    currentStage: { type: "integer" },
    eligible: { type: "integer" },
    halt: { type: "object", nullable: true, additionalProperties: true },
    definition: { type: "object", additionalProperties: true },
    createdAtUnixMs: time,
    windowOpensAtUnixMs: {
      ...timeOrNull,
      description:
        "when the windows of the rollout open next; null when they are, or there are none",
    },
    startedAtUnixMs: timeOrNull,
    endedAtUnixMs: timeOrNull,
    outcomes: {
      type: "array",
      description: "of one rollout: why attempts ended badly, most frequent first",
      items: {
        type: "object",
        properties: {
          state: { type: "string" },
          reason: textOrNull,
          count: { type: "integer" },
        },
      },
    },
    stages: {
      type: "array",
      items: {
        type: "object",
        properties: {
          stage: { type: "integer" },
          percent: { type: "number" },
          soakSeconds: { type: "integer" },
          openedAtUnixMs: timeOrNull,
          settledAtUnixMs: timeOrNull,
          completedAtUnixMs: timeOrNull,
          members: { type: "integer" },
          attempted: { type: "integer" },
          counts: {
            type: "object",
            properties: Object.fromEntries(
              memberStates.map((state) => [state, { type: "integer" }]),
            ),
          },
        },
      },
    },
  },
} as const;

export const clearedSchema = {
  type: "object",
  properties: {
    devices: { type: "array", items: { type: "string" } },
    more: { type: "boolean" },
  },
} as const;

export const memberSchema = {
  type: "object",
  properties: {
    deviceId: { type: "string" },
    stage: { type: "integer" },
    state: { type: "string" },
    reason: textOrNull,
    changedAtUnixMs: time,
  },
} as const;

/** `{items, next}`: `next` is the cursor of the page after, or null at the end. */
export function pageSchema(items: object): object {
  return {
    type: "object",
    properties: { items: { type: "array", items }, next: textOrNull },
  };
}

export const pageQuery = {
  limit: { type: "string", pattern: "^[0-9]{1,4}$", description: "1 to 500, 100 when absent" },
  after: { type: "string", maxLength: 64, description: "the `next` of the page before" },
} as const;

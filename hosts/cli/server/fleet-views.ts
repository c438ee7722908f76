import type { AdmissionAnswer } from "../../fleet/routes/management/schemas/admission.ts";
import type { ConfigurationAnswer } from "../../fleet/routes/management/schemas/configurations.ts";
import type {
  DeviceAnswer,
  DeviceDetailAnswer,
} from "../../fleet/routes/management/schemas/devices.ts";
import type { EventAnswer } from "../../fleet/routes/management/schemas/events.ts";
import type {
  DecisionAnswer,
  PolicyAnswer,
} from "../../fleet/routes/management/schemas/policies.ts";
import type {
  PublishedAnswer,
  ReleaseAnswer,
} from "../../fleet/routes/management/schemas/releases.ts";
import type { RolloutAnswer } from "../../fleet/routes/management/schemas/rollouts.ts";
import {
  type Check,
  type Checked,
  isFlag,
  isNumber,
  isText,
  listOf,
  orAbsent,
  orNull,
  partOf,
  recordOf,
} from "./answer-shape.ts";

/**
 * What the commands read of the management API's answers. The types are those of the server's
 * schemas; the checks tell a fleet server from anything else that answers.
 */

export type ImageView = Checked<typeof isImage>;
export type ReleaseView = Checked<typeof isRelease>;
export type PublishedView = Checked<typeof isPublished>;
export type ConfigurationView = Checked<typeof isConfiguration>;
export type DeviceView = Checked<typeof isDevice>;
export type DeviceDetailView = Checked<typeof isDeviceDetail>;
export type EventView = Checked<typeof isEvent>;
export type StageView = Checked<typeof isStage>;
export type AdmissionView = Checked<typeof isAdmission>;
export type RolloutView = Checked<typeof isRollout>;
export type PolicyView = Checked<typeof isPolicy>;
export type DecisionView = Checked<typeof isDecision>;

const isImage = partOf<ReleaseAnswer["images"][number]>()({
  hardware: isText,
  imageHash: isText,
  fileHash: isText,
  sizeBytes: isNumber,
  securityCounter: orNull(isNumber),
});

export const isRelease = partOf<ReleaseAnswer>()({
  version: isText,
  createdAtUnixMs: isNumber,
  images: listOf(isImage),
});

export const isPublished = partOf<PublishedAnswer>()({
  version: isText,
  created: isFlag,
  image: isImage,
  warnings: listOf(
    partOf<PublishedAnswer["warnings"][number]>()({ warning: isText, message: isText }),
  ),
});

export const isConfiguration = partOf<ConfigurationAnswer>()({
  version: isNumber,
  fileHash: isText,
  sizeBytes: isNumber,
  createdAtUnixMs: isNumber,
});

const ofDevice = {
  id: isText,
  hardware: orNull(isText),
  running: orNull(
    partOf<NonNullable<DeviceAnswer["running"]>>()({
      version: isText,
      imageHash: isText,
      confirmed: isFlag,
    }),
  ),
  configurationVersion: orNull(isNumber),
  region: orNull(isText),
  timezone: orNull(isText),
  connectivity: orNull(isText),
  criticality: orNull(isText),
  bootloader: orNull(isText),
  battery: orNull(isNumber),
  signal: orNull(isNumber),
  state: isText,
  reason: orNull(isText),
  lastSeenAtUnixMs: orNull(isNumber),
  contact: orNull(isText),
  nextWakeAtUnixMs: orNull(isNumber),
};

export const isDevice = partOf<DeviceAnswer>()(ofDevice);

export const isAny: Check<unknown> = (_): _ is unknown => true;

export const isEvent = partOf<EventAnswer>()({
  id: isNumber,
  atUnixMs: isNumber,
  kind: isText,
  releaseVersion: orNull(isText),
  details: recordOf(isAny),
});

export const isDeviceDetail = partOf<DeviceDetailAnswer>()({
  ...ofDevice,
  tags: listOf(isText),
  groups: listOf(isText),
  attributes: recordOf(isText),
  refusals: listOf(
    partOf<DeviceDetailAnswer["refusals"][number]>()({
      releaseVersion: isText,
      reason: orNull(isText),
    }),
  ),
  events: listOf(isEvent),
});

export const isAdmission = partOf<AdmissionAnswer>()({
  waiting: isNumber,
  limits: listOf(
    partOf<AdmissionAnswer["limits"][number]>()({
      region: orNull(isText),
      offersPerMinute: orNull(isNumber),
      downloads: orNull(isNumber),
      bytesPerSecond: orNull(isNumber),
      offersLastMinute: isNumber,
      downloading: isNumber,
    }),
  ),
});

const isStage = partOf<RolloutAnswer["stages"][number]>()({
  stage: isNumber,
  percent: isNumber,
  soakSeconds: isNumber,
  openedAtUnixMs: orNull(isNumber),
  completedAtUnixMs: orNull(isNumber),
  group: orNull(isText),
  waitsFor: orNull(isText),
  members: isNumber,
  joined: isNumber,
  attempted: isNumber,
  counts: recordOf(isNumber),
});

export const isRollout = partOf<RolloutAnswer>()({
  id: isNumber,
  name: isText,
  releaseVersion: isText,
  state: isText,
  currentStage: isNumber,
  eligible: isNumber,
  policy: orNull(
    partOf<NonNullable<RolloutAnswer["policy"]>>()({ name: isText, version: isNumber }),
  ),
  halt: orNull(
    partOf<NonNullable<RolloutAnswer["halt"]>>()({
      reason: isText,
      sentence: isText,
      stage: isNumber,
    }),
  ),
  stages: listOf(isStage),
  windows: orAbsent(
    orNull(
      partOf<NonNullable<RolloutAnswer["windows"]>>()({
        lastOpensAtUnixMs: orNull(isNumber),
        withoutTimeZone: isNumber,
        neverOpen: isNumber,
        groups: listOf(isText),
      }),
    ),
  ),
  outcomes: orAbsent(
    listOf(
      partOf<NonNullable<RolloutAnswer["outcomes"]>[number]>()({
        state: isText,
        reason: orNull(isText),
        count: isNumber,
      }),
    ),
  ),
});

export const isPolicy = partOf<PolicyAnswer>()({
  name: isText,
  version: isNumber,
  isPreset: isFlag,
  description: orNull(isText),
  rules: recordOf(isAny),
});

export const isDecision = partOf<DecisionAnswer>()({
  stage: isNumber,
  kind: isText,
  sentence: isText,
  atUnixMs: isNumber,
});

import {
  type Check,
  isFlag,
  isNumber,
  isText,
  listOf,
  objectOf,
  orAbsent,
  orNull,
  recordOf,
} from "./answer-shape.ts";

/** The management API's answers as the commands read them; the server's schemas say more. */

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface ImageView {
  readonly hardware: string;
  readonly imageHash: string;
  readonly fileHash: string;
  readonly sizeBytes: number;
  readonly securityCounter: number | null;
}

export interface ReleaseView {
  readonly version: string;
  readonly createdAtUnixMs: number;
  readonly images: readonly ImageView[];
}

export interface PublishedView {
  readonly version: string;
  readonly created: boolean;
  readonly image: ImageView;
  readonly warnings: ReadonlyArray<{ readonly warning: string; readonly message: string }>;
}

export interface ConfigurationView {
  readonly version: number;
  readonly fileHash: string;
  readonly sizeBytes: number;
  readonly createdAtUnixMs: number;
}

export interface DeviceView {
  readonly id: string;
  readonly hardware: string | null;
  readonly running: {
    readonly version: string;
    readonly imageHash: string;
    readonly confirmed: boolean;
  } | null;
  readonly configurationVersion: number | null;
  readonly state: string;
  readonly reason: string | null;
  readonly lastSeenAtUnixMs: number | null;
}

export interface DeviceDetailView extends DeviceView {
  readonly attributes: Readonly<Record<string, string>>;
  readonly refusals: ReadonlyArray<{
    readonly releaseVersion: string;
    readonly reason: string | null;
  }>;
  readonly events: readonly EventView[];
}

export interface EventView {
  readonly id: number;
  readonly atUnixMs: number;
  readonly kind: string;
  readonly releaseVersion: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface StageView {
  readonly stage: number;
  readonly percent: number;
  readonly soakSeconds: number;
  readonly openedAtUnixMs: number | null;
  readonly completedAtUnixMs: number | null;
  readonly members: number;
  /** Members that it ever had. */
  readonly joined: number;
  readonly attempted: number;
  readonly counts: Readonly<Record<string, number>>;
}

export interface RolloutView {
  readonly id: number;
  readonly name: string;
  readonly releaseVersion: string;
  readonly state: string;
  readonly currentStage: number;
  readonly eligible: number;
  readonly halt: {
    readonly reason: string;
    readonly bad: number;
    readonly outOf: number;
    readonly limit: number;
    readonly stage: number;
  } | null;
  readonly stages: readonly StageView[];
  /** Why attempts ended badly; of one rollout only. */
  readonly outcomes?: ReadonlyArray<{
    readonly state: string;
    readonly reason: string | null;
    readonly count: number;
  }>;
}

/** The checks tell a fleet server from anything else that answers: commands read all of this. */
export function isPageOf<T>(item: Check<T>): Check<Page<T>> {
  return objectOf<Page<T>>({ items: listOf(item), next: orNull(isText) });
}

const isImage = objectOf<ImageView>({
  hardware: isText,
  imageHash: isText,
  fileHash: isText,
  sizeBytes: isNumber,
  securityCounter: orNull(isNumber),
});

export const isRelease = objectOf<ReleaseView>({
  version: isText,
  createdAtUnixMs: isNumber,
  images: listOf(isImage),
});

export const isPublished = objectOf<PublishedView>({
  version: isText,
  created: isFlag,
  image: isImage,
  warnings: listOf(
    objectOf<PublishedView["warnings"][number]>({ warning: isText, message: isText }),
  ),
});

export const isConfiguration = objectOf<ConfigurationView>({
  version: isNumber,
  fileHash: isText,
  sizeBytes: isNumber,
  createdAtUnixMs: isNumber,
});

const ofDevice = {
  id: isText,
  hardware: orNull(isText),
  running: orNull(
    objectOf<NonNullable<DeviceView["running"]>>({
      version: isText,
      imageHash: isText,
      confirmed: isFlag,
    }),
  ),
  configurationVersion: orNull(isNumber),
  state: isText,
  reason: orNull(isText),
  lastSeenAtUnixMs: orNull(isNumber),
};

export const isDevice = objectOf<DeviceView>(ofDevice);

const isAny: Check<unknown> = (_): _ is unknown => true;

export const isEvent = objectOf<EventView>({
  id: isNumber,
  atUnixMs: isNumber,
  kind: isText,
  releaseVersion: orNull(isText),
  details: recordOf(isAny),
});

export const isDeviceDetail = objectOf<DeviceDetailView>({
  ...ofDevice,
  attributes: recordOf(isText),
  refusals: listOf(
    objectOf<DeviceDetailView["refusals"][number]>({
      releaseVersion: isText,
      reason: orNull(isText),
    }),
  ),
  events: listOf(isEvent),
});

const isStage = objectOf<StageView>({
  stage: isNumber,
  percent: isNumber,
  soakSeconds: isNumber,
  openedAtUnixMs: orNull(isNumber),
  completedAtUnixMs: orNull(isNumber),
  members: isNumber,
  joined: isNumber,
  attempted: isNumber,
  counts: recordOf(isNumber),
});

export const isRollout = objectOf<RolloutView>({
  id: isNumber,
  name: isText,
  releaseVersion: isText,
  state: isText,
  currentStage: isNumber,
  eligible: isNumber,
  halt: orNull(
    objectOf<NonNullable<RolloutView["halt"]>>({
      reason: isText,
      bad: isNumber,
      outOf: isNumber,
      limit: isNumber,
      stage: isNumber,
    }),
  ),
  stages: listOf(isStage),
  outcomes: orAbsent(
    listOf(
      objectOf<NonNullable<RolloutView["outcomes"]>[number]>({
        state: isText,
        reason: orNull(isText),
        count: isNumber,
      }),
    ),
  ) as Check<RolloutView["outcomes"] & object>,
});

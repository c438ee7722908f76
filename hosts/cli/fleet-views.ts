/** The management API's answers as the commands read them; the server's schemas say more. */

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** What an answer has at least, for telling a fleet server from anything else that answers. */
export const pageMembers = ["items", "next"] as const;
export const rolloutMembers = ["id", "state", "stages"] as const;

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

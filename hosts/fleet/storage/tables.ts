import type { Generated } from "kysely";
import type { Arm } from "../rollout/control-group.ts";
import type { MemberState, ShownState } from "../rollout/member.ts";

/**
 * The tables as Kysely sees them. Times named `at` are of the wall clock, in milliseconds since
 * 1970, and are shown to people; those named `service_ms` are of `ServiceTime`, and durations are
 * measured by them. Truth values are 0 and 1.
 */
export interface Tables {
  devices: DeviceTable;
  device_attributes: DeviceAttributeTable;
  device_registrations: DeviceRegistrationTable;
  device_labels: DeviceLabelTable;
  group_windows: GroupWindowsTable;
  rollout_time_zones: RolloutTimeZoneTable;
  device_refusals: DeviceRefusalTable;
  device_clearances: DeviceClearanceTable;
  releases: ReleaseTable;
  images: ImageTable;
  rollouts: RolloutTable;
  rollout_stages: RolloutStageTable;
  rollout_members: RolloutMemberTable;
  policies: PolicyTable;
  rollout_decisions: RolloutDecisionTable;
  stage_approvals: StageApprovalTable;
  actions: ActionTable;
  action_reports: ActionReportTable;
  events: EventTable;
  event_counts: EventCountTable;
  director_times: DirectorTimeTable;
  server_alive: ServerAliveTable;
  server_outages: ServerOutageTable;
  admission_limits: AdmissionLimitTable;
  counter_reports: CounterReportTable;
  compared_devices: ComparedDeviceTable;
  comparisons: ComparisonTable;
  counter_cohorts: CounterCohortTable;
}

/** The last report of counters of each device. */
export interface CounterReportTable {
  device_id: string;
  report_id: string;
  at_service_ms: number;
}

/** A member of a rollout, as its control group compares it. */
export interface ComparedDeviceTable {
  rollout_id: number;
  device_id: string;
  arm: Arm;
  stratum: string;
  /** `DeviceTotals`, as JSON. */
  totals: string;
  /** Metrics, as a JSON array. */
  had_events: string;
}

export interface ComparisonTable {
  rollout_id: number;
  /** `Comparison`, as JSON. */
  comparison: string;
}

/** What devices of one kind counted in one hour that no rollout compares. */
export interface CounterCohortTable {
  /** Hours since 1970. */
  hour: number;
  hardware: string;
  region: string;
  version: string;
  /** `CohortSums`, as JSON. */
  sums: string;
}

export interface DeviceTable {
  id: string;
  /** Plain digest of a token that was not used since MACs are kept. */
  token_sha256: string | null;
  /** HMAC-SHA-256 of the token in hex, with a key that is not in the database. */
  token_mac: string | null;
  hardware: string | null;
  /** Hardware set by an operator is not changed by what the device says. */
  hardware_by_operator: number;
  created_at: number;
  last_seen_at: number | null;
  running_version: string | null;
  running_hash: string | null;
  running_confirmed: number | null;
  state: ShownState;
  reason: string | null;
  state_at: number;
  attributes_wanted: number;
  installed_action_id: number | null;
  auto_confirm_at: number | null;
  auto_confirm_initiator: string | null;
  auto_confirm_remark: string | null;
  /** The version of the configuration in effect, as the device says. */
  configuration_version: number | null;
  /** The mark of the network that it came from last with its own token: `AddressBudget.mark`. */
  known_from: number | null;
  /** The registry: the operator's word, else what the device told in its attributes. */
  region: string | null;
  timezone: string | null;
  connectivity: string | null;
  criticality: string | null;
  bootloader: string | null;
  /** Percent. */
  battery: number | null;
  /** dBm. */
  signal: number | null;
  /** `running_version` as `versionKey` has it, to be compared. */
  running_version_key: string | null;
  /** When it wakes, as it told; null for one that is awake, or told nothing. */
  next_wake_at: Generated<number | null>;
  next_wake_service_ms: Generated<number | null>;
  /** Service time from which it is silent, should it not have come. */
  silent_at_service_ms: Generated<number | null>;
}

/** What an operator set of a device; a field that is not here is what the device tells. */
export interface DeviceRegistrationTable {
  device_id: string;
  field: string;
  value: string;
}

/** Tags and groups, which an operator alone gives. */
/** When devices of a group may download and install, whatever the rollout. */
export interface GroupWindowsTable {
  device_group: string;
  /** JSON, as docs/windows.md has it. */
  document: string;
  changed_at: number;
}

/** Triggers of the database count. */
export interface RolloutTimeZoneTable {
  rollout_id: number;
  /** An IANA name; empty for members of which nobody said it. */
  timezone: string;
  members: number;
}

export interface DeviceLabelTable {
  device_id: string;
  kind: LabelKind;
  label: string;
}

export type LabelKind = "tag" | "group";

export interface DeviceAttributeTable {
  device_id: string;
  key: string;
  value: string;
}

/** A device that rolled an image back is not offered it again while its row is here. */
export interface DeviceRefusalTable {
  device_id: string;
  image_hash: string;
  release_id: number;
  reason: string | null;
  at: number;
}

/**
 * An operator let the device take a release again; kept until it runs it, or goes back once more.
 */
export interface DeviceClearanceTable {
  device_id: string;
  release_id: number;
  at: number;
}

export interface ReleaseTable {
  id: Generated<number>;
  version: string;
  /** The version of a release that is a configuration document; null for firmware. */
  configuration_version: number | null;
  created_at: number;
}

export interface ImageTable {
  /** The id of the image, and of the DDI software module. */
  id: Generated<number>;
  release_id: number;
  hardware: string;
  image_hash: string;
  file_sha256: string;
  file_sha1: string;
  file_md5: string;
  file_bytes: number;
  file_name: string;
  security_counter: number | null;
  build_id: string | null;
  /** The value of TLV 0x00A3, or null for an image without one. */
  facts: string | null;
  created_at: number;
}

export type RolloutState = "ready" | "running" | "paused" | "halted" | "finished" | "cancelled";

export interface RolloutTable {
  id: Generated<number>;
  name: string;
  release_id: number;
  state: RolloutState;
  /** Why it halted, as JSON, or null. */
  halt: string | null;
  current_stage: number;
  /** Selector and rules as JSON; see rollout/definition.ts. */
  definition: string;
  eligible: number;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
  /** Since when it offers its release, without a pause: what its rate grows from. */
  rate_since_service_ms: Generated<number | null>;
  /** Since when the rule is kept again that stopped it; null while it is not, or nothing did. */
  kept_since_service_ms: Generated<number | null>;
}

export interface PolicyTable {
  name: string;
  /** From 1; a version is never changed. */
  version: number;
  /** JSON; see rollout/policy.ts. */
  document: string;
  created_at: number;
}

export interface RolloutDecisionTable {
  id: Generated<number>;
  rollout_id: number;
  stage: number;
  kind: DecisionKind;
  /** What was decided and why, with its arithmetic. */
  sentence: string;
  /** The counters that it was decided from, as JSON. */
  inputs: string;
  at: number;
}

export type DecisionKind =
  | "created"
  | "opened"
  | "held"
  | "advanced"
  | "approved"
  | "warned"
  | "paused"
  | "halted"
  | "resumed"
  | "cancelled"
  | "finished";

export interface StageApprovalTable {
  rollout_id: number;
  stage: number;
  approver: string;
  at: number;
}

export interface RolloutStageTable {
  rollout_id: number;
  stage: number;
  percent: number;
  soak_seconds: number;
  cutoff: number;
  opened_at: Generated<number | null>;
  opened_service_ms: Generated<number | null>;
  settled_at: Generated<number | null>;
  settled_service_ms: Generated<number | null>;
  completed_at: Generated<number | null>;
  waiting: Generated<number>;
  offered: Generated<number>;
  working: Generated<number>;
  deferred: Generated<number>;
  activating: Generated<number>;
  trial: Generated<number>;
  reported: Generated<number>;
  updated: Generated<number>;
  rolled_back: Generated<number>;
  failed: Generated<number>;
  unproven: Generated<number>;
  withdrawn: Generated<number>;
  excluded: Generated<number>;
  no_server: Generated<number>;
  no_link: Generated<number>;
  /** Members that it ever had, those included that are gone or excluded. */
  joined: Generated<number>;
  stuck: Generated<number>;
  /** Members that rolled back for a health check that failed. */
  health_failed: Generated<number>;
  /** Updated members whose battery dropped since the offer. */
  battery_dropped: Generated<number>;
  approvals: Generated<number>;
  /** A bit for each rule of the policy that was told of this stage. */
  warned_rules: Generated<number>;
  silent: Generated<number>;
}

export interface RolloutMemberTable {
  rollout_id: number;
  device_id: string;
  bucket: number;
  stage: number;
  state: MemberState;
  reason: string | null;
  changed_at: number;
  changed_service_ms: Generated<number>;
  /** How often it went back for nothing but silence, or gave up unasked. */
  silent_rollbacks: Generated<number>;
  /** What it ran when it came to run the release; null until then. */
  replaced_hash: Generated<string | null>;
  /** Percent, when it was offered the release. */
  battery_before: Generated<number | null>;
  /** 1 of an updated member whose battery dropped since the offer. */
  battery_dropped: Generated<number>;
  /**
   * Service time. When what the member does is over: a proof, an action without a word, a pause
   * before it is offered the release again.
   */
  proof_due_at: number | null;
}

export type ActionStatus = "confirming" | "open" | "canceling" | "finished" | "failed" | "canceled";

export interface ActionTable {
  id: Generated<number>;
  device_id: string;
  rollout_id: number;
  image_id: number;
  mode: "forced" | "soft";
  status: ActionStatus;
  last_report: string;
  /** The device may take what it refused: it was cleared. */
  retry: Generated<number>;
  created_at: number;
  changed_at: number;
}

export interface ActionReportTable {
  id: Generated<number>;
  action_id: number;
  at: number;
  execution: string;
  finished: string;
  /** Texts of the device, as a JSON array. */
  details: string;
}

export interface EventTable {
  id: Generated<number>;
  at: number;
  kind: string;
  device_id: string | null;
  rollout_id: number | null;
  release_version: string | null;
  /** `<bootId>-<sequence>` of an event that a device sent; each is kept once per device. */
  device_event_id: string | null;
  details: string;
}

/** Kept by triggers: events of a device, of the server itself (`''`), and all of them (`*`). */
export interface EventCountTable {
  device_id: string;
  count: number;
  /** What their texts take. */
  bytes: number;
}

/** What the director told a device last. */
export interface DirectorTimeTable {
  device_id: string;
  version: number;
  /** Wall time, in milliseconds since 1970. */
  told_time: number;
  /**
   * Ids of the keys that the root named for the director then, sorted, with commas between them.
   */
  director_keys: string;
  /** When the device was removed from this server. */
  removed_service_ms: number | null;
}

/** One row: when the server last noted that it runs. */
export interface ServerAliveTable {
  id: number;
  at: number;
  service_ms: number | null;
}

export interface ServerOutageTable {
  id: Generated<number>;
  from_at: number;
  to_at: number;
  /** When it ended. */
  service_ms: number | null;
  cause: "stopped" | "late" | "failing";
}

/** What the whole server (`''`) or one region may do at a time; null for as much as comes. */
export interface AdmissionLimitTable {
  region: string;
  offers_per_minute: number | null;
  downloads: number | null;
  bytes_per_second: number | null;
}

/**
 * Every bound of the server in one place; a request beyond one is refused with a 4xx that names it.
 */
export const limits = {
  devicesMax: 2_000_000,
  deviceIdCharactersMax: 64,
  tokenCharactersMin: 8,
  tokenCharactersMax: 128,
  attributesPerDeviceMax: 100,
  attributeKeyCharactersMax: 128,
  attributeValueCharactersMax: 256,
  /** Bodies of devices: configData, events, confirmations. */
  deviceBodyBytesMax: 64 * 1024,
  /** Feedback may carry the whole log of an installation, of which the words are cut afterwards. */
  feedbackBodyBytesMax: 1024 * 1024,
  /** JSON bodies of the management API. */
  managementBodyBytesMax: 256 * 1024,
  /** A file of devices in one request, and the devices in it. */
  importBodyBytesMax: 16 * 1024 * 1024,
  importedDevicesMax: 200_000,
  imageBytesMax: 16 * 1024 * 1024,
  /** Signed metadata in one request: the evidence of many releases is the largest part. */
  metadataBodyBytesMax: 8 * 1024 * 1024,
  metadataFilesMax: 512,
  imagesPerReleaseMax: 64,
  releasesMax: 10_000,
  rolloutsMax: 10_000,
  rolloutStagesMax: 20,
  abortRulesMax: 20,
  approvalsMax: 10,
  policyVersionsMax: 1000,
  /** What a rollout decided; of those that only held it the oldest go first. */
  decisionsPerRolloutMax: 500,
  rolloutDevicesMax: 1000,
  rolloutHardwareMax: 64,
  nameCharactersMax: 128,
  /** Reports kept per action; the oldest that are no results go first. */
  reportsPerActionMax: 200,
  /** What the words of these take together; those of the oldest that are no results go first. */
  reportBytesPerActionMax: 128 * 1024,
  /**
   * Texts in one feedback, as hawkBit allows; of a result the last ones are kept, anything else is
   * refused.
   */
  reportDetailsMax: 50,
  /** Longer texts are cut. */
  reportDetailCharactersMax: 512,
  reasonCharactersMax: 128,
  /** Actions of one device that are kept, with their reports; the oldest go first. */
  actionHistoryMax: 50,
  /** Devices that are gone whose director versions are kept, the last ones removed. */
  removedTimesKeptMax: 10_000,
  /** Devices ahead of the signed metadata that are counted. */
  devicesAheadCountedMax: 1000,
  /** Times in which the server was away, the newest. */
  outagesKeptMax: 64,
  /** Different reasons that a rollout shows; the rarest go first. */
  outcomesShownMax: 20,
  /** Devices that one request clears. */
  clearedPerRequestMax: 200,
  /** One report of counters. */
  countersBodyBytesMax: 4096,
  bootReasonsMax: 16,
  applicationCountersMax: 16,
  /** Kinds of devices whose sums of one hour are kept apart. */
  cohortsPerHourMax: 500,
  /** Hours of which the sums of those are kept that no rollout compares. */
  cohortHoursKept: 31 * 24,
  /** What is forgotten at a time. */
  comparedForgottenMax: 1000,
  cohortsForgottenMax: 1000,
  eventsPerRequestMax: 64,
  eventDetailsMax: 16,
  eventValueCharactersMax: 256,
  /**
   * The events of one device, whoever saw them; the oldest go first, so that no device can push out
   * the others'.
   */
  eventsPerDeviceMax: 2000,
  /** What the texts of these take together; what was said in passing goes first. */
  eventBytesPerDeviceMax: 512 * 1024,
  /** Events of the server itself: rollouts, releases, outages, warnings. */
  eventsOfServerMax: 50_000,
  eventBytesOfServerMax: 32 * 1024 * 1024,
  /** Events of all; beyond it the oldest of whoever has the most go first. */
  eventsKeptMax: 500_000,
  eventBytesKeptMax: 512 * 1024 * 1024,
  pageSizeMax: 500,
  rangesPerRequestMax: 16,
  /** Devices whose last contact is written per tick. */
  lastSeenPerTickMax: 5000,
  /** Members whose proof is overdue that are handled per tick. */
  overduePerTickMax: 1000,
  pollSecondsMax: 86_399,
} as const;

/** Contact within this time of the stored one is not written before the server closes. */
export const lastSeenResolutionMs = 10 * 60_000;

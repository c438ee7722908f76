import type { DigestHex } from "../../../src/protocol/digest.ts";
import type { Context, Event, EventKind } from "../../../src/update/event.ts";
import type { Offer, Release } from "../../../src/update/release.ts";
import type { State } from "../../../src/update/state.ts";

/** One state, event and context of each kind, for tables. */

export const runningHash = "00".repeat(32) as DigestHex;
export const newHash = "11".repeat(32) as DigestHex;
export const otherHash = "22".repeat(32) as DigestHex;

export const offer: Offer = {
  actionId: "7",
  version: "1.1.0",
  fileHash: "f1".repeat(32) as DigestHex,
  fileBytes: 100_000,
  url: "http://server/file",
  imageHash: newHash,
};
export const release: Release = { ...offer, imageHash: newHash };

export const otherOffer: Offer = {
  ...offer,
  actionId: "8",
  version: "1.2.0",
  fileHash: "f2".repeat(32) as DigestHex,
  imageHash: otherHash,
};

/** From a plain hawkBit: what will run is not known before the check. */
export const blindOffer: Offer = { ...offer, imageHash: null };

export const checking = { kind: "checking", offer } as const;
export const blindChecking = { kind: "checking", offer: blindOffer } as const;
export const downloading = {
  kind: "downloading",
  release,
  prepared: false,
  hashFailures: 0,
} as const;
export const prepared = { ...downloading, prepared: true } as const;
export const verifying = { kind: "verifying", release, hashFailures: 0 } as const;
export const staged = { kind: "staged", release, requests: 0 } as const;
export const activating = { kind: "activating", release, requests: 1, requested: false } as const;
export const requested = { ...activating, requested: true } as const;
export const trial = { kind: "trial", release, lastFailure: null } as const;
export const unknownTrial = { kind: "trial", release: null, lastFailure: null } as const;
export const confirmed = { kind: "confirmed", release } as const;
export const rolledBack = { kind: "rolledBack", release, reason: "crashed" } as const;
export const deferred = { kind: "deferred", reason: "low-battery", resume: prepared } as const;
export const deferredStaged = {
  kind: "deferred",
  reason: "window-closed",
  resume: { ...staged, requests: 1 },
} as const;
export const failed = { kind: "failed", offer, reason: "flash-error", resume: null } as const;
export const passing = {
  kind: "failed",
  offer: release,
  reason: "network",
  resume: prepared,
} as const;

/** Every kind of state, those with two faces twice. */
export const states: Readonly<Record<string, State>> = {
  idle: { kind: "idle" },
  checking,
  "checking without a hash": blindChecking,
  downloading,
  prepared,
  verifying,
  staged,
  activating,
  requested,
  trial,
  "trial of an unknown image": unknownTrial,
  confirmed,
  rolledBack,
  deferred,
  "deferred, staged": deferredStaged,
  failed,
  "failed for now": passing,
};

/** One event of each kind; `polled` has two more faces below. */
export const events: Readonly<Record<EventKind, Event>> = {
  booted: { kind: "booted" },
  polled: { kind: "polled", offer },
  offerRefused: { kind: "offerRefused", actionId: "7", reason: "malformed-deployment" },
  cancelled: { kind: "cancelled", actionId: "7" },
  checked: { kind: "checked", release },
  checkFailed: { kind: "checkFailed", reason: "key-unknown", passing: false },
  prepared: { kind: "prepared" },
  downloaded: { kind: "downloaded" },
  downloadFailed: { kind: "downloadFailed", reason: "network", passing: true },
  verified: { kind: "verified" },
  verifyFailed: { kind: "verifyFailed", reason: "signature-invalid" },
  requestPrepared: { kind: "requestPrepared" },
  upgradeRequested: { kind: "upgradeRequested" },
  upgradeFailed: { kind: "upgradeFailed", reason: "flash-error" },
  healthy: { kind: "healthy" },
  trialEnded: { kind: "trialEnded", reason: "no-server" },
  confirmWritten: { kind: "confirmWritten" },
  confirmFailed: { kind: "confirmFailed" },
  reported: { kind: "reported", actionId: "7" },
};

/** Nothing in the way: a confirmed image runs, mains, open window. */
export const context: Context = {
  running: { version: "1.0.0", imageHash: runningHash, confirmed: true },
  resetReason: "software",
  secondary: { prepared: false, imageHash: null },
  power: { batteryPercent: null, charging: true },
  thresholds: { downloadPercentMin: 20, activatePercentMin: 30 },
  windowOpen: true,
  refused: [],
};

export const onTrial: Context = {
  ...context,
  running: { version: "1.1.0", imageHash: newHash, confirmed: false },
};

export const updated: Context = {
  ...context,
  running: { version: "1.1.0", imageHash: newHash, confirmed: true },
};

export const lowBattery: Context = {
  ...context,
  power: { batteryPercent: 19, charging: false },
};

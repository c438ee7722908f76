import type { AcceptedOffer, Offer } from "../../../../src/offer/offer.ts";
import { defaultPowerPolicy } from "../../../../src/policy/power.ts";
import { noWindows } from "../../../../src/policy/windows.ts";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import type { Context, Event, EventKind } from "../../../../src/update/machine/event.ts";
import type { State } from "../../../../src/update/machine/state.ts";

/** One state, event and context of each kind, for tables. */

export const runningHash = "00".repeat(32) as DigestHex;
export const newHash = "11".repeat(32) as DigestHex;
export const otherHash = "22".repeat(32) as DigestHex;

export const offer: Offer = {
  source: { by: "server", actionId: "7", url: "http://server/file" },
  version: "1.1.0",
  fileHash: "f1".repeat(32) as DigestHex,
  fileBytes: 100_000,
  imageHash: newHash,
  approved: false,
  forced: false,
  retry: false,
};
export const accepted: AcceptedOffer = { ...offer, imageHash: newHash, overridesWindows: false };

export const otherOffer: Offer = {
  ...under(offer, "8"),
  version: "1.2.0",
  fileHash: "f2".repeat(32) as DigestHex,
  imageHash: otherHash,
};

/** The same offer with another address. */
export function at<O extends Offer>(offer: O, url: string): O {
  return { ...offer, source: { ...offer.source, url } };
}

/** The same offer under another action. */
export function under<O extends Offer>(offer: O, actionId: string): O {
  return { ...offer, source: { ...offer.source, actionId } };
}

/** From a plain hawkBit: what will run is not known before the check. */
export const blindOffer: Offer = { ...offer, imageHash: null };

export const checking = { kind: "checking", offer } as const;
export const blindChecking = { kind: "checking", offer: blindOffer } as const;
export const downloading = {
  kind: "downloading",
  offer: accepted,
  prepared: false,
  hashFailures: 0,
} as const;
export const prepared = { ...downloading, prepared: true } as const;
export const verifying = { kind: "verifying", offer: accepted, hashFailures: 0 } as const;
export const staged = { kind: "staged", offer: accepted, requests: 0 } as const;
export const activating = {
  kind: "activating",
  offer: accepted,
  requests: 1,
  requested: false,
  networkWasDown: false,
} as const;
export const requested = { ...activating, requested: true } as const;
export const trial = {
  kind: "trial",
  offer: accepted,
  lastFailure: null,
  networkWasDown: false,
} as const;
export const unknownTrial = { ...trial, offer: null } as const;
export const confirmed = { kind: "confirmed", offer: accepted } as const;
export const rollingBack = {
  kind: "rollingBack",
  offer: accepted,
  reason: "late-rollback:health",
  waitsForPower: false,
} as const;
export const waitingToRollBack = { ...rollingBack, waitsForPower: true } as const;
export const rolledBack = { kind: "rolledBack", offer: accepted, reason: "crashed" } as const;
export const deferred = {
  kind: "deferred",
  reason: "low-battery",
  untilUnixMs: null,
  resume: prepared,
} as const;
export const deferredStaged = {
  kind: "deferred",
  reason: "window-closed",
  untilUnixMs: null,
  resume: { ...staged, requests: 1 },
} as const;
export const unapproved = {
  kind: "deferred",
  reason: "major-not-approved",
  untilUnixMs: null,
  resume: checking,
} as const;
export const failed = {
  kind: "failed",
  offer,
  reason: "flash-error",
  resume: null,
  retryAtUnixMs: null,
} as const;
export const passing = {
  kind: "failed",
  offer: accepted,
  reason: "network",
  resume: prepared,
  retryAtUnixMs: null,
} as const;

/** Offered again within the pause after a rollback for silence. */
export const pausing = {
  kind: "failed",
  offer,
  reason: "rolled-back-before",
  resume: checking,
  retryAtUnixMs: null,
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
  rollingBack,
  "rolling back, without power": waitingToRollBack,
  rolledBack,
  deferred,
  "deferred, staged": deferredStaged,
  "deferred, unapproved": unapproved,
  failed,
  "failed for now": passing,
  "paused after silence": pausing,
};

/** One event of each kind; `polled` has two more faces below. */
export const events: Readonly<Record<EventKind, Event>> = {
  booted: { kind: "booted" },
  resumed: { kind: "resumed" },
  polled: { kind: "polled", offer },
  offerRefused: { kind: "offerRefused", actionId: "7", reason: "malformed-deployment" },
  cancelled: { kind: "cancelled", actionId: "7" },
  checked: { kind: "checked", offer: accepted, lacks: null },
  checkFailed: { kind: "checkFailed", reason: "key-unknown", passing: false, retryAfterMs: 0 },
  prepared: { kind: "prepared" },
  downloaded: { kind: "downloaded" },
  downloadFailed: { kind: "downloadFailed", reason: "network", passing: true, retryAfterMs: 0 },
  verified: { kind: "verified" },
  verifyFailed: { kind: "verifyFailed", reason: "signature-invalid" },
  swapPrepared: { kind: "swapPrepared" },
  swapRequested: { kind: "swapRequested" },
  swapFailed: { kind: "swapFailed", reason: "flash-error" },
  healthy: { kind: "healthy" },
  trialEnded: { kind: "trialEnded", reason: "no-server" },
  confirmWritten: { kind: "confirmWritten" },
  confirmFailed: { kind: "confirmFailed" },
  destabilized: { kind: "destabilized", trigger: "health" },
  rollbackBarred: { kind: "rollbackBarred", trigger: "health" },
  rollbackRequested: { kind: "rollbackRequested" },
  rollbackFailed: { kind: "rollbackFailed" },
  approved: { kind: "approved" },
  tick: { kind: "tick" },
  exhausted: { kind: "exhausted" },
  reported: { kind: "reported", actionId: "7" },
};

/** Nothing in the way: a confirmed image runs, mains, open window. */
export const context: Context = {
  running: { version: "1.0.0", imageHash: runningHash, confirmed: true },
  resetReason: "software",
  secondary: { prepared: false, imageHash: null, securityCounter: null },
  power: { batteryPercent: null, charging: true, supply: "mains" },
  powerPolicy: defaultPowerPolicy,
  trial: { boots: 3, secondsPerBoot: 60 },
  landedBytes: 0,
  runningBytes: 100_000,
  windows: noWindows,
  unixMs: null,
  windowOpen: true,
  asksBeforeInstall: false,
  approvedFile: null,
  networkDown: false,
  refused: [],
  soaking: null,
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
  power: onBattery(19),
};

/** A device that nothing but its battery carries. */
export function onBattery(batteryPercent: number): Context["power"] {
  return { batteryPercent, charging: false, supply: "battery" };
}

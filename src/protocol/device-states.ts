/**
 * The states of an update on a device, as it tells them in the detail `state=` of feedback, each
 * with the word by which a server keeps and shows it. `src/update/machine/state.ts` has what they
 * mean.
 */
export const deviceStateWords = {
  idle: "idle",
  checking: "checking",
  downloading: "downloading",
  verifying: "verifying",
  staged: "staged",
  activating: "activating",
  trial: "trial",
  confirmed: "confirmed",
  rollingBack: "rolling-back",
  rolledBack: "rolled-back",
  deferred: "deferred",
  failed: "failed",
} as const;

export type DeviceStateKind = keyof typeof deviceStateWords;
export type DeviceStateWord = (typeof deviceStateWords)[DeviceStateKind];

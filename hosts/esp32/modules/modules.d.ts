// What the modules of the chip import beside what hosts/simulator/moddable/modules.d.ts declares.
/// <reference path="../../../src/device/globals.d.ts" />

declare module "mc/config" {
  /** `mcconfig ... key=value`: settings of a build; every one has a default. */
  const config: {
    readonly trialSeconds?: number;
    readonly watchdogSeconds?: number;
    readonly firstPollSeconds?: number;
    readonly nameServer?: string;
  };
  export default config;
}

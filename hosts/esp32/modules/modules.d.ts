// What the modules of the chip import beside what hosts/simulator/moddable/modules.d.ts declares.

declare module "mc/config" {
  /** `mcconfig ... key=value`: settings of a build; every one has a default. */
  const config: {
    readonly trialSeconds?: number;
    readonly watchdogSeconds?: number;
    readonly firstPollSeconds?: number;
    readonly nameServer?: string;
    /** For trials: tokens and images then travel unencrypted. */
    readonly plainHttp?: boolean;
  };
  export default config;
}

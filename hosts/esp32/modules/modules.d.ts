// What the modules of the chip import beside what hosts/moddable/modules.d.ts declares.

declare module "embedded:network/interface/wifi" {
  export default class WiFi {
    constructor(options: object);
    /** ECMA-419 counts it up to 500 and more, with an address. */
    readonly connection: number;
    connect(credentials: { SSID: string; password?: string }): void;
  }
}

declare module "sluice/network" {
  /**
   * Begins to bring the board's network up; returns at once. Called once, before it is first used.
   */
  export function bringUp(): void;
}

declare module "mc/config" {
  /** `mcconfig ... key=value`: settings of a build; every one has a default. */
  const config: {
    readonly trialSeconds?: number;
    readonly watchdogSeconds?: number;
    readonly firstPollSeconds?: number;
    readonly nameServer?: string;
    readonly ssid?: string;
    readonly password?: string;
    /** For trials: tokens and images then travel unencrypted. */
    readonly plainHttp?: boolean;
    /** Other hosts to which a server may redirect: a list, or with commas between. */
    readonly redirectHosts?: string | readonly string[];
    /** Whether to install under a bootloader that does not say how it swaps. */
    readonly unknownBootloader?: "refuse" | "accept";
  };
  export default config;
}

declare module "mont" {
  /** Calculates modulo a prime. */
  export default class Mont {
    constructor(options: { m: bigint });
    add(a: bigint, b: bigint): bigint;
    mul(a: bigint, b: bigint): bigint;
    mulinv(a: bigint): bigint;
  }
}

declare module "ssl/constants" {
  export const AES: number;
  export const ECDHE_RSA: number;
  export const GCM: number;
  export const SHA256: number;
}

/** What XS adds to BigInt; big endian. */
interface BigIntConstructor {
  fromArrayBuffer(bytes: ArrayBuffer): bigint;
}

/** What XS adds to ArrayBuffer; big endian, with zeros in front up to the length. */
interface ArrayBufferConstructor {
  fromBigInt(value: bigint, byteLengthMin: number): ArrayBuffer;
}

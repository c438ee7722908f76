import { type Crypto, digestOf } from "../ports/crypto.ts";

/** On or off for every device, or on for a share of them. */
export type Flag =
  | boolean
  | {
      /** The share of devices, in hundredths of a percent: 0 to 10,000. */
      readonly hundredths: number;
      /** Two flags with the same salt fall on the same devices, two salts on independent ones. */
      readonly salt: string;
    };

const hundredthsMax = 10_000;

/** Shares are kept in steps of 0.01 percent, as integers, so that every engine decides the same. */
export function percentToHundredths(percent: number): number {
  return Math.round(percent * 100);
}

/**
 * Whether a flag is on for a device: by where the device falls among 2^32 places, the first four
 * bytes, big endian, of SHA-256 over `salt`, a line feed and the device's id. That is how a rollout
 * of the server places devices too. Raising the share adds devices and takes none away.
 */
export function isFlagOn(flag: Flag, deviceId: string, crypto: Crypto): boolean {
  if (typeof flag === "boolean") return flag;
  const digest = digestOf(crypto, new TextEncoder().encode(`${flag.salt}\n${deviceId}`));
  const place = new DataView(digest.buffer, digest.byteOffset).getUint32(0);
  // The two products are below 2^53, so exact.
  return place * hundredthsMax < flag.hundredths * 2 ** 32;
}

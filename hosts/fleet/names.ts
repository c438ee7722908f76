import { isDeviceId } from "../../src/protocol/device-id.ts";

declare const brand: unique symbol;
type Branded<T, Name> = T & { readonly [brand]: Name };

/** A controller id: one device in one tenant. */
export type DeviceId = Branded<string, "DeviceId">;
/** A SHA-256 in 64 lower-case hex digits. */
export type DigestHex = Branded<string, "DigestHex">;

/** `isDeviceId` as clients of the OpenAPI document need it. */
export const deviceIdPattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$";

export function parseDeviceId(text: string): DeviceId | null {
  return isDeviceId(text) ? (text as DeviceId) : null;
}

export function parseDigestHex(text: string): DigestHex | null {
  return /^[0-9a-f]{64}$/.test(text) ? (text as DigestHex) : null;
}

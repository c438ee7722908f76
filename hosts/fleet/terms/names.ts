import { isDeviceId } from "../../../src/protocol/device-id.ts";

declare const brand: unique symbol;

/** A controller id: one device in one tenant. */
export type DeviceId = string & { readonly [brand]: "DeviceId" };

/** `isDeviceId` as clients of the OpenAPI document need it. */
export const deviceIdPattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$";

export function parseDeviceId(text: string): DeviceId | null {
  return isDeviceId(text) ? (text as DeviceId) : null;
}

/** MAC addresses of 6 and 8 bytes in the spellings in use, and UUIDs (RFC 9562, 4). */
const spelledIds = [
  /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?:(?::[0-9a-f]{2}){2})?$/i,
  /^[0-9a-f]{2}(?:-[0-9a-f]{2}){5}(?:(?:-[0-9a-f]{2}){2})?$/i,
  /^[0-9a-f]{4}(?:[.][0-9a-f]{4}){2,3}$/i,
  /^(?:[0-9a-f]{12}|[0-9a-f]{16})$/i,
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
];

/**
 * The hex digits of an id that is a MAC address or a UUID, which are the same in every spelling;
 * null for any other id, of which each is its only spelling.
 */
export function digitsOfId(id: string): string | null {
  if (!spelledIds.some((form) => form.test(id))) return null;
  return id.replace(/[:.-]/g, "").toLowerCase();
}

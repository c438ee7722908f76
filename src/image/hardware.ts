import { isOf } from "./text-parts.ts";

/** Longest hardware id in characters, which are bytes too. */
export const hardwareIdCharactersMax = 32;

/**
 * A hardware id names what an image runs on as `family-revision`, for example "esp32c3-b":
 * lower-case letters, digits and dots in at least two groups joined by "-". ASCII, so its UTF-8 in
 * TLV 0x00A0 is one byte per character.
 */
export function isHardwareId(text: string): boolean {
  return text.length <= hardwareIdCharactersMax && isOfGroups(text.split("-"));
}

function isOfGroups(groups: readonly string[]): boolean {
  return (
    groups.length > 1 && groups.every((group) => isOf(group, "a-z0-9.", 1, hardwareIdCharactersMax))
  );
}

/** The id in the value of TLV 0x00A0, or null when the value is none. */
export function decodeHardwareId(value: Uint8Array): string | null {
  if (value.length > hardwareIdCharactersMax) return null;
  let text = "";
  for (const byte of value) text += String.fromCharCode(byte);
  return isHardwareId(text) ? text : null;
}

/** The value of TLV 0x00A0. Throws RangeError on a text that is no hardware id. */
export function encodeHardwareId(id: string): Uint8Array {
  if (!isHardwareId(id)) throw new RangeError(`"${id}" is no hardware id such as "esp32c3-b"`);
  return Uint8Array.from(id, (character) => character.charCodeAt(0));
}

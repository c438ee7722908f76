import { isOf } from "../image/text-parts.ts";

const deviceIdCharactersMax = 64;

/** What a device's id may be, for messages. */
export const deviceIdRule =
  "a letter or a digit, then letters, digits and . _ : -, 64 characters in all";

/**
 * Whether a text names a device: the one grammar of the server, of the commands and of what is
 * enrolled. MAC addresses and UUIDs are in it; nothing in it needs an escape in a path.
 */
export function isDeviceId(text: string): boolean {
  return (
    isOf(text.slice(0, 1), "A-Za-z0-9", 1) && isOf(text, "A-Za-z0-9._:-", 1, deviceIdCharactersMax)
  );
}

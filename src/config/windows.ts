import { type DecodedWindows, decodeWindows, noWindows } from "../policy/windows.ts";
import { isJsonObject, type JsonObject } from "../protocol/json.ts";

/**
 * The value of a configuration document that holds the maintenance windows, as `decodeWindows`
 * reads them.
 */
export const windowsValue = "windows";

/**
 * The maintenance windows that the values of a configuration document bring; a document without
 * them configures none. A document whose windows cannot be read must not take effect: with it the
 * device would install at any time.
 */
export function windowsOf(values: JsonObject): DecodedWindows {
  if (!Object.hasOwn(values, windowsValue)) return { ok: true, windows: noWindows };
  const document = values[windowsValue];
  if (!isJsonObject(document)) return { ok: false, reason: "malformed-windows", at: windowsValue };
  const decoded = decodeWindows(document);
  return decoded.ok ? decoded : { ...decoded, at: `${windowsValue}.${decoded.at}` };
}

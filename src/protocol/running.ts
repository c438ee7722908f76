import { formatVersion, parseVersion } from "../image/version.ts";
import { type DigestHex, parseDigestHex } from "./digest.ts";

/** What a device says of the image that runs, on every request. */
export interface Running {
  /** The version in the image header, with the build number behind a plus when it is not zero. */
  readonly version: string;
  readonly imageHash: DigestHex;
  readonly confirmed: boolean;
}

/** The request header that carries it: `<version>;<imageHash>;<confirmed|trial>`. */
export const runningHeader = "sluice-running";

export function formatRunning(running: Running): string {
  return `${running.version};${running.imageHash};${running.confirmed ? "confirmed" : "trial"}`;
}

/** Null for anything but the exact form. */
export function parseRunning(text: string): Running | null {
  const fields = text.split(";");
  if (fields.length !== 3) return null;
  const [version = "", hash = "", state = ""] = fields;
  const imageHash = parseDigestHex(hash);
  const parsed = parseVersion(version);
  if (parsed === null || formatVersion(parsed) !== version || imageHash === null) return null;
  if (state !== "confirmed" && state !== "trial") return null;
  return { version, imageHash, confirmed: state === "confirmed" };
}

import { isHardwareId } from "../image/hardware.ts";
import { isOf } from "../image/text-parts.ts";
import { formatVersion, type ImageVersion } from "../image/version.ts";

/** A device keeps a name in its log and in URLs. */
const targetNameCharactersMax = 96;

/**
 * The delegated role whose targets are the releases for one hardware id, and the pattern of the
 * targets that it may sign. Its name is the id, so that each device fetches its own role only.
 */
export function hardwareRole(hardware: string): {
  readonly name: string;
  readonly paths: string[];
} {
  if (!isHardwareId(hardware)) throw new RangeError(`"${hardware}" is no hardware id`);
  return { name: hardware, paths: [`${hardware}/*`] };
}

/** The name of an image as a target: `esp32c3-b/1.2.3.img`; `+` of a build number becomes `_`. */
export function imageTargetName(hardware: string, version: ImageVersion): string {
  return `${hardwareRole(hardware).name}/${formatVersion(version).replace("+", "_")}.img`;
}

/**
 * A name that is the same on every server and disk: groups of letters, digits and `._-` joined by
 * `/`, none of them `.` or `..`. Of the names that the specification allows (clause 4.5), these are
 * the ones that a device takes.
 */
export function isDeviceTargetName(name: string): boolean {
  return (
    name.length <= targetNameCharactersMax &&
    name
      .split("/")
      .every(
        (group) =>
          isOf(group, "A-Za-z0-9._-", 1, targetNameCharactersMax) && !group.startsWith("."),
      )
  );
}

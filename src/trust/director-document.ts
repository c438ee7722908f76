import { isHardwareId } from "../image/hardware.ts";
import { isOf, lowerHex } from "../image/text-parts.ts";
import { canonicalJson } from "./canonical-json.ts";
import {
  dateTimeAt,
  formatDateTime,
  integerAt,
  isSha256Hex,
  member,
  objectAt,
  textAt,
} from "./fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";
import { isDeviceTargetName } from "./target-names.ts";

/**
 * The member of the root's signed part that names the director's keys: `{keyids, threshold}` as any
 * role, the keys among the root's own. It stands beside `roles`, where other clients of TUF allow
 * the four roles of the specification only (clause 4.3).
 */
export const directorRoleMember = "x-sluice-director";
/** `_type` of its signed part: no signature of another role can be taken for the director's. */
const directorType = "director";
const directorSpecVersion = "1.0.34";
export const directorBytesMax = 2 * 1024;
export const nonceBytes = 16;
const deviceIdCharactersMax = 64;

/** What the online director says to one device: Uptane's idea, kept small. */
export interface DirectorDocument {
  /** Grows with every other assignment to this device; the device takes no lower one again. */
  readonly version: number;
  readonly expiresUnixMs: number;
  readonly deviceId: string;
  readonly hardware: string;
  /** The device's own, in lower-case hex: it proves that the document was made just now. */
  readonly nonce: string;
  /** The time of the director, whole seconds. */
  readonly timeUnixMs: number;
  /** Null when the device shall keep what it runs. */
  readonly assignment: Assignment | null;
}

/** The release that the director chose among those that the offline keys signed. */
export interface Assignment {
  readonly targetName: string;
  readonly lengthBytes: number;
  /** The SHA-256 of the file, lower-case hex. */
  readonly sha256: string;
  /** The security counter of the release. */
  readonly releaseCounter: number;
}

/** The signed part. Throws RangeError on a document that `parseDirectorSigned` would refuse. */
export function encodeDirectorSigned(document: DirectorDocument): JsonObject {
  const { assignment } = document;
  const signed: JsonObject = {
    _type: directorType,
    spec_version: directorSpecVersion,
    version: document.version,
    expires: formatDateTime(document.expiresUnixMs),
    device: document.deviceId,
    hardware: document.hardware,
    nonce: document.nonce,
    time: formatDateTime(document.timeUnixMs),
    target: assignment && {
      name: assignment.targetName,
      length: assignment.lengthBytes,
      hashes: { sha256: assignment.sha256 },
      counter: assignment.releaseCounter,
    },
  };
  const read = parseDirectorSigned(signed);
  if (!read.ok) throw new RangeError(`no director document: ${read.detail}`);
  return signed;
}

/** What the director's key signs: the canonical form of the signed part. */
export function directorPayload(document: DirectorDocument): Uint8Array {
  return canonicalJson(encodeDirectorSigned(document));
}

/** The whole document; `sig` is the DER of an ECDSA signature over the payload, in hex. */
export function encodeDirectorDocument(
  document: DirectorDocument,
  signatures: readonly { readonly keyid: string; readonly sig: string }[],
): Uint8Array {
  const listed = signatures.map(({ keyid, sig }) => ({ keyid, sig }));
  // Canonical JSON is what is signed, not what is sent: it does not escape control characters.
  const text = JSON.stringify({ signatures: listed, signed: encodeDirectorSigned(document) });
  return new TextEncoder().encode(text);
}

/** Reads the signed part, whose signatures were checked: see director.ts. */
export function parseDirectorSigned(signed: JsonObject): Verdict<DirectorDocument> {
  if (textAt(signed, "_type") !== directorType)
    return refused("wrong-type", `a ${textAt(signed, "_type")} instead of a director document`);
  const version = integerAt(signed, "version", 1);
  const expiresUnixMs = dateTimeAt(signed, "expires");
  const deviceId = textAt(signed, "device");
  const hardware = textAt(signed, "hardware");
  const nonce = textAt(signed, "nonce");
  const timeUnixMs = dateTimeAt(signed, "time");
  const target = member(signed, "target");
  if (version === null || expiresUnixMs === null || timeUnixMs === null)
    return malformed("version, expires or time");
  if (deviceId === null || deviceId === "" || deviceId.length > deviceIdCharactersMax)
    return malformed("device");
  if (hardware === null || !isHardwareId(hardware)) return malformed("hardware");
  if (nonce === null || !isNonce(nonce)) return malformed("nonce");
  const assignment = target === null ? null : parseAssignment(target);
  if (assignment === undefined) return malformed("target");
  return accepted({
    version,
    expiresUnixMs,
    deviceId,
    hardware,
    nonce,
    timeUnixMs,
    assignment,
  });
}

export function isNonce(text: string): boolean {
  return isOf(text, lowerHex, 2 * nonceBytes);
}

function malformed(what: string): ReturnType<typeof refused> {
  return refused("malformed-metadata", `the director document has no well-formed ${what}`);
}

function parseAssignment(value: JsonValue | undefined): Assignment | undefined {
  if (!isJsonObject(value)) return undefined;
  const targetName = textAt(value, "name");
  const lengthBytes = integerAt(value, "length", 1);
  const hashes = objectAt(value, "hashes");
  const sha256 = hashes === null ? null : textAt(hashes, "sha256");
  const releaseCounter = integerAt(value, "counter", 0);
  if (targetName === null || !isDeviceTargetName(targetName) || lengthBytes === null)
    return undefined;
  if (!isSha256Hex(sha256) || releaseCounter === null || releaseCounter > 0xffffffff)
    return undefined;
  return { targetName, lengthBytes, sha256, releaseCounter };
}

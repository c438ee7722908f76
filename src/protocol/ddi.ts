import { digits, isOf, type Part, partsOf, withOnly } from "../image/text-parts.ts";
import { type DigestHex, parseDigestHex } from "./digest.ts";
import type { Execution } from "./executions.ts";
import {
  arrayAt,
  encodeJson,
  integerAt,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  objectAt,
  parseJsonObject,
  stringAt,
} from "./json.ts";
import { urlLengthMax } from "./url.ts";

/** Larger bodies are refused before they are parsed. */
export const pollBytesMax = 8192;
export const deploymentBytesMax = 16_384;
const versionLengthMax = 64;
/** Bounds the arrays whose length says whether a deployment is one image; the body bounds it. */
const elementsMax = deploymentBytesMax;
const metadataMax = 32;
/** The part (hawkBit: software module type) of a chunk that is a configuration document. */
export const configurationPart = "configuration";
/** Keys of chunk metadata whose value is `true`. */
export const approvedKey = "sluice.approved";
export const retryKey = "sluice.retry";
/**
 * The device attribute that tells what its boot trailer says of the running image's confirmation:
 * `none`, `awaited`, `given`, `torn`, `unreadable`.
 */
export const confirmationAttribute = "confirmation";

/** The device attribute that tells the version of the configuration in effect, as decimal text. */
export const configurationAttribute = "configuration";
const pollSecondsMin = 1;
const pollSecondsMax = 7 * 24 * 3600;

/** What a base poll tells: when to come back and what is wanted (hawkBit DDI v1, `GET base`). */
export interface Poll {
  readonly sleepSeconds: number;
  readonly offerUrl: string | null;
  readonly cancelUrl: string | null;
  readonly configDataUrl: string | null;
  /** The server is of ours, and takes counters (`POST counters`); a plain hawkBit never says so. */
  readonly takesCounters: boolean;
}

/**
 * What every deployment says (hawkBit DDI v1, `deploymentBase`), and the one file that it brings.
 */
export interface OfferTerms {
  readonly actionId: string;
  readonly update: "forced" | "attempt" | "skip";
  /** `update` is `forced`: the server wants it now, not when it suits the device. */
  readonly forced: boolean;
  /** Metadata `sluice.approved`: an operator approved a major or breaking version. */
  readonly approved: boolean;
  /** Metadata `sluice.retry`: an operator cleared what this device refused or rolled back. */
  readonly retry: boolean;
  readonly windowOpen: boolean;
  readonly version: string;
  readonly fileName: string;
  readonly fileHash: DigestHex;
  readonly fileBytes: number;
  readonly url: string;
}

/** A deployment of one image. */
export interface ImageOffer extends OfferTerms {
  readonly kind: "firmware";
  /** From our server's chunk metadata; null from a plain hawkBit. */
  readonly imageHash: DigestHex | null;
}

/**
 * A deployment of one signed configuration document (src/config); its chunk's part is
 * `configuration`.
 */
export interface ConfigurationOffer extends OfferTerms {
  readonly kind: "configuration";
  /** The version of the document, as the server says; what is signed in it counts. */
  readonly configurationVersion: number;
}

/**
 * `unsupported`: well-formed, but not one image for one slot. The device reports either and
 * installs nothing.
 */
export type OfferDefect =
  | "malformed-deployment"
  | "unsupported-deployment"
  /** The file's address has more characters than `urlLengthMax`. */
  | "url-too-long";

export type ParsedOffer =
  | { readonly ok: true; readonly offer: ImageOffer | ConfigurationOffer }
  | {
      readonly ok: false;
      readonly reason: OfferDefect;
      /** Null when not even that can be read. */
      readonly actionId: string | null;
    };

/**
 * Null also for a link that cannot be followed: taken as no link, it would call off the update
 * under way.
 */
export function parsePoll(body: Uint8Array): Poll | null {
  const root = parseJsonObject(body, pollBytesMax);
  if (root === null) return null;
  const polling = objectAt(objectAt(root, "config") ?? {}, "polling");
  const sleepSeconds = parseSleep(polling === null ? null : stringAt(polling, "sleep", 16));
  const links = Object.hasOwn(root, "_links") ? objectAt(root, "_links") : {};
  if (sleepSeconds === null || links === null) return null;
  const offerUrl = linkAt(links, "deploymentBase");
  const cancelUrl = linkAt(links, "cancelAction");
  const configDataUrl = linkAt(links, "configData");
  if (offerUrl === undefined || cancelUrl === undefined || configDataUrl === undefined) return null;
  const takesCounters = typeof linkAt(links, "counters") === "string";
  return { sleepSeconds, offerUrl, cancelUrl, configDataUrl, takesCounters };
}

/**
 * Takes a deployment with exactly one chunk that holds exactly one artifact: one image for one
 * slot, or one configuration document.
 */
export function parseDeployment(body: Uint8Array): ParsedOffer {
  const root = parseJsonObject(body, deploymentBytesMax);
  const actionId = root === null ? null : parseActionId(stringAt(root, "id", 20));
  const refused = (reason: OfferDefect): ParsedOffer => ({
    ok: false,
    reason,
    actionId,
  });
  const deployment = root === null ? null : objectAt(root, "deployment");
  if (actionId === null || deployment === null) return refused("malformed-deployment");
  const update = stringAt(deployment, "update", 16);
  const chunks = arrayAt(deployment, "chunks", elementsMax);
  if (chunks === null || (update !== "forced" && update !== "attempt" && update !== "skip"))
    return refused("malformed-deployment");
  const chunk = onlyObject(chunks);
  const artifacts = chunk === null ? null : arrayAt(chunk, "artifacts", elementsMax);
  const artifact = artifacts === null ? null : onlyObject(artifacts);
  if (chunk === null || artifact === null) return refused("unsupported-deployment");
  const file = parseArtifact(artifact);
  const version = stringAt(chunk, "version", versionLengthMax);
  if (file === null && hasLongUrl(artifact)) return refused("url-too-long");
  if (file === null || version === null) return refused("malformed-deployment");
  const terms: OfferTerms = {
    actionId,
    update,
    forced: update === "forced",
    approved: metadataAt(chunk, approvedKey) === "true",
    retry: metadataAt(chunk, retryKey) === "true",
    windowOpen: stringAt(deployment, "maintenanceWindow", 16) !== "unavailable",
    version: displayText(version),
    ...file,
  };
  if (stringAt(chunk, "part", 64) === configurationPart) {
    const configurationVersion = parseConfigurationVersion(version);
    if (configurationVersion === null) return refused("malformed-deployment");
    return { ok: true, offer: { kind: "configuration", ...terms, configurationVersion } };
  }
  const imageHash = parseDigestHex(metadataAt(chunk, "sluice-image-hash"));
  return { ok: true, offer: { kind: "firmware", ...terms, imageHash } };
}

/**
 * Decimal without leading zeros, 1 to 2^53 - 1: how texts of the protocol name a configuration
 * document.
 */
export function parseConfigurationVersion(text: string): number | null {
  if (!isOf(text, digits, 1, 16) || text.startsWith("0")) return null;
  const version = Number(text);
  return Number.isSafeInteger(version) ? version : null;
}

/**
 * `POST .../feedback`: `details` are `key=value` texts that a person can read in a plain hawkBit.
 */
export interface Feedback {
  readonly execution: Execution;
  readonly finished: "none" | "success" | "failure";
  readonly details: readonly string[];
}

export function encodeFeedback(actionId: string, feedback: Feedback): Uint8Array {
  return encodeJson({
    id: actionId,
    status: {
      execution: feedback.execution,
      result: { finished: feedback.finished },
      details: feedback.details,
    },
  });
}

/** `PUT configData`: the attributes that describe the device to the server. */
export function encodeConfigData(data: Readonly<Record<string, string>>): Uint8Array {
  return encodeJson({ mode: "merge", data });
}

/** `GET cancelAction/{id}`: the action to stop. */
export function parseCancel(body: Uint8Array): { actionId: string; stopId: string } | null {
  const root = parseJsonObject(body, pollBytesMax);
  const actionId = root === null ? null : parseActionId(stringAt(root, "id", 20));
  const cancel = root === null ? null : objectAt(root, "cancelAction");
  const stopId = cancel === null ? null : parseActionId(stringAt(cancel, "stopId", 20));
  return actionId === null || stopId === null ? null : { actionId, stopId };
}

/**
 * Decimal digits, as every server of this protocol counts its actions; it becomes part of a URL.
 */
export function parseActionId(text: string | null): string | null {
  return text !== null && isOf(text, digits, 1, 20) ? text : null;
}

/** The action that a link to its deployment names. */
export function actionIdOfLink(url: string): string | null {
  const mark = "/deploymentBase/";
  const [path = ""] = url.split("?");
  const start = path.lastIndexOf(mark);
  return start < 0 ? null : parseActionId(path.slice(start + mark.length));
}

/**
 * Absolute and of characters that JSON does not escape: its length is its length in the journal.
 */
export function parseUrl(text: string | null, lengthMax: number): string | null {
  if (text === null || text.length > lengthMax) return null;
  const start = text.slice(0, "https://".length).toLowerCase();
  const scheme = ["http://", "https://"].find((known) => start.startsWith(known)) ?? text;
  return isOf(text.slice(scheme.length), "!#-[]-~", 1, lengthMax) ? text : null;
}

/** For people to read: whatever is not printable ASCII becomes a question mark. */
function displayText(text: string): string {
  return withOnly(text, " -~");
}

/** `HH:MM:SS` */
const sleepParts: readonly Part[] = [[digits, 2, 3], ":", [digits, 2, 2], ":", [digits, 2, 2]];

function parseSleep(text: string | null): number | null {
  const parts = text === null ? null : partsOf(text, sleepParts);
  if (parts === null) return null;
  const [hours = 0, minutes = 0, rest = 0] = parts.map(Number);
  if (minutes > 59 || rest > 59) return null;
  const seconds = hours * 3600 + minutes * 60 + rest;
  return Math.min(Math.max(seconds, pollSecondsMin), pollSecondsMax);
}

function parseArtifact(
  artifact: JsonObject,
): Pick<OfferTerms, "fileName" | "fileHash" | "fileBytes" | "url"> | null {
  const fileName = stringAt(artifact, "filename", 256);
  const hashes = objectAt(artifact, "hashes");
  const fileHash = parseDigestHex(hashes === null ? null : stringAt(hashes, "sha256", 64));
  const fileBytes = integerAt(artifact, "size", 1, 0xffff_ffff);
  const links = objectAt(artifact, "_links") ?? {};
  const url = artifactUrlAt(links, "download") ?? artifactUrlAt(links, "download-http");
  if (fileName === null || fileHash === null || fileBytes === null || url === null) return null;
  return { fileName, fileHash, fileBytes, url };
}

function metadataAt(chunk: JsonObject, key: string): string | null {
  for (const entry of arrayAt(chunk, "metadata", metadataMax) ?? [])
    if (isJsonObject(entry) && stringAt(entry, "key", 128) === key)
      return stringAt(entry, "value", 1024);
  return null;
}

function artifactUrlAt(links: JsonObject, key: string): string | null {
  const link = objectAt(links, key);
  return link === null ? null : parseUrl(stringAt(link, "href", urlLengthMax), urlLengthMax);
}

function hasLongUrl(artifact: JsonObject): boolean {
  const links = objectAt(artifact, "_links") ?? {};
  return ["download", "download-http"].some((key) => {
    const link = objectAt(links, key);
    const href = link === null ? null : stringAt(link, "href", deploymentBytesMax);
    return href !== null && href.length > urlLengthMax;
  });
}

/** Null without such a link, undefined with one that leads nowhere. */
function linkAt(links: JsonObject, key: string): string | null | undefined {
  if (!Object.hasOwn(links, key)) return null;
  const link = objectAt(links, key);
  const url = link === null ? null : parseUrl(stringAt(link, "href", urlLengthMax), urlLengthMax);
  return url ?? undefined;
}

function onlyObject(values: readonly JsonValue[]): JsonObject | null {
  const [value] = values;
  return values.length === 1 && isJsonObject(value) ? value : null;
}
